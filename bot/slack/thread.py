"""What people said in a thread or a channel, read from Slack: their words with their names and links to them.

Posts of bots are left out, and so are people of other organisations: what they write is not this workspace's word.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.features import TeamParts
from bot.slack.markup import plain_text
from bot.slack.parse import attached_files, is_persons_message
from bot.turn import AttachedFile

logger = logging.getLogger(__name__)

_MOST_READ, _MOST_KEPT = 999, 200
_WAIT_SECONDS = 2.0
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of a person."""

    user: str
    name: str
    ts: str
    text: str = field(repr=False)
    """Plain text; people in it by their names."""
    files: tuple[AttachedFile, ...] = ()


def read_thread(parts: TeamParts, channel: str, thread_ts: str) -> tuple[Said, ...]:
    """The messages of a thread, oldest first: the first one and the newest; raises as `Delivery.call` does."""
    reply = parts.delivery.call(
        "conversations.replies", wait_seconds=_WAIT_SECONDS, channel=channel, ts=thread_ts, limit=_MOST_READ
    )
    messages = reply.get("messages") or []
    return _said(parts, channel, [*messages[:1], *messages[1:][-_MOST_KEPT:]])


def read_recent(parts: TeamParts, channel: str, count: int) -> tuple[Said, ...]:
    """The newest messages of a channel, oldest first; raises as `Delivery.call` does."""
    reply = parts.delivery.call("conversations.history", wait_seconds=_WAIT_SECONDS, channel=channel, limit=count)
    return _said(parts, channel, reversed(reply.get("messages") or []))


def permalink(parts: TeamParts, channel: str, ts: str) -> str:
    """The address of a message; empty where Slack does not say."""
    try:
        reply = parts.delivery.call("chat.getPermalink", wait_seconds=_WAIT_SECONDS, channel=channel, message_ts=ts)
    except (SlackSilentError, SlackRefusedError) as error:
        logger.info("no permalink of %s in %s: %s", ts, channel, error)
        return ""
    return str(reply.get("permalink") or "")


def permalink_beside(known: str, channel: str, ts: str, thread_ts: str | None) -> str:
    """The address of another message of the same workspace, made like a known one; empty without that."""
    parts = urlsplit(known)
    if not (known and "/archives/" in parts.path):
        return ""
    root = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/archives/')[0]}"
    thread = f"?thread_ts={thread_ts}&cid={channel}" if thread_ts and thread_ts != ts else ""
    return f"{root}/archives/{channel}/p{ts.replace('.', '')}{thread}"


def with_names(parts: TeamParts, raw: str, *, at_once: bool = False) -> str:
    """A message's text as people read it; `at_once` asks Slack for no name."""

    def name(found: re.Match[str]) -> str:
        user = found[1]
        return found[0] if user == parts.bot_user_id else f"@{parts.directory.name_of(user, at_once=at_once)}"

    return plain_text(_MENTION.sub(name, raw), parts.bot_user_id)


def _said(parts: TeamParts, channel: str, messages: Iterable[Mapping[str, Any]]) -> tuple[Said, ...]:
    place = parts.memberships.profiles.place(channel)
    shared = place is None or place.shared is not False
    found = []
    for message in messages:
        user, ts = str(message.get("user") or ""), str(message.get("ts") or "")
        if not is_persons_message(message, parts.bot_user_id) or _is_foreign(parts, message, user, shared=shared):
            continue
        text, files = with_names(parts, str(message.get("text") or "")), attached_files(message)
        if text or files:
            found.append(Said(user=user, name=parts.directory.name_of(user), ts=ts, text=text, files=files))
    return tuple(found)


def _is_foreign(parts: TeamParts, message: Mapping[str, Any], user: str, *, shared: bool) -> bool:
    """Whether somebody of another organisation wrote this; in a shared channel, whoever is not known to be ours."""
    if any(message.get(key) not in (None, "", parts.team) for key in ("user_team", "source_team")):
        return True
    if not shared:
        return False
    person = parts.memberships.profiles.person(user)
    return person is None or not person.is_of(parts.team)
