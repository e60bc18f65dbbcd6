"""Whose feedback an example comes from, for `bot.learn.poison_signs`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.learn.poison_signs import Author
from knowledge.database import reading
from models.example import Example

_MOST_IDS = 500


def authors_of(engine: sa.Engine, examples: Iterable[Example]) -> dict[str, tuple[Author, ...]]:
    """Find the people behind the origins `feedback:7` and `answer:12` (all who voted on it); others have none here."""
    origins = {example.origin for example in examples}
    by_feedback = {int(origin.removeprefix("feedback:")) for origin in origins if origin.startswith("feedback:")}
    by_answer = {int(origin.removeprefix("answer:")) for origin in origins if origin.startswith("answer:")}
    feedback = tables.feedback.c
    found: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    with reading(engine) as connection:
        for row in _in_parts(connection, feedback.id, by_feedback):
            found[f"feedback:{row.id}"].append((row.user, row.created_at))
        for row in _in_parts(connection, feedback.answer_id, by_answer):
            found[f"answer:{row.answer_id}"].append((row.user, row.created_at))
        people = {person for votes in found.values() for person, _ in votes}
        first_seen = {person: _first_seen(connection, person) for person in people}
    return {
        origin: tuple(Author(person=person, first_seen=first_seen[person] or at, at=at) for person, at in votes)
        for origin, votes in found.items()
    }


def _in_parts(connection: sa.Connection, column: sa.ColumnElement[int], ids: set[int]) -> Iterable[sa.Row[Any]]:
    feedback, ordered = tables.feedback, sorted(ids)
    for start in range(0, len(ordered), _MOST_IDS):
        some = column.in_(ordered[start : start + _MOST_IDS])
        yield from connection.execute(sa.select(feedback).where(some, feedback.c.removed_at.is_(None)))


def _first_seen(connection: sa.Connection, person: str) -> datetime | None:
    """The first that the bot heard of a person: a question, or a vote."""
    turn, feedback = tables.turn.c, tables.feedback.c
    first = (
        connection.scalar(sa.select(sa.func.min(turn.created_at)).where(turn.user == person, turn.role == "user")),
        connection.scalar(sa.select(sa.func.min(feedback.created_at)).where(feedback.user == person)),
    )
    return min((one for one in first if one is not None), default=None)
