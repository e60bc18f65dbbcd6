"""Posts a message of its own, outside the life of an answer: exactly once, in a thread or in a channel.

Whoever posts has noted before that it will; a lost reply is looked up by the message's mark.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from bot.errors import SlackBusyError, SlackRefusedError, SlackSilentError
from bot.slack.deliver import METADATA_TYPE, Delivery, Mark
from bot.slack.render import POST_OPTIONS, RenderedMessage

logger = logging.getLogger(__name__)

_NEWEST = 100
_SETTLE_SECONDS = 1.0


def post_once(
    delivery: Delivery, channel: str, thread_ts: str, message: RenderedMessage, *, mark: Mark, look_first: bool = False
) -> str:
    """Post a message and return its ts; an empty `thread_ts` posts into the channel itself.

    `look_first` where an earlier try may have posted it. Raises SlackSilentError where nobody knows.
    """
    if look_first and (found := find_marked(delivery, channel, thread_ts, mark)):
        return found
    try:
        reply = delivery.call(
            "chat.postMessage",
            wait_seconds=30.0,
            channel=channel,
            text=message.text,
            blocks=message.blocks,
            metadata=mark.as_metadata(),
            **({"thread_ts": thread_ts} if thread_ts else {}),
            **POST_OPTIONS,
        )
    except SlackBusyError:
        raise
    except SlackSilentError:
        # It may still be on its way.
        time.sleep(_SETTLE_SECONDS)
        if found := find_marked(delivery, channel, thread_ts, mark):
            return found
        raise
    return str(reply["ts"])


def find_marked(delivery: Delivery, channel: str, thread_ts: str, mark: Mark) -> str | None:
    """Look for a message with this mark among the newest of its place."""
    page: dict[str, Any] = {"channel": channel, "limit": _NEWEST, "include_all_metadata": True}
    if thread_ts:
        reply = delivery.repeat("conversations.replies", ts=thread_ts, **page)
    else:
        reply = delivery.repeat("conversations.history", **page)
    wanted = mark.as_metadata()["event_payload"]
    for message in reply.get("messages") or []:
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == METADATA_TYPE and metadata.get("event_payload") == wanted:
            return str(message["ts"])
    return None


def thread_of(delivery: Delivery, channel: str, ts: str) -> str:
    """The thread of a message, where there is such a message; empty where there is none, or Slack does not say."""
    try:
        reply = delivery.call("conversations.replies", wait_seconds=5.0, channel=channel, ts=ts, limit=1)
    except (SlackSilentError, SlackRefusedError) as error:
        logger.info("no thread at %s in %s: %s", ts, channel, error)
        return ""
    return ts if reply.get("messages") else ""


def open_direct_message(delivery: Delivery, user: str) -> str:
    """The channel of the direct messages with one person."""
    reply = delivery.repeat("conversations.open", patience_seconds=10.0, users=user)
    return str(reply["channel"]["id"])
