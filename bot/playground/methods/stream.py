"""The streaming methods: a message that grows while it is written, for five minutes at most."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.playground.blocks import MARKDOWN_CHARACTERS, MESSAGE_BLOCKS, message_blocks
from bot.playground.errors import ApiError
from bot.playground.methods.chat import bot_message, metadata
from bot.playground.methods.places import own_message, postable_channel, visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import JSON, TEAM_ID, Channel, Stream


class _Chunk(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _TextChunk(_Chunk):
    type: Literal["markdown_text"]
    text: str


class _Source(_Chunk):
    type: Literal["url"]
    url: str
    text: str
    icon_url: str | None = None


class _TaskChunk(_Chunk):
    type: Literal["task_update"]
    id: str
    title: Annotated[str, Field(max_length=256)]
    status: Literal["pending", "in_progress", "complete", "error"]
    details: str | None = None
    output: str | None = None
    sources: list[_Source] | None = None


class _PlanChunk(_Chunk):
    type: Literal["plan_update"]
    title: str


class _BlocksChunk(_Chunk):
    type: Literal["blocks"]
    blocks: list[JSON]


_Any = Annotated[_TextChunk | _TaskChunk | _PlanChunk | _BlocksChunk, Field(discriminator="type")]
_CHUNKS: TypeAdapter[list[_Any]] = TypeAdapter(list[_Any])


def start(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.startStream: in a channel it must say for whom."""
    channel = postable_channel(playground.workspace, arguments["channel"])
    if channel.kind != "im":
        _check_recipient(playground, arguments)
    display = arguments.get("task_display_mode", "timeline")
    if display not in ("timeline", "plan"):
        raise ApiError("invalid_arguments", "[ERROR] must be a valid enum value [json-pointer:/task_display_mode]")
    text, blocks = _new_content(arguments)
    message = bot_message(playground, "") | playground.thread_parts(channel, arguments.get("thread_ts"))
    stream = Stream(
        channel=channel.id, ts=message["ts"], started_at=playground.workspace.now(), as_plan=display == "plan"
    )
    _grow(message, stream, text, blocks)
    playground.streams.open(channel, message, stream)
    return {"channel": channel.id, "ts": message["ts"]}


def append(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.appendStream: adds to what is there."""
    channel, message, stream = _streamed(playground, arguments)
    if stream.halted:
        raise ApiError("stopped_by_user")
    text, blocks = _new_content(arguments)
    if not text and not blocks:
        raise ApiError("no_text")
    grown = copy.deepcopy(message)
    _grow(grown, stream, text, blocks)
    playground.change(channel, message, grown, quietly=True)
    return {"channel": channel.id, "ts": message["ts"]}


def stop(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.stopStream: the last text, and blocks that stand below it."""
    channel, message, stream = _streamed(playground, arguments)
    text, blocks = _new_content(arguments)
    if arguments.get("blocks"):
        blocks += message_blocks(arguments["blocks"], too_long="msg_blocks_too_long", too_many="msg_blocks_too_many")
    finished = copy.deepcopy(message)
    _grow(finished, stream, text, blocks)
    if not finished["text"] and not finished.get("blocks"):
        raise ApiError("no_text")
    if "metadata" in arguments:
        finished["metadata"] = metadata(arguments["metadata"])
    playground.streams.close(channel, stream)
    playground.change(channel, message, finished)
    return {"channel": channel.id, "ts": message["ts"], "message": copy.deepcopy(message)}


def _check_recipient(playground: Playground, arguments: Mapping[str, Any]) -> None:
    if "recipient_user_id" not in arguments:
        raise ApiError("missing_recipient_user_id")
    if "recipient_team_id" not in arguments:
        raise ApiError("missing_recipient_team_id")
    if arguments["recipient_user_id"] not in playground.workspace.users:
        raise ApiError("user_not_found")
    if arguments["recipient_team_id"] != TEAM_ID:
        raise ApiError("team_not_found")


def _streamed(playground: Playground, arguments: Mapping[str, Any]) -> tuple[Channel, JSON, Stream]:
    channel = visible_channel(playground.workspace, arguments["channel"])
    message = own_message(channel, arguments["ts"], "message_not_owned_by_app")
    stream = playground.streams.find(channel, message["ts"])
    if stream is None:
        raise ApiError("message_not_in_streaming_state")
    return channel, message, stream


def _new_content(arguments: Mapping[str, Any]) -> tuple[str, list[JSON]]:
    """Give the text and the blocks that a call adds."""
    text = arguments.get("markdown_text", "")
    blocks: list[JSON] = []
    for chunk in _chunks(arguments.get("chunks", [])):
        if isinstance(chunk, _TextChunk):
            text += chunk.text
        elif isinstance(chunk, _BlocksChunk):
            blocks += message_blocks(chunk.blocks, too_long="msg_blocks_too_long", too_many="msg_blocks_too_many")
        elif isinstance(chunk, _TaskChunk):
            described = chunk.model_dump(exclude_none=True, exclude={"type", "id"})
            blocks.append({"type": "task_card", "block_id": f"task-{chunk.id}", "task_id": chunk.id, **described})
        else:
            blocks.append({"type": "plan", "block_id": "plan", "title": chunk.title})
    if len(text) > MARKDOWN_CHARACTERS:
        raise ApiError("msg_blocks_too_long")
    return text, blocks


def _chunks(value: Any) -> list[_Any]:
    try:
        return _CHUNKS.validate_python(value)
    except ValidationError as error:
        raise ApiError("invalid_chunks", *(f"[ERROR] {problem['msg']}" for problem in error.errors())) from error


def _grow(message: JSON, stream: Stream, text: str, blocks: list[JSON]) -> None:
    """Add text and blocks to a message: its text is one markdown block, and a card replaces its older self."""
    stream_text = stream.text + text
    if len(stream_text) > MARKDOWN_CHARACTERS:
        raise ApiError("msg_blocks_too_long")
    ids = {block["block_id"] for block in blocks}
    others = [block for block in stream.extra_blocks if block["block_id"] not in ids] + blocks
    if len(others) >= MESSAGE_BLOCKS:
        raise ApiError("msg_blocks_too_many")
    stream.text, stream.extra_blocks = stream_text, others
    shown = [{"type": "markdown", "block_id": "stream", "text": stream_text}] if stream_text else []
    message["text"] = stream_text
    if shown or others:
        message["blocks"] = shown + (_as_plan(others) if stream.as_plan else others)


def _as_plan(blocks: list[JSON]) -> list[JSON]:
    """Put the task cards into the plan, which stands first."""
    tasks = [block for block in blocks if block["type"] == "task_card"]
    others = [block for block in blocks if block["type"] not in ("task_card", "plan")]
    plan = next((block for block in blocks if block["type"] == "plan"), None)
    if plan is None and not tasks:
        return others
    title = "" if plan is None else plan["title"]
    return [{"type": "plan", "block_id": "plan", "title": title, "tasks": tasks}, *others]
