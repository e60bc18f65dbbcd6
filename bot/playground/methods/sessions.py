"""The agents.sessions methods: what the agent does in a thread, and what the thread is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.methods.places import visible_channel
from bot.playground.playground import Playground
from bot.playground.sessions import STATUSES
from bot.playground.workspace import BOT_USER_ID, JSON, Channel, is_ts

TITLE_CHARACTERS = 200
_WARNING = "missing_agent_session_stopped_event_subscription"
_NO_STOP_BUTTON: JSON = {"warning": _WARNING, "response_metadata": {"warnings": [_WARNING]}}


def set_status(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """agents.sessions.setStatus: the first call begins the session."""
    channel = _channel(playground, arguments)
    if arguments["status"] not in STATUSES:
        raise ApiError("invalid_status")
    thread_ts = _thread(channel, arguments)
    initiator = arguments.get("initiator_user_id")
    if initiator is not None and initiator not in channel.members:
        raise ApiError("user_not_found")
    title = arguments.get("title", "")
    if title:
        _check_title(title)
    session = playground.sessions.set_status(channel, thread_ts, arguments["status"], title)
    answer = {"status": session.status, "agent_status": session.status, "title": session.title}
    return answer if playground.app.hears("agent_session_stopped") else answer | _NO_STOP_BUTTON


def rename(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """agents.sessions.rename."""
    channel = _channel(playground, arguments)
    thread_ts = _thread(channel, arguments)
    _check_title(arguments["title"])
    return {"title": playground.sessions.rename(channel, thread_ts, arguments["title"]).title}


def _channel(playground: Playground, arguments: Mapping[str, Any]) -> Channel:
    channel = visible_channel(playground.workspace, arguments["channel_id"])
    if BOT_USER_ID not in channel.members:
        raise ApiError("not_authorized")
    return channel


def _thread(channel: Channel, arguments: Mapping[str, Any]) -> str:
    """Give the thread; the playground has no channels that are sessions as a whole, so there must be one."""
    thread_ts = arguments.get("thread_ts")
    if not thread_ts:
        raise ApiError("thread_ts_required")
    if not is_ts(thread_ts) or thread_ts not in channel.messages:
        raise ApiError("invalid_arguments", "[ERROR] must be the root of a thread [json-pointer:/thread_ts]")
    return str(thread_ts)


def _check_title(title: str) -> None:
    if not 0 < len(title) <= TITLE_CHARACTERS:
        raise ApiError("invalid_arguments", f"[ERROR] 1 to {TITLE_CHARACTERS} characters [json-pointer:/title]")
