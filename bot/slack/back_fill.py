"""After an outage: looks for questions that were put to the bot while it could not hear, and takes them in.

Bounded in age and number, and gentle with Slack's limits. What was taken in before is recognised by its place and time;
what was overheard, stopped or said to leave meanwhile is over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import Delivery
from bot.slack.intake import Intake
from knowledge.database import reading

logger = logging.getLogger(__name__)

LONGEST_AGO = timedelta(hours=1)
PAUSE_SECONDS = 1.3
# Slack's clock and ours differ, and an event is kept a little after it happened.
_OVERLAP = timedelta(minutes=2)
_PATIENCE_SECONDS = 70.0
_MOST_CONVERSATIONS, _MOST_MESSAGES, _MOST_THREADS = 60, 100, 20
# Where Slack allows one read a minute, the direct messages are looked through and little else.
_MOST_SECONDS = 600.0
_THREAD_LIVES = timedelta(hours=24)
_KINDS = (("is_im", "im"), ("is_mpim", "mpim"), ("is_private", "group"))


@dataclass(frozen=True, kw_only=True)
class _Place:
    id: str
    kind: str
    shared: bool


@dataclass(frozen=True, kw_only=True)
class _Window:
    oldest: str
    """Slack's timestamp of the oldest message that counts."""
    until: float
    """When to stop looking, on the monotonic clock."""


@dataclass(frozen=True, kw_only=True)
class BackFill:
    """Looks back for one team's bot; one thread at a time."""

    team: str
    engine: sa.Engine
    intake: Intake
    delivery: Delivery
    stopping: threading.Event
    pause_seconds: float = PAUSE_SECONDS
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def last_kept(self) -> datetime | None:
        """When the last event was kept; None where there never was one, and so nothing to have missed."""
        with reading(self.engine) as connection:
            newest: datetime | None = connection.scalar(
                sa.select(sa.func.max(tables.inbox.c.received_at)).where(tables.inbox.c.team == self.team)
            )
        return newest

    def run(self, since: datetime) -> int:
        """Take in what was asked since then; returns how many questions nobody knew of."""
        with self._turn:
            oldest = max(since - _OVERLAP, datetime.now(UTC) - LONGEST_AGO)
            window = _Window(oldest=f"{oldest.timestamp():.6f}", until=time.monotonic() + _MOST_SECONDS)
            found = 0
            try:
                places = self._places()
                for place in places:
                    found += self._look(place, window)
                found += self._look_into_threads({place.id: place for place in places}, window)
            except (SlackSilentError, SlackRefusedError) as error:
                logger.warning("looking for missed questions ended early: %s", error)
            if found:
                logger.info("%d question(s) were asked while nobody listened; they are answered now", found)
            return found

    def _places(self) -> list[_Place]:
        """Where the bot is, direct messages first, then where it was asked lately."""
        reply = self.delivery.repeat(
            "users.conversations",
            patience_seconds=_PATIENCE_SECONDS,
            types="im,mpim,public_channel,private_channel",
            exclude_archived=True,
            limit=999,
        )
        with reading(self.engine) as connection:
            asked = connection.execute(
                sa.select(tables.inbox.c.channel, sa.func.max(tables.inbox.c.id).label("newest"))
                .where(tables.inbox.c.kind == "question", tables.inbox.c.team == self.team)
                .group_by(tables.inbox.c.channel)
            ).all()
        lately = {row.channel: row.newest for row in asked}
        places = [_place(channel) for channel in reply.get("channels") or []]
        places.sort(key=lambda place: (place.kind != "im", -lately.get(place.id, 0)))
        return places[:_MOST_CONVERSATIONS]

    def _look(self, place: _Place, window: _Window) -> int:
        messages = self._read(window, "conversations.history", channel=place.id, oldest=window.oldest)
        found = 0
        for message in reversed(messages):
            found += self._take(place, message)
            if str(message.get("latest_reply") or "") > window.oldest:
                found += self._look_into(place, str(message["ts"]), window)
        return found

    def _look_into_threads(self, places: Mapping[str, _Place], window: _Window) -> int:
        """Threads in which the bot was asked, and that began before: their parents are not in the history read."""
        turn = tables.turn
        query = (
            sa.select(turn.c.channel, turn.c.thread_ts)
            .where(
                turn.c.team == self.team,
                turn.c.created_at > datetime.now(UTC) - _THREAD_LIVES,
                turn.c.thread_ts < window.oldest,
            )
            .group_by(turn.c.channel, turn.c.thread_ts)
            .order_by(sa.func.max(turn.c.id).desc())
            .limit(_MOST_THREADS)
        )
        with reading(self.engine) as connection:
            threads = connection.execute(query).all()
        known = [(places[row.channel], row.thread_ts) for row in threads if row.channel in places]
        return sum(self._look_into(place, thread_ts, window) for place, thread_ts in known)

    def _look_into(self, place: _Place, thread_ts: str, window: _Window) -> int:
        messages = self._read(window, "conversations.replies", channel=place.id, ts=thread_ts, oldest=window.oldest)
        return sum(self._take(place, message) for message in messages)

    def _read(self, window: _Window, method: str, **arguments: Any) -> list[Mapping[str, Any]]:
        if self.stopping.wait(self.pause_seconds) or time.monotonic() > window.until:
            raise SlackSilentError(f"{method} was not called: the bot is stopping, or looked for long enough.")
        try:
            reply = self.delivery.repeat(method, patience_seconds=_PATIENCE_SECONDS, limit=_MOST_MESSAGES, **arguments)
        except SlackRefusedError as error:
            logger.info("%s is not looked through: %s", arguments["channel"], error)
            return []
        return list(_messages(reply.get("messages")))

    def _take(self, place: _Place, message: Mapping[str, Any]) -> bool:
        event = dict(message) | {"type": "message", "channel": place.id, "channel_type": place.kind}
        body = {
            "event_id": f"missed:{place.id}:{message.get('ts')}",
            "team_id": self.team,
            "is_ext_shared_channel": place.shared,
            "event": event,
        }
        return self.intake.catch_up(body)


def _messages(listed: object) -> Iterable[Mapping[str, Any]]:
    return (message for message in (listed if isinstance(listed, list) else ()) if isinstance(message, Mapping))


def _place(channel: Mapping[str, Any]) -> _Place:
    kind = next((kind for flag, kind in _KINDS if channel.get(flag)), "channel")
    return _Place(id=str(channel["id"]), kind=kind, shared=bool(channel.get("is_ext_shared")))
