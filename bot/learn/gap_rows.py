"""What was asked in a time: every question, whether it was answered, whether badly, and who may hear of its words.

Reads rows; knows SQL, not Slack. The words of people who are not remembered are never read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.learn.failures import Failure, read_failures
from bot.people import is_unremembered
from knowledge.database import reading

MOST_ASKED = 2_000
"""The newest say enough: grouping compares all pairs."""


@dataclass(frozen=True, kw_only=True)
class AskedQuestion:
    """One question that somebody put to the bot."""

    answer_id: int
    team: str
    channel: str
    user: str
    visibility: str
    at: datetime
    text: str = field(repr=False)
    unanswered: bool
    """Nothing was found that answers it, or people say of the answer that there is none."""
    bad: bool
    """Its answer was voted down, and not by fewer people than liked it."""
    failure: Failure | None = field(default=None, repr=False)
    """What else is known of it where it failed."""

    @property
    def failed(self) -> bool:
        """Whether it was not answered, or badly."""
        return self.unanswered or self.bad

    @property
    def in_the_open(self) -> bool:
        """Whether it was asked in a channel, before all who read there; who reads there is not known here."""
        return self.visibility == "thread" and self.channel.startswith("C")


MayQuote = Callable[[AskedQuestion], bool]
"""Whether those who get the report may read a question's words."""


@dataclass(frozen=True, kw_only=True)
class AskedQuestions:
    """What was asked in a time, the newest first."""

    asked: tuple[AskedQuestion, ...]
    left_out: tuple[datetime, ...]
    """When questions were asked whose words are not kept, or not to be read."""


def read_asked(
    engine: sa.Engine, since: datetime, until: datetime, *, team: str | None = None, limit: int = MOST_ASKED
) -> AskedQuestions:
    """Read what was asked after `since` and up to `until`, the newest `limit` questions."""
    answer, turn = tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    wanted = [answer.c.created_at > since, answer.c.created_at <= until]
    wanted += [answer.c.outcome.in_(("answered", "abstained", "asked_back")), answer.c.state != "withdrawn"]
    # What nobody asked the bot is not missed where it stayed silent.
    wanted += [answer.c.visibility != "if_sure"]
    wanted += [answer.c.team == team] if team is not None else []
    hidden = is_unremembered(answer.c.team, answer.c.user)
    columns = [answer.c[name] for name in ("team", "channel", "user", "visibility")]
    query = (
        sa.select(answer.c.id, answer.c.created_at, *columns, turn.c.text, hidden.label("hidden"))
        .select_from(answer.outerjoin(turn, asked & (turn.c.role == "user")))
        .where(*wanted)
        .order_by(answer.c.id.desc())
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    readable = [row for row in rows if _is_readable(row)]
    found = read_failures(engine, since, team=team, limit=limit)
    failures = {failure.answer_id: failure for failure in found.failed}
    return AskedQuestions(
        asked=tuple(_question(row, failures.get(row.id)) for row in readable[:limit]),
        left_out=tuple(row.created_at for row in rows if not _is_readable(row)),
    )


def find_asked(engine: sa.Engine, answer_id: int) -> tuple[AskedQuestion, str] | None:
    """One question with its message's ts; None where its words are gone, or not to be read any more."""
    answer, turn = tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    columns = [answer.c[name] for name in ("team", "channel", "user", "visibility")]
    query = (
        sa.select(answer.c.id, answer.c.created_at, answer.c.question_ts, *columns, turn.c.text)
        .select_from(answer.join(turn, asked & (turn.c.role == "user")))
        .where(answer.c.id == answer_id, answer.c.state != "withdrawn", answer.c.user != "")
        .where(~is_unremembered(answer.c.team, answer.c.user))
    )
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None or not row.text.strip() else (_question(row, None), str(row.question_ts))


def teams_asked(engine: sa.Engine, since: datetime) -> tuple[str, ...]:
    """The teams whose people asked something since then; not the operator, who tries out in the terminal."""
    answer = tables.answer.c
    query = sa.select(answer.team).where(answer.created_at > since, answer.team != "terminal").distinct()
    with reading(engine) as connection:
        return tuple(sorted(connection.scalars(query)))


def _is_readable(row: Any) -> bool:
    return bool(row.text and row.text.strip() and row.user and not row.hidden)


def _question(row: Any, failure: Failure | None) -> AskedQuestion:
    signs, reasons = (failure.signs, failure.reasons) if failure is not None else ((), ())
    # Who wrote the better answer says that there is one.
    doubted = "downvoted" in signs and "corrected" not in signs and "unknown" in reasons
    return AskedQuestion(
        answer_id=row.id,
        team=row.team,
        channel=row.channel,
        user=row.user,
        visibility=row.visibility,
        at=row.created_at,
        text=row.text,
        unanswered="abstained" in signs or doubted,
        bad="downvoted" in signs,
        failure=failure,
    )
