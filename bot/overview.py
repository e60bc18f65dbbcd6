"""How the bot is doing, for its admins: the waiting line, votes over time, questions without an answer.

Knows SQL, not Slack. Who may read a question is the caller's business: it gets the place and the visibility of each.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Literal

import sqlalchemy as sa

from bot import tables
from bot.feedback import stands
from knowledge.database import reading

WEEKS = 8
_MEDIAN_OF = 500
_LATELY = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """The waiting line as it is now, and how long answers took in the last week."""

    waiting: int
    working: int
    oldest: datetime | None
    """When the question arrived that waits longest."""
    median_seconds: float | None
    """None where nothing was answered lately."""


@dataclass(frozen=True, kw_only=True)
class WeekVotes:
    """The votes that count of one week."""

    monday: date
    good: int
    bad: int


@dataclass(frozen=True, kw_only=True)
class VersionWeek:
    """The votes of one week on the answers of one version."""

    monday: date
    version: str
    good: int
    bad: int


@dataclass(frozen=True, kw_only=True)
class Unanswered:
    """A question whose answer was none, or not good enough."""

    answer_id: int
    channel: str
    user: str
    question: str = field(repr=False)
    why: Literal["abstained", "bad"]
    asked_at: datetime


def queue_state(engine: sa.Engine, team: str, now: datetime) -> QueueState:
    """Look at the waiting line of one team."""
    inbox, answer = tables.inbox, tables.answer
    mine = (inbox.c.team == team, inbox.c.kind.in_(("question", "revision")))
    waiting = sa.select(sa.func.count(), sa.func.min(inbox.c.received_at)).where(*mine, inbox.c.state == "waiting")
    working = sa.select(sa.func.count()).where(*mine, inbox.c.state == "working")
    took = (
        sa.select(answer.c.total_seconds)
        .where(answer.c.team == team, answer.c.created_at > now - _LATELY)
        .where(answer.c.outcome.in_(("answered", "abstained")), answer.c.total_seconds > 0)
        .order_by(answer.c.id.desc())
        .limit(_MEDIAN_OF)
    )
    with reading(engine) as connection:
        count, oldest = connection.execute(waiting).one()
        seconds = list(connection.scalars(took))
        return QueueState(
            waiting=count,
            working=connection.scalar(working) or 0,
            oldest=oldest,
            median_seconds=median(seconds) if seconds else None,
        )


def votes_by_week(engine: sa.Engine, team: str, today: date) -> tuple[WeekVotes, ...]:
    """Count the live votes of the last weeks, the oldest first; a week without votes counts as well."""
    feedback, answer = tables.feedback, tables.answer
    this_monday = today - timedelta(days=today.weekday())
    mondays = [this_monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    since = datetime.combine(mondays[0], datetime.min.time(), UTC)
    query = (
        sa.select(feedback.c.created_at, feedback.c.vote)
        .join(answer, answer.c.id == feedback.c.answer_id)
        .where(answer.c.team == team, stands(), feedback.c.created_at >= since)
    )
    counts = {monday: [0, 0] for monday in mondays}
    with reading(engine) as connection:
        for row in connection.execute(query):
            day = row.created_at.date()
            week = counts.get(day - timedelta(days=day.weekday()))
            if week is not None:
                week[row.vote < 0] += 1
    return tuple(WeekVotes(monday=monday, good=good, bad=bad) for monday, (good, bad) in counts.items())


def votes_by_version(engine: sa.Engine, today: date, *, weeks: int = WEEKS) -> tuple[VersionWeek, ...]:
    """Count the votes of the last weeks by the version that answered; the oldest first, weeks without votes left out.

    Answers that no model wrote (approved ones) are there under the name that stands in a version's place.
    """
    feedback, answer = tables.feedback, tables.answer
    first = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    since = datetime.combine(first, datetime.min.time(), UTC)
    query = (
        sa.select(feedback.c.created_at, feedback.c.vote, answer.c.version)
        .join(answer, answer.c.id == feedback.c.answer_id)
        .where(stands(), feedback.c.created_at >= since)
    )
    counts: dict[tuple[date, str], list[int]] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            day = row.created_at.date()
            week = counts.setdefault((day - timedelta(days=day.weekday()), row.version), [0, 0])
            week[row.vote < 0] += 1
    return tuple(
        VersionWeek(monday=monday, version=version, good=good, bad=bad)
        for (monday, version), (good, bad) in sorted(counts.items())
    )


def unanswered(engine: sa.Engine, team: str, *, without: Collection[str], limit: int) -> tuple[Unanswered, ...]:
    """The newest questions that were not answered, or answered badly.

    Left out: what only its asker saw, what nobody asked the bot, and the people `without` (their words are not used
    outside their thread).
    """
    answer, turn, feedback = tables.answer, tables.turn, tables.feedback
    bad = sa.select(feedback.c.id).where(
        feedback.c.answer_id == answer.c.id, feedback.c.vote < 0, feedback.c.removed_at.is_(None)
    )
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    query = (
        sa.select(answer.c.id, answer.c.channel, answer.c.user, turn.c.text, answer.c.abstained, answer.c.created_at)
        .join(turn, asked & (turn.c.role == "user"))
        .where(answer.c.team == team, answer.c.visibility == "thread", answer.c.state == "final_sent")
        .where(
            (answer.c.abstained & (answer.c.outcome != "asked_back")) | bad.exists(),
            answer.c.user.not_in(sorted(without)),
        )
        .order_by(answer.c.id.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return tuple(
        Unanswered(
            answer_id=row.id,
            channel=row.channel,
            user=row.user,
            question=row.text,
            why="abstained" if row.abstained else "bad",
            asked_at=row.created_at,
        )
        for row in rows
    )
