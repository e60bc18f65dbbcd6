"""Reads what a page sends with an action: who does it, where, and to what. Raises ApiError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.playground import Playground
from bot.playground.text import from_typed
from bot.playground.workspace import JSON, Channel

Body = Mapping[str, Any]
MOST_TYPED_CHARACTERS = 100_000


def person_of(playground: Playground, body: Body) -> str:
    user = str(body.get("user"))
    found = playground.workspace.users.get(user)
    if found is None or found.is_bot or found.deleted:
        raise ApiError("user_not_found")
    return user


def channel_of(playground: Playground, body: Body) -> Channel:
    channel = playground.workspace.channels.get(str(body.get("channel")))
    if channel is None:
        raise ApiError("channel_not_found")
    if body.get("user") not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def message_of(channel: Channel, body: Body) -> JSON:
    message = channel.messages.get(str(body.get("ts")))
    if message is None:
        raise ApiError("message_not_found")
    return message


def own_message_of(channel: Channel, body: Body, user: str) -> JSON:
    message = message_of(channel, body)
    if message["user"] != user:
        raise ApiError("not_your_message")
    return message


def typed_text(playground: Playground, body: Body) -> str:
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ApiError("no_text")
    if len(text) > MOST_TYPED_CHARACTERS:
        raise ApiError("msg_too_long")
    return from_typed(text.strip(), list(playground.workspace.users.values()))


def object_in(body: Body, key: str) -> JSON:
    value = body.get(key)
    if not isinstance(value, dict):
        raise ApiError("invalid_arguments", f"{key} must be an object")
    return value
