"""What people did with an answer without voting on it: thanked for it, asked again, or carried it elsewhere.

Such signals are kept apart from votes and reported. They are never learned from: a thank-you may be politeness, and
who asks again may only want it shorter. Knows SQL only; every write may be repeated.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.greeting import small_talk
from bot.same_question import asks_the_same
from bot.turn import Incoming
from knowledge.database import reading

SignalKind = Literal["asked_again", "copied", "thanked"]

_AGAIN_WITHIN = timedelta(days=1)
# So many of a person's last questions are compared.
_LAST_QUESTIONS = 20


def write_signal(connection: sa.Connection, answer_id: int, user: str, kind: SignalKind) -> None:
    """Note what a person did with an answer, once each, inside the caller's transaction."""
    row = {"answer_id": answer_id, "user": user, "kind": kind, "created_at": datetime.now(UTC)}
    connection.execute(insert(tables.signal).values(row).on_conflict_do_nothing())


def note_message(connection: sa.Connection, incoming: Incoming) -> None:
    """Note what a message says about the answers before it: thanks for the last one, or the same question again."""
    if small_talk(incoming.text) == "thanks":
        if (answer_id := _last_answer(connection, incoming)) is not None:
            write_signal(connection, answer_id, incoming.user, "thanked")
        return
    if (answer_id := _asked_before(connection, incoming)) is not None:
        write_signal(connection, answer_id, incoming.user, "asked_again")


def count_signals(engine: sa.Engine) -> dict[str, int]:
    """How many of each kind there are."""
    with reading(engine) as connection:
        return dict(sorted(Counter(connection.scalars(sa.select(tables.signal.c.kind))).items()))


def _last_answer(connection: sa.Connection, incoming: Incoming) -> int | None:
    answer = tables.answer
    query = (
        sa.select(answer.c.id)
        .where(
            answer.c.conversation == incoming.conversation,
            answer.c.question_ts < incoming.ts,
            answer.c.outcome.in_(("answered", "abstained")),
            # Nothing was searched for a greeting.
            answer.c.support > 0,
        )
        .order_by(answer.c.question_ts.desc())
        .limit(1)
    )
    found: int | None = connection.scalar(query)
    return found


def _asked_before(connection: sa.Connection, incoming: Incoming) -> int | None:
    """The answer to the same question of this person, in this place, of the last day."""
    answer, turn = tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    query = (
        sa.select(answer.c.id, turn.c.text)
        .join(turn, asked & (turn.c.role == "user"))
        .where(
            answer.c.team == incoming.team,
            answer.c.channel == incoming.channel,
            answer.c.user == incoming.user,
            answer.c.question_ts != incoming.ts,
            answer.c.outcome.in_(("answered", "abstained")),
            answer.c.created_at > datetime.now(UTC) - _AGAIN_WITHIN,
        )
        .order_by(answer.c.id.desc())
        .limit(_LAST_QUESTIONS)
    )
    rows = connection.execute(query).all()
    return next((row.id for row in rows if row.text and asks_the_same(incoming.text, row.text)), None)
