"""Reads what a page sends with an action: who does it, where, and to what. Raises ApiError."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.files import MOST_BYTES, clean_name
from bot.playground.playground import Playground
from bot.playground.text import from_typed
from bot.playground.workspace import JSON, Channel

Body = Mapping[str, Any]
MOST_FILES = 10
MOST_TYPED_CHARACTERS = 100_000


def person_of(playground: Playground, body: Body) -> str:
    """Give the person who acts; nobody acts as the bot, or as somebody who is deactivated."""
    user = str(body.get("user"))
    found = playground.workspace.users.get(user)
    if found is None or found.is_bot or found.deleted:
        raise ApiError("user_not_found")
    return user


def channel_of(playground: Playground, body: Body) -> Channel:
    """Give the channel that is named, where the person is in it."""
    channel = playground.workspace.channels.get(str(body.get("channel")))
    if channel is None:
        raise ApiError("channel_not_found")
    if body.get("user") not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def message_of(channel: Channel, body: Body) -> JSON:
    """Give the message that is named."""
    message = channel.messages.get(str(body.get("ts")))
    if message is None:
        raise ApiError("message_not_found")
    return message


def own_message_of(channel: Channel, body: Body, user: str) -> JSON:
    """Give the message that is named, where it is the person's own."""
    message = message_of(channel, body)
    if message["user"] != user:
        raise ApiError("not_your_message")
    return message


def typed_text(playground: Playground, body: Body, *, may_be_empty: bool = False) -> str:
    """Give what was typed as Slack stores it."""
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        if may_be_empty:
            return ""
        raise ApiError("no_text")
    if len(text) > MOST_TYPED_CHARACTERS:
        raise ApiError("msg_too_long")
    return from_typed(text.strip(), list(playground.workspace.users.values()))


def attached_files(body: Body) -> list[JSON]:
    """Give the name, type and bytes of each file that goes with a message."""
    given = body.get("files") or []
    if not isinstance(given, list) or not all(isinstance(file, dict) for file in given):
        raise ApiError("invalid_arguments", "files must be a list of objects")
    if len(given) > MOST_FILES:
        raise ApiError("too_many_files")
    return [_file(file) for file in given]


def _file(given: JSON) -> JSON:
    name = clean_name(given.get("name"))
    try:
        content = base64.b64decode(str(given.get("content", "")), validate=True)
    except ValueError as error:
        raise ApiError("invalid_file", f"{name}: content must be base64") from error
    if not name or not content:
        raise ApiError("invalid_file", f"{name}: a file has a name and at least one byte")
    if len(content) > MOST_BYTES:
        raise ApiError("file_too_large")
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {"name": name, "mimetype": str(given.get("mimetype") or guessed), "content": content}


def object_in(body: Body, key: str) -> JSON:
    """Give the object under a key."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise ApiError("invalid_arguments", f"{key} must be an object")
    return value
