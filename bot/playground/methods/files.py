"""The files methods: look at a file, upload one in two steps, delete one's own."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.playground.blocks import message_blocks
from bot.playground.errors import ApiError
from bot.playground.files import MOST_BYTES, clean_name
from bot.playground.methods.chat import bot_message
from bot.playground.methods.places import postable_channel, visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON, Channel, is_ts, new_id

MOST_CHANNELS = 100
ALT_TEXT_CHARACTERS = 1000
SNIPPET_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to upload one file."""

    file_id: str
    name: str
    length: int


def info(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """files.info."""
    file = _visible(playground, arguments["file"])
    described = copy.deepcopy(file)
    shares = list(playground.files.shares(file["id"]))
    for key, kinds in (("channels", ("public",)), ("groups", ("private", "mpim")), ("ims", ("im",))):
        described[key] = list(dict.fromkeys(channel.id for channel, _ in shares if channel.kind in kinds))
    described["is_public"] = bool(described["channels"])
    return {"file": described, "comments": [], "response_metadata": {"next_cursor": ""}}


def get_upload_url(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """files.getUploadURLExternal: the first step, an address for the bytes."""
    name, length = clean_name(arguments["filename"]), arguments["length"]
    if length < 1 or not name:
        raise ApiError("missing_argument")
    if length > MOST_BYTES:
        raise ApiError("file_upload_size_restricted")
    if "snippet_type" in arguments and length > SNIPPET_BYTES:
        raise ApiError("snippet_too_large")
    if len(arguments.get("alt_txt", "")) > ALT_TEXT_CHARACTERS:
        raise ApiError("alt_txt_too_large")
    key = secrets.token_urlsafe(24)
    ticket = Ticket(file_id=new_id("F"), name=name, length=length)
    playground.upload_tickets[key] = ticket
    return {"upload_url": f"{playground.url}upload/v1/{key}", "file_id": ticket.file_id}


def complete_upload(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """files.completeUploadExternal: the last step, which shares what was uploaded."""
    files = _uploaded(playground, arguments["files"])
    channels = _channels(playground, arguments)
    comment, blocks = arguments.get("initial_comment"), None
    if not comment and arguments.get("blocks"):
        blocks = message_blocks(arguments["blocks"], too_long="invalid_blocks")
    for channel in channels:
        message = bot_message(
            playground, comment or "", subtype="file_share", files=copy.deepcopy(files), upload=True, blocks=blocks
        )
        thread_ts = arguments.get("thread_ts")
        if thread_ts is not None and not is_ts(thread_ts):
            raise ApiError("invalid_arguments", "[ERROR] must be a valid timestamp [json-pointer:/thread_ts]")
        playground.post(channel, message | playground.thread_parts(channel, thread_ts))
    return {"files": copy.deepcopy(files)}


def delete(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """files.delete: the bot's own files only."""
    file = _visible(playground, arguments["file"])
    if file["user"] != BOT_USER_ID:
        raise ApiError("cant_delete_file")
    playground.files.delete(file["id"], seen=True)
    return {}


def _visible(playground: Playground, file_id: str) -> JSON:
    file = playground.files.find(file_id)
    if file is None or not playground.files.is_visible_to_bot(file):
        raise ApiError("file_not_found")
    return file


def _uploaded(playground: Playground, named: Any) -> list[JSON]:
    if not isinstance(named, list) or not named or not all(isinstance(each, dict) for each in named):
        raise ApiError("invalid_arguments", "[ERROR] must provide an array of objects [json-pointer:/files]")
    files = [playground.files.find(str(each.get("id"))) for each in named]
    found = [file for file in files if file is not None and file["user"] == BOT_USER_ID]
    if len(found) < len(named):
        raise ApiError("file_not_found")
    for file, each in zip(found, named, strict=True):
        file["title"] = str(each.get("title") or file["title"])
    return found


def _channels(playground: Playground, arguments: Mapping[str, Any]) -> list[Channel]:
    several = [value.strip() for value in arguments.get("channels", "").split(",") if value.strip()]
    if len(several) > MOST_CHANNELS:
        raise ApiError("channels_limit_exceeded")
    channels = [postable_channel(playground.workspace, value) for value in several]
    if arguments.get("channel_id"):
        channel = visible_channel(playground.workspace, arguments["channel_id"])
        if BOT_USER_ID not in channel.members:
            raise ApiError("not_in_channel")
        channels.append(channel)
    return channels
