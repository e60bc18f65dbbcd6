"""What no later export may hold: origins of examples whose words were deleted, edited, forgotten or taken back.

A tombstone holds neither words nor a person, only the digest of one whose messages are not to be read again. Knows SQL
only; every write may be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables

TombstoneReason = Literal["edited", "deleted", "opted_out", "forgotten", "withdrawn"]

# Rows of four values: SQLite binds a limited number of values in one statement.
_ROWS_AT_ONCE = 125


def answer_origin(answer_id: int) -> str:
    """Name what an answer, with its question, is known by."""
    return f"answer:{answer_id}"


def feedback_origin(feedback_id: int) -> str:
    """Name what a vote, with its better answer, is known by."""
    return f"feedback:{feedback_id}"


def curated_origin(curated_id: int) -> str:
    """Name what an approved answer is known by."""
    return f"curated:{curated_id}"


def document_origin(document_id: int) -> str:
    """Name what a document is known by: its id is never given to another one."""
    return f"document:{document_id}"


def person_origin(user: str) -> str:
    """Name whose messages are left out wherever they would be read anew: a digest, from which nobody can be listed."""
    return f"person:{hashlib.sha256(user.encode()).hexdigest()[:32]}"


def bury(connection: sa.Connection, subjects: Iterable[str], team: str, reason: TombstoneReason) -> int:
    """Keep these origins out of every later export, inside the caller's transaction; returns how many are new."""
    rows = [{"subject": one, "team": team, "reason": reason, "at": datetime.now(UTC)} for one in sorted(set(subjects))]
    new = 0
    for part in _batches(rows):
        new += connection.execute(insert(tables.tombstone).values(part).on_conflict_do_nothing()).rowcount
    return new


def bury_answers(connection: sa.Connection, condition: sa.ColumnElement[bool], reason: TombstoneReason) -> int:
    """Bury the answers that meet a condition, with every vote about them; to be called while the rows are there.

    A better answer was written to a question: where its words may not be used, neither may the row.
    """
    answer, feedback = tables.answer, tables.feedback
    subjects: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(answer.c.id, answer.c.team).where(condition)):
        subjects.setdefault(row.team, set()).add(answer_origin(row.id))
    about = sa.select(feedback.c.id, answer.c.team).join(answer, answer.c.id == feedback.c.answer_id).where(condition)
    for row in connection.execute(about):
        subjects.setdefault(row.team, set()).add(feedback_origin(row.id))
    return sum(bury(connection, names, team, reason) for team, names in subjects.items())


def bury_person(
    connection: sa.Connection, user: str, reason: TombstoneReason, *, team: str | None = None, votes: bool = True
) -> int:
    """Bury all that one person asked, and what they said about answers; without `votes` only their better answers."""
    answer, feedback = tables.answer, tables.feedback
    theirs = (answer.c.user == user) & (answer.c.team == team if team is not None else sa.true())
    buried = bury_answers(connection, theirs, reason)
    said = (
        sa.select(feedback.c.id, answer.c.team)
        .join(answer, answer.c.id == feedback.c.answer_id)
        .where(feedback.c.user == user)
    )
    if team is not None:
        said = said.where(answer.c.team == team)
    if not votes:
        said = said.where(feedback.c.correction.is_not(None))
    for row in connection.execute(said).all():
        buried += bury(connection, [feedback_origin(row.id)], row.team, reason)
    return buried


def buried_subjects(connection: sa.Connection) -> frozenset[str]:
    """All origins that no export may hold."""
    return frozenset(connection.scalars(sa.select(tables.tombstone.c.subject)))


def versions_that_learned(connection: sa.Connection, subjects: Iterable[str]) -> tuple[str, ...]:
    """Name the versions of the language model that learned from any of these origins, by name."""
    wanted = set(subjects)
    version = tables.model_version
    rows = connection.execute(sa.select(version.c.name, version.c.examples).order_by(version.c.name))
    return tuple(row.name for row in rows if not wanted.isdisjoint(row.examples or ()))


def _batches(rows: Sequence[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (list(rows[start : start + _ROWS_AT_ONCE]) for start in range(0, len(rows), _ROWS_AT_ONCE))
