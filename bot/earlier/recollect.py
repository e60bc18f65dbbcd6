"""Makes turns findable: what each is found by, written as rows once its answer stands. SQL and an embedder.

Left out are people who switched their memory off, what was not answered, and what stands on an earlier conversation
itself: second hand is remembered, third hand is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot import tables
from bot.cite import without_markers
from bot.evidence import EARLIER
from bot.jobs import Job
from bot.people import is_unremembered
from bot.timetable import Timetable
from bot.words import NOT_FOUND
from knowledge.database import reading, writing
from knowledge.embed import Embedder, Vectors

REMEMBER = "remember"
"""The role of a turn that holds what a person asked to be remembered."""
INTERVAL = timedelta(minutes=2)
_BATCH = 64
# What one run of the job does at most: about a minute's work on one core.
_MOST_AT_ONCE = 2_048
# An embedder reads a few hundred tokens; what is found by words is bounded alike.
_LONGEST = 2_000


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """One turn as it is made findable."""

    text: str = field(repr=False)
    at: datetime
    speaker: str = ""
    """Empty where only an id is known."""


@dataclass(frozen=True, kw_only=True)
class TurnTexts:
    """What a turn is found by."""

    embedded: str = field(repr=False)
    searched: str = field(repr=False)


def texts_of(turn: Spoken, before: Spoken | None) -> TurnTexts:
    """Say what a turn is found by: its own words by vector; by words also its day and the turn before it.

    A reply often takes its topic from what it replies to ("Yes, on Friday."), and people ask for a month or a year.
    """
    day = f"{turn.at.day} {turn.at:%B %Y}"
    lines = [day, *([_line(before)] if before else []), _line(turn)]
    return TurnTexts(embedded=_line(turn), searched="\n".join(lines))


def recollect(engine: sa.Engine, embedder: Embedder, *, most: int = _MOST_AT_ONCE) -> int:
    """Make up to `most` turns findable that are not yet; returns how many that were."""
    done = 0
    while done < most:
        with reading(engine) as connection:
            rows = _missing(connection, embedder.name, min(_BATCH, most - done))
            texts = [texts_of(_spoken(row), _before(connection, row)) for row in rows]
        if not rows:
            break
        vectors = embedder.embed([text.embedded for text in texts])
        with writing(engine) as connection:
            write_recollections(connection, rows, texts, vectors, embedder.name)
        done += len(rows)
    return done


def write_recollections(
    connection: sa.Connection,
    rows: Sequence[sa.Row[tuple[int, str, str]]],
    texts: Sequence[TurnTexts],
    vectors: Vectors,
    embedder: str,
) -> None:
    """Write what turns are found by, those that still may be, inside the caller's transaction."""
    table, turn = tables.remembered_turn, tables.turn
    # Between the embedding and now a question may have been edited, or a person have switched their memory off.
    ids = [row.id for row in rows]
    still = sa.select(turn.c.id, turn.c.text).where(turn.c.id.in_(ids), is_remembered())
    now = {row.id: row.text for row in connection.execute(still)}
    connection.execute(sa.delete(table).where(table.c.turn_id.in_(ids)))
    values = [
        {
            "turn_id": row.id,
            "conversation": row.conversation,
            "embedder": embedder,
            "text": text.searched,
            "vector": vector.tobytes(),
        }
        for row, text, vector in zip(rows, texts, vectors, strict=True)
        if now.get(row.id) == row.text
    ]
    if values:
        connection.execute(sa.insert(table), values)


def is_remembered() -> sa.ColumnElement[bool]:
    """The condition on `turn` for whatever may be found again at all, whoever asks."""
    turn, answer, citation = tables.turn, tables.answer, tables.citation
    cited = sa.select(citation.c.n).where(citation.c.answer_id == answer.c.id, citation.c.kind == "cited")
    answered = sa.select(answer.c.id).where(
        answer.c.conversation == turn.c.conversation,
        answer.c.question_ts == turn.c.ts,
        answer.c.outcome == "answered",
        answer.c.state == "final_sent",
        # A greeting stands on nothing; what stands on an earlier conversation would make memory of memory.
        cited.exists(),
        ~cited.where(citation.c.source == EARLIER).exists(),
    )
    return sa.and_(
        turn.c.user != "", ~is_unremembered(turn.c.team, turn.c.user), (turn.c.role == REMEMBER) | answered.exists()
    )


def tidy_words(connection: sa.Connection) -> None:
    """Take the words of what was removed out of the word index's file, inside the caller's transaction.

    FTS5 only marks them as deleted until it merges the pieces that they stand in.
    """
    connection.exec_driver_sql("INSERT INTO remembered_words(remembered_words) VALUES ('optimize')")


def recollect_job(engine: sa.Engine, embedder: Embedder) -> Job:
    """The job that makes turns findable that no later question did."""

    def work() -> str:
        return f"{recollect(engine, embedder)} turns made findable"

    return Job(name="recollect", times=Timetable(every=INTERVAL), work=work)


def _missing(connection: sa.Connection, embedder: str, limit: int) -> Sequence[sa.Row[tuple[int, str, str]]]:
    turn, table = tables.turn, tables.remembered_turn
    there = sa.select(table.c.turn_id).where(table.c.turn_id == turn.c.id, table.c.embedder == embedder)
    query = sa.select(turn).where(is_remembered(), ~there.exists()).order_by(turn.c.id.desc()).limit(limit)
    return connection.execute(query).all()


def _before(connection: sa.Connection, row: sa.Row[tuple[int, str, str]]) -> Spoken | None:
    """The turn before it in its conversation, of people who are remembered."""
    turn = tables.turn
    if row.role == REMEMBER:
        return None
    earlier = turn.c.ts < row.ts
    if row.role == "assistant":
        earlier = earlier | ((turn.c.ts == row.ts) & (turn.c.role == "user"))
    query = (
        sa.select(turn)
        .where(turn.c.conversation == row.conversation, turn.c.role.in_(("user", "assistant")), earlier)
        .where(turn.c.user != "", ~is_unremembered(turn.c.team, turn.c.user), ~turn.c.text.startswith(NOT_FOUND))
        .order_by(turn.c.ts.desc(), turn.c.role)
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else _spoken(found)


def _spoken(row: sa.Row[tuple[int, str, str]]) -> Spoken:
    return Spoken(text=row.text, at=row.created_at.astimezone(UTC))


def _line(turn: Spoken) -> str:
    said = " ".join(without_markers(turn.text).split())[:_LONGEST]
    return f"{turn.speaker}: {said}" if turn.speaker else said
