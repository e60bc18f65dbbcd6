"""Finds the channel, message or person that an argument names, as far as the bot may see it. Raises ApiError."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from bot.playground.errors import ApiError
from bot.playground.workspace import BOT_USER_ID, JSON, Channel, Workspace

Item = TypeVar("Item")


def visible_channel(workspace: Workspace, value: str) -> Channel:
    """Find a channel by id that the bot may know of: public ones, and those it is in."""
    channel = workspace.channels.get(value)
    if channel is None or (channel.kind != "public" and BOT_USER_ID not in channel.members):
        raise ApiError("channel_not_found")
    return channel


def postable_channel(workspace: Workspace, value: str) -> Channel:
    """Find where the bot may post: a channel by id or name, or a person's direct message by user id."""
    if value in workspace.users and value != BOT_USER_ID:
        return workspace.open_direct(value, BOT_USER_ID)
    found = workspace.find_channel(value)
    channel = visible_channel(workspace, found.id if found else value)
    if BOT_USER_ID not in channel.members:
        raise ApiError("not_in_channel")
    if channel.archived:
        raise ApiError("is_archived")
    return channel


def own_message(channel: Channel, ts: str, refusal: str) -> JSON:
    """Find a message of the bot's own; another's is refused with the given error."""
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("message_not_found")
    if message.get("user") != BOT_USER_ID:
        raise ApiError(refusal)
    return message


def page_of(items: Sequence[Item], cursor: str | None, limit: int) -> tuple[Sequence[Item], str]:
    """Cut one page out of a list; gives it with the cursor of the next one, empty at the end."""
    start = _offset(cursor) if cursor else 0
    end = start + limit
    return items[start:end], _cursor(end) if end < len(items) else ""


def _cursor(offset: int) -> str:
    return base64.b64encode(f"next:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
        if word != "next":
            raise ApiError("invalid_cursor")
        return int(number)
    except (binascii.Error, ValueError) as error:
        raise ApiError("invalid_cursor") from error
