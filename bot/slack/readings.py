"""Tells whoever asked for a source how its reading goes: one direct message, which becomes the outcome.

How far it is, is read from the rows: another process may do the reading. The message is posted once, with a mark; the
row in the inbox stays until it says the outcome, so that a crash or an outage of Slack only delays it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from slack_bolt import App

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import LaterError, Lease
from bot.jobs import run_soon
from bot.reading_wishes import (
    Request,
    Wish,
    end_wishes,
    keep_wishes,
    load_request,
    mark_told,
    note_place,
    note_reminder,
)
from bot.slack.deliver import Mark
from bot.slack.features import TeamParts, Works
from bot.slack.gate import reach_of
from bot.slack.posting import find_marked, open_direct_message, post_once
from bot.slack.render import RenderedMessage, fallback
from bot.slack.view_parts import harmless, paragraph, text

logger = logging.getLogger(__name__)

# What takes less is told when it is done.
_SHOWN_AFTER = timedelta(seconds=3)
_PACE_SECONDS, _SOON_SECONDS = 3.0, 1.0
# Most readings are over by then.
_SOON_ENDS = timedelta(seconds=20)
_LONGEST_PAUSE_SECONDS = 60.0
# Of a source that nobody is heard to read the schedule is reminded: its process may have died, or just ended.
_SILENT = timedelta(minutes=1)
_WAITED = timedelta(days=1)
_MOST_LINES, _LONGEST_NAME = 20, 100


def ask_reading(parts: TeamParts, user: str, source_ids: Sequence[str], request: str = "") -> bool:
    """Keep that a person wants sources read and told; False where they asked before. To be called before it begins."""
    return keep_wishes(
        parts.engine,
        parts.inbox,
        request=request or uuid.uuid4().hex,
        team=parts.team,
        user=user,
        source_ids=source_ids,
        now=datetime.now(UTC),
    )


@dataclass(frozen=True, kw_only=True)
class Readings:
    """Works off the wishes in the inbox."""

    parts: TeamParts
    renew: Callable[[str], None]
    """Brings the home page of a person up to date."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    said: dict[str, str] = field(default_factory=dict)
    """What each message says, so that only what changes is edited; one thread tells."""

    def listen(self, app: App) -> None:
        """Nothing of it can be pressed."""

    def works(self) -> Works:
        """Who asks puts them there."""
        return {"reading": self.tell}

    def tell(self, lease: Lease) -> None:
        """Say how far it is, and in the end what came of it; raises LaterError until then."""
        asked = load_request(self.parts.engine, str(lease.payload["request"]))
        if asked is None or asked.told or not asked.user:
            return
        under_way = [wish for wish in asked.wishes if wish.outcome is None and wish.name]
        if under_way:
            self._tell_progress(asked, under_way)
            is_new = not asked.message_ts and self.now() - lease.received_at < _SOON_ENDS
            raise LaterError(_SOON_SECONDS if is_new else _PACE_SECONDS)
        try:
            self._put(asked, self._message(asked))
        except SlackSilentError as error:
            logger.info("the outcome of %s waits for Slack: %s", asked.name, error)
            age = self.now() - lease.received_at
            if age < 2 * _WAITED:
                raise LaterError(min(_LONGEST_PAUSE_SECONDS, max(1.0, age.total_seconds() / 2))) from error
        except SlackRefusedError as error:
            logger.warning("%s cannot be told what came of a reading: %s", asked.user, error)
        mark_told(self.parts.engine, asked.name, self.now())
        self.said.pop(asked.name, None)
        self._renew(asked.user)

    def _tell_progress(self, asked: Request, under_way: Sequence[Wish]) -> None:
        now = self.now()
        for wish in under_way:
            if now - wish.asked_at > _WAITED:
                end_wishes(self.parts.engine, [wish.source_id], "late")
            elif now - wish.noted_at > _SILENT:
                run_soon(self.parts.engine, f"sync:{wish.source_id}")
                note_reminder(self.parts.engine, wish.source_id, now)
        began = [wish.began_at for wish in asked.wishes if wish.began_at is not None]
        if not began or now - min(began) < _SHOWN_AFTER:
            return
        message = self._message(asked)
        if self.said.get(asked.name) == message.text:
            return
        try:
            self._put(asked, message, surely=False)
            self.said[asked.name] = message.text
        except (SlackSilentError, SlackRefusedError) as error:
            logger.info("how far %s is was not shown: %s", asked.name, error)

    def _put(self, asked: Request, message: RenderedMessage, *, surely: bool = True) -> None:
        """Put these words into the one message, which is posted where there is none yet."""
        delivery, mark = self.parts.delivery, Mark(nonce=f"reading-{asked.name}", part=0)
        channel, ts = asked.channel, asked.message_ts
        if not ts:
            channel = channel or open_direct_message(delivery, asked.user)
            # An earlier try may have posted it without hearing of it.
            found = find_marked(delivery, channel, "", mark)
            ts = found or post_once(delivery, channel, "", message, mark=mark)
            note_place(self.parts.engine, asked.name, channel, ts)
            if found is None:
                return
        if surely:
            delivery.update(channel, ts, message, mark=mark)
        else:
            delivery.try_update(channel, ts, message)

    def _message(self, asked: Request) -> RenderedMessage:
        """Names of sources that this person may not read now are not in it."""
        audience = reach_of(self.parts.memberships, self.parts.team, asked.user)
        known = [wish for wish in asked.wishes if not wish.name or audience.may_read(wish.audience)]
        said = [_line(wish) for wish in known if wish.outcome is not None or wish.began_at is not None or not wish.name]
        waiting = len(known) - len(said)
        said, rest = said[:_MOST_LINES], len(said[_MOST_LINES:])
        said += [words.readings_more(rest)] if rest else []
        said += [words.readings_waiting(waiting)] if waiting else []
        hidden = len(asked.wishes) - len(known)
        said += [words.readings_hidden(hidden, ended=all(_is_ended(wish) for wish in asked.wishes))] if hidden else []
        return RenderedMessage(text=fallback("\n".join(said)), blocks=[paragraph(text("\n".join(said)))])

    def _renew(self, user: str) -> None:
        try:
            self.renew(user)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the home page of %s does not show what was read: %s", user, error)


def _is_ended(wish: Wish) -> bool:
    return wish.outcome is not None or not wish.name


def _line(wish: Wish) -> str:
    if not wish.name:
        return words.READING_GONE
    name, outcome = harmless(wish.name, _LONGEST_NAME) or words.UNTITLED, wish.outcome
    if outcome is None:
        return words.reading_progress(name, wish.done, wish.total)
    if outcome.problem:
        return words.reading_failed(name, outcome.problem)
    counts = {
        "added": outcome.added,
        "changed": outcome.changed,
        "deleted": outcome.deleted,
        "held until they are let in": outcome.held,
    }
    return words.reading_done(name, counts, outcome.failed, outcome.seconds, stopped=outcome.stopped)
