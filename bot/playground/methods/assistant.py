"""The assistant methods: the status line, suggested prompts, a thread's title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.methods.places import visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON, Channel, is_ts

MOST_LOADING_MESSAGES = 10
LOADING_MESSAGE_CHARACTERS = 50
MOST_PROMPTS = 4


def set_status(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """assistant.threads.setStatus: an empty status clears it."""
    channel = _channel(playground, arguments)
    thread_ts = _thread(channel, arguments["thread_ts"])
    loading = arguments.get("loading_messages", [])
    if not isinstance(loading, list) or ("loading_messages" in arguments and not loading):
        raise ApiError("invalid_arguments", "[ERROR] must provide an array [json-pointer:/loading_messages]")
    if len(loading) > MOST_LOADING_MESSAGES or not all(
        isinstance(line, str) and 0 < len(line) <= LOADING_MESSAGE_CHARACTERS for line in loading
    ):
        raise ApiError(
            "invalid_arguments", "[ERROR] at most 10 items of 1 to 50 characters [json-pointer:/loading_messages]"
        )
    playground.signs.set_status(channel, thread_ts, arguments["status"], loading)
    return {}


def set_suggested_prompts(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """assistant.threads.setSuggestedPrompts: up to four, each with a title and a message."""
    channel = _channel(playground, arguments)
    prompts = arguments["prompts"]
    if not isinstance(prompts, list) or not 0 < len(prompts) <= MOST_PROMPTS:
        raise ApiError("invalid_arguments", f"[ERROR] 1 to {MOST_PROMPTS} prompts [json-pointer:/prompts]")
    if not all(isinstance(p, dict) and p.get("title") and p.get("message") for p in prompts):
        raise ApiError("invalid_arguments", "[ERROR] missing required field: title or message [json-pointer:/prompts]")
    thread_ts = _thread(channel, arguments["thread_ts"]) if "thread_ts" in arguments else None
    if not playground.app.has_surface or (thread_ts is None and playground.surface != "agent"):
        # Only an agent has prompts for its whole messages tab; in the older container they belong to a thread.
        raise ApiError("not_agent_app")
    playground.signs.set_prompts(channel, thread_ts, arguments.get("title", ""), prompts)
    return {}


def set_title(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """assistant.threads.setTitle: of a thread in the assistant's container; others have none that anybody sees."""
    channel = _channel(playground, arguments)
    thread_ts = _thread(channel, arguments["thread_ts"])
    playground.viewing.set_title(channel, thread_ts, arguments["title"])
    return {}


def _channel(playground: Playground, arguments: Mapping[str, Any]) -> Channel:
    channel = visible_channel(playground.workspace, arguments["channel_id"])
    if BOT_USER_ID not in channel.members:
        raise ApiError("channel_not_found")
    return channel


def _thread(channel: Channel, thread_ts: str) -> str:
    if not is_ts(thread_ts) or thread_ts not in channel.messages:
        raise ApiError("invalid_thread_ts")
    return thread_ts
