"""Everything that is kept of one person: handed out, or forgotten.

Forgetting removes the words and who said them; what stays of an answer are its times and sizes. Knows SQL only: a
message in Slack is the person's own to delete.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import tables
from knowledge.database import reading, writing


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """The receipt: how much of each kind was removed."""

    turns: int
    """What the person asked, and what was answered to them."""
    answers: int
    votes: int
    corrections: int
    questions_waiting: int


def forget(engine: sa.Engine, user: str) -> Forgotten:
    """Remove what one person asked, was answered and voted; a question under way is withdrawn."""
    if not user:
        raise ValueError("forget needs a user id, got an empty one")
    answer, citation, feedback, inbox, turn = (
        tables.answer,
        tables.citation,
        tables.feedback,
        tables.inbox,
        tables.turn,
    )
    theirs = sa.select(answer.c.id).where(answer.c.user == user)
    with writing(engine) as connection:
        corrections = connection.scalar(
            sa.select(sa.func.count()).where(feedback.c.user == user, feedback.c.correction.is_not(None))
        )
        votes = connection.execute(sa.delete(feedback).where(feedback.c.user == user)).rowcount
        turns = connection.execute(sa.delete(turn).where(turn.c.user == user)).rowcount
        connection.execute(sa.delete(citation).where(citation.c.answer_id.in_(theirs)))
        answers = connection.execute(
            sa.update(answer)
            .where(answer.c.user == user)
            .values(user="", text="", passages=[], audience="", error=None)
        ).rowcount
        waiting = connection.execute(
            sa.update(inbox)
            .where(inbox.c.user == user, inbox.c.state == "waiting", inbox.c.attempts == 0)
            .values(state="dropped")
        ).rowcount
        # Whoever works on a row still needs its payload to remove what is visible; it is emptied at the end.
        connection.execute(
            sa.update(inbox).where(inbox.c.user == user, _is_open(inbox)).values(withdrawn=True, not_before=None)
        )
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.user == user, ~_is_open(inbox))
            .values(user="", conversation="", payload={}, error=None)
        )
    # Overwritten pages leave the log only with a checkpoint.
    with engine.connect() as plain:
        plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Forgotten(turns=turns, answers=answers, votes=votes, corrections=corrections or 0, questions_waiting=waiting)


def export(engine: sa.Engine, user: str) -> dict[str, Any]:
    """Read all rows of one person, ready for JSON."""
    answer, citation = tables.answer, tables.citation
    with reading(engine) as connection:
        answers = _rows(connection, answer, answer.c.user == user)
        theirs = sa.select(answer.c.id).where(answer.c.user == user)
        return {
            "user": user,
            "turns": _rows(connection, tables.turn, tables.turn.c.user == user),
            "answers": answers,
            "citations": _rows(connection, citation, citation.c.answer_id.in_(theirs)),
            "feedback": _rows(connection, tables.feedback, tables.feedback.c.user == user),
            "inbox": _rows(connection, tables.inbox, tables.inbox.c.user == user),
        }


def _is_open(inbox: sa.Table) -> sa.ColumnElement[bool]:
    return inbox.c.state.in_(("waiting", "working"))


def _rows(connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    key = next(iter(table.primary_key.columns))
    rows = connection.execute(sa.select(table).where(condition).order_by(key)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
