"""What is not remembered: finished conversations of people who switched their memory off. Knows SQL only.

Within a day a follow-up still finds its conversation; after that the words are gone, and an answer keeps its times and
sizes. Later conversations find nothing of it from the moment of the switch: triggers remove what it was found by.
Whoever uses past questions elsewhere leaves out the people whom `people_without_memory` names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.earlier.recollect import tidy_words
from bot.jobs import Job
from bot.learn.tombstones import bury_answers
from bot.people import is_unremembered
from bot.timetable import Timetable
from knowledge.database import reading, writing

KEPT = timedelta(days=1)
INTERVAL = timedelta(hours=1)


def people_without_memory(engine: sa.Engine, team: str) -> frozenset[str]:
    """The people of one team whose earlier conversations may not be used outside their thread."""
    person = tables.person
    with reading(engine) as connection:
        query = sa.select(person.c.user).where(person.c.team == team, person.c.memory.is_(False))
        return frozenset(connection.scalars(query))


def drop_unremembered(engine: sa.Engine, now: datetime) -> int:
    """Remove the words of finished conversations that shall not be remembered; returns how many turns that were."""
    answer, turn = tables.answer, tables.turn
    with writing(engine) as connection:
        turns = connection.execute(sa.delete(turn).where(_is_over(turn, now))).rowcount
        over = sa.select(answer.c.id).where(_is_over(answer, now), answer.c.text != "")
        ids = list(connection.scalars(over))
        bury_answers(connection, answer.c.id.in_(ids), "forgotten")
        for table in (tables.citation, tables.answer_revision, tables.cached_answer):
            connection.execute(sa.delete(table).where(table.c.answer_id.in_(ids)))
        emptied: dict[str, Any] = {
            "text": "",
            "understood": "",
            "note": "",
            "passages": [],
            "audience": "",
            "error": None,
        }
        connection.execute(sa.update(answer).where(answer.c.id.in_(ids)).values(emptied))
        tidy_words(connection)
    return turns


def memory_job(engine: sa.Engine, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Job:
    """The job that does so every hour."""

    def work() -> str:
        count = drop_unremembered(engine, now())
        return f"{count} turns removed of people who are not remembered" if count else "nothing to remove"

    return Job(name="memory", times=Timetable(every=INTERVAL), work=work)


def _is_over(table: sa.Table, now: datetime) -> sa.ColumnElement[bool]:
    """Rows of people without memory, of conversations where nothing was said for a day and nothing waits."""
    turn, inbox = tables.turn, tables.inbox
    later = turn.alias("later")
    lately = sa.select(later.c.id).where(later.c.conversation == table.c.conversation, later.c.created_at > now - KEPT)
    waiting = sa.select(inbox.c.id).where(
        inbox.c.conversation == table.c.conversation, inbox.c.state.in_(("waiting", "working"))
    )
    return sa.and_(
        is_unremembered(table.c.team, table.c.user),
        table.c.created_at <= now - KEPT,
        ~lately.exists(),
        ~waiting.exists(),
    )
