"""The chat methods: post, update, delete, show to one person, give a link."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from bot.playground.blocks import MARKDOWN_CHARACTERS, message_blocks
from bot.playground.errors import ApiError
from bot.playground.events import bot_profile
from bot.playground.methods.places import own_message, postable_channel, visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import APP_ID, BOT_ID, BOT_USER_ID, JSON, Ephemeral, is_ts

POST_TEXT_CHARACTERS = 40_000
UPDATE_TEXT_CHARACTERS = 4_000
ATTACHMENTS = 100
METADATA_BYTES = 16_384
_TRUNCATED = {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}


def post_message(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.postMessage: Slack cuts text over 40,000 characters and says so."""
    channel = postable_channel(playground.workspace, arguments["channel"])
    content = _content(arguments, too_long="msg_blocks_too_long")
    thread_ts = _thread_ts(arguments)
    if thread_ts and channel.messages.get(thread_ts, {}).get("subtype") == "tombstone":
        raise ApiError("cannot_reply_to_message")
    truncated = len(content["text"]) > POST_TEXT_CHARACTERS
    content["text"] = content["text"][:POST_TEXT_CHARACTERS]
    message = bot_message(playground, **content) | playground.thread_parts(channel, thread_ts)
    if "metadata" in arguments:
        message |= {"metadata": metadata(arguments["metadata"])}
    if "thread_ts" in message and arguments.get("reply_broadcast"):
        message |= {"subtype": "thread_broadcast"}
    playground.post(channel, message, unfurl=arguments.get("unfurl_links", True))
    posted = {"channel": channel.id, "ts": message["ts"], "message": copy.deepcopy(message)}
    return posted | (_TRUNCATED if truncated else {})


def post_ephemeral(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.postEphemeral: one person sees it, no history keeps it."""
    channel = postable_channel(playground.workspace, arguments["channel"])
    if arguments["user"] not in channel.members:
        raise ApiError("user_not_in_channel")
    content = _content(arguments, too_long="msg_too_long")
    if len(content["text"]) > POST_TEXT_CHARACTERS:
        raise ApiError("msg_too_long")
    message = bot_message(playground, **content) | playground.thread_parts(channel, _thread_ts(arguments))
    playground.show_ephemeral(Ephemeral(user=arguments["user"], channel=channel.id, message=message))
    return {"message_ts": message["ts"]}


def update(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.update: parts that are not named stay as they are, but new text without blocks removes the old blocks."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    message = own_message(channel, arguments["ts"], "cant_update_message")
    stream = playground.streams.find(channel, message["ts"])
    if stream is not None and not stream.halted:
        raise ApiError("streaming_state_conflict")
    if len(arguments.get("text", "")) > UPDATE_TEXT_CHARACTERS:
        raise ApiError("msg_too_long")
    content = _content(arguments, too_long="msg_too_long", text_before=message["text"])
    changes: JSON = {
        "text": content["text"],
        "blocks": content.get("blocks"),
        "attachments": content.get("attachments"),
    }
    if stream is not None:
        playground.streams.close(channel, stream)
    if "metadata" in arguments:
        changes["metadata"] = metadata(arguments["metadata"]) if arguments["metadata"] else None
    changes = {key: value for key, value in changes.items() if value is not None or key in message}
    if any(message.get(key) != value for key, value in changes.items()):
        changes["edited"] = {"user": BOT_USER_ID, "ts": playground.workspace.next_ts()}
    playground.change(channel, message, changes)
    return {
        "channel": channel.id,
        "ts": message["ts"],
        "text": message["text"],
        "message": copy.deepcopy(message),
    }


def delete(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.delete: the bot's own messages only."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    message = own_message(channel, arguments["ts"], "cant_delete_message")
    playground.delete(channel, message)
    return {"channel": channel.id, "ts": arguments["ts"]}


def get_permalink(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """chat.getPermalink: an address that the page opens at the message."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    ts = arguments["message_ts"]
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("message_not_found")
    link = f"{playground.url}archives/{channel.id}/p{ts.replace('.', '')}"
    if "thread_ts" in message and message["thread_ts"] != ts:
        link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def bot_message(playground: Playground, text: str, **parts: Any) -> JSON:
    """Begin a message of the bot."""
    profile = bot_profile(playground.workspace)
    return playground.new_message(BOT_USER_ID, text, bot_id=BOT_ID, app_id=APP_ID, bot_profile=profile, **parts)


def metadata(value: Any) -> JSON:
    """Check a message's metadata."""
    if not isinstance(value, dict):
        raise ApiError("invalid_metadata_format")
    if not isinstance(value.get("event_type"), str) or not isinstance(value.get("event_payload"), dict):
        raise ApiError("invalid_metadata_schema")
    if len(json.dumps(value)) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return value


def _content(arguments: Mapping[str, Any], *, too_long: str, text_before: str = "") -> JSON:
    """Give the text, blocks and attachments of a message; refuses a message without any."""
    markdown = arguments.get("markdown_text")
    if markdown is not None:
        return _markdown_content(arguments, markdown, too_long)
    text, attachments = arguments.get("text"), arguments.get("attachments")
    content: JSON = {"text": text if text is not None else ""}
    if arguments.get("blocks"):
        content["blocks"] = message_blocks(arguments["blocks"], too_long=too_long)
        if text is None:
            content["text"] = text_before
    if attachments:
        if not isinstance(attachments, list):
            raise ApiError("invalid_arguments", "[ERROR] must provide an array [json-pointer:/attachments]")
        if len(attachments) > ATTACHMENTS:
            raise ApiError("too_many_attachments")
        content["attachments"] = attachments
    if not content["text"] and not content.keys() - {"text"}:
        raise ApiError("no_text")
    return content


def _markdown_content(arguments: Mapping[str, Any], markdown: str, too_long: str) -> JSON:
    if "text" in arguments or "blocks" in arguments:
        raise ApiError("markdown_text_conflict")
    if not markdown:
        raise ApiError("no_text")
    if len(markdown) > MARKDOWN_CHARACTERS:
        raise ApiError(too_long)
    return {"text": markdown, "blocks": message_blocks([{"type": "markdown", "text": markdown}], too_long=too_long)}


def _thread_ts(arguments: Mapping[str, Any]) -> str | None:
    thread_ts = arguments.get("thread_ts")
    if thread_ts is not None and not is_ts(thread_ts):
        raise ApiError("invalid_arguments", "[ERROR] must be a valid timestamp [json-pointer:/thread_ts]")
    return thread_ts
