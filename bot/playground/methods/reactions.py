"""The reactions methods, as the bot calls them."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.methods.places import visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON, Channel, is_ts

EMOJI_NAME = re.compile(r"[a-z0-9_+'\-]{1,100}(?:::skin-tone-[2-6])?")
MOST_REACTIONS = 23


def add(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """reactions.add."""
    channel, message = _reacted(playground, arguments)
    name = _emoji(arguments["name"])
    if len(message.get("reactions", [])) >= MOST_REACTIONS:
        raise ApiError("too_many_emoji")
    if not playground.react(channel, message, user=BOT_USER_ID, name=name, add=True):
        raise ApiError("already_reacted")
    return {}


def remove(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """reactions.remove."""
    channel, message = _reacted(playground, arguments)
    if not playground.react(channel, message, user=BOT_USER_ID, name=_emoji(arguments["name"]), add=False):
        raise ApiError("no_reaction")
    return {}


def get(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """reactions.get."""
    channel, message = _reacted(playground, arguments)
    return {"type": "message", "channel": channel.id, "message": copy.deepcopy(message)}


def _reacted(playground: Playground, arguments: Mapping[str, Any]) -> tuple[Channel, JSON]:
    if "channel" not in arguments or "timestamp" not in arguments:
        raise ApiError("no_item_specified")
    if not is_ts(arguments["timestamp"]):
        raise ApiError("bad_timestamp")
    channel = visible_channel(playground.workspace, arguments["channel"])
    message = channel.messages.get(arguments["timestamp"])
    if message is None:
        raise ApiError("message_not_found")
    return channel, message


def _emoji(name: str) -> str:
    plain = name.strip(":")
    if EMOJI_NAME.fullmatch(plain) is None:
        raise ApiError("invalid_name")
    return plain
