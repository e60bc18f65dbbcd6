"""Presses on an answer's buttons that need more than a moment: kept in the inbox first, and said beside where it was.

Knows where a press came from, not what is done about it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Received
from bot.slack.deliver import Delivery
from bot.slack.features import TeamParts
from bot.slack.render import UPDATE_OPTIONS, RenderedMessage

logger = logging.getLogger(__name__)

PressWork = Callable[[Mapping[str, Any]], None]
"""Does what a press asked for, from the payload of its inbox row."""


def container_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the pressed element stands, as Slack describes it."""
    found = body.get("container")
    return found if isinstance(found, Mapping) else {}


def put_press(parts: TeamParts, press: str, body: Mapping[str, Any], *, answer_id: int | None = None) -> bool:
    """Keep a press; False where it is known already, or names no answer."""
    if answer_id is None:
        value = str(body["actions"][0].get("value") or "")
        if not value.isdecimal():
            return False
        answer_id = int(value)
    container, user = container_of(body), str(body["user"]["id"])
    channel = str(container.get("channel_id") or "")
    payload = {
        "press": press,
        "answer_id": answer_id,
        "user": user,
        "channel": channel,
        "thread_ts": str(container.get("thread_ts") or ""),
    }
    received = Received(
        event_id=f"press:{body['trigger_id']}",
        kind="press",
        team=parts.team,
        channel=channel,
        user=user,
        payload=payload,
    )
    return parts.inbox.put(received)


def whisper(delivery: Delivery, channel: str, thread_ts: str, user: str, message: RenderedMessage) -> None:
    """Say something to one person alone, in a thread or, with an empty `thread_ts`, in the channel itself."""
    thread = {"thread_ts": thread_ts} if thread_ts else {}
    try:
        delivery.call(
            "chat.postEphemeral",
            wait_seconds=5.0,
            channel=channel,
            user=user,
            text=message.text,
            blocks=message.blocks,
            **thread,
            **UPDATE_OPTIONS,
        )
    except (SlackSilentError, SlackRefusedError) as error:
        logger.warning("a word for %s in %s was not shown: %s", user, channel, error)


def whisper_at(delivery: Delivery, body: Mapping[str, Any], message: RenderedMessage) -> None:
    """Say something to the person who pressed, beside what was pressed."""
    container = container_of(body)
    if channel := str(container.get("channel_id") or ""):
        whisper(delivery, channel, str(container.get("thread_ts") or ""), str(body["user"]["id"]), message)
