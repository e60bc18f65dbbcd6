"""How much one person may ask in a minute and in a day: counted from the inbox's rows, so no restart resets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot import tables
from bot.turn import Incoming
from knowledge.database import reading

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# What makes the model work.
_KINDS = ("question", "revision")


@dataclass(frozen=True, kw_only=True)
class UseLimits:
    """The most that one person may ask; 0 for no limit."""

    per_minute: int = 0
    per_day: int = 0


@dataclass(frozen=True, kw_only=True)
class Exceeded:
    """A limit that a question goes over."""

    limit: int
    window: timedelta
    again_at: datetime
    """When the same question would be taken."""


def check_use(engine: sa.Engine, incoming: Incoming, limits: UseLimits) -> Exceeded | None:
    """Tell whether a question goes over a limit, counting what this person asked before it.

    What was refused, and what was only overheard, does not count: whoever waits as told is answered.
    """
    windows = [(limits.per_minute, MINUTE), (limits.per_day, DAY)]
    most = max(limits.per_minute, limits.per_day)
    if most < 1:
        return None
    with reading(engine) as connection:
        asked_at, row_id = _own_row(connection, incoming)
        before = list(connection.scalars(_earlier(incoming, row_id, asked_at - DAY).limit(most)))
    exceeded = [
        Exceeded(limit=limit, window=window, again_at=before[limit - 1] + window)
        for limit, window in windows
        if 0 < limit <= len(before) and before[limit - 1] + window > asked_at
    ]
    return max(exceeded, key=lambda one: one.again_at, default=None)


def _own_row(connection: sa.Connection, incoming: Incoming) -> tuple[datetime, int | None]:
    inbox = tables.inbox
    query = (
        sa.select(inbox.c.received_at, inbox.c.id)
        .where(inbox.c.team == incoming.team, inbox.c.channel == incoming.channel, inbox.c.ts == incoming.ts)
        .where(inbox.c.kind.in_(_KINDS))
        .order_by(inbox.c.id.desc())
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return (datetime.now(UTC), None) if row is None else (row.received_at, row.id)


def _earlier(incoming: Incoming, row_id: int | None, since: datetime) -> sa.Select[datetime]:
    """When this person asked before, newest first."""
    inbox, answer = tables.inbox, tables.answer
    uncounted = sa.select(answer.c.id).where(
        answer.c.conversation == inbox.c.conversation,
        answer.c.question_ts == inbox.c.ts,
        (answer.c.outcome == "refused") | (answer.c.visibility == "if_sure"),
    )
    begun = (inbox.c.state != "dropped") | (inbox.c.attempts > 0)
    query = (
        sa.select(inbox.c.received_at)
        .where(inbox.c.user == incoming.user, inbox.c.team == incoming.team, inbox.c.kind.in_(_KINDS))
        .where(inbox.c.received_at > since, begun, ~uncounted.exists())
        .order_by(inbox.c.received_at.desc(), inbox.c.id.desc())
    )
    return query if row_id is None else query.where(inbox.c.id < row_id)
