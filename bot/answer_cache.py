"""Answers that were given before, found again for the same question: rows beside the answers, without own words.

Question, text and citations are read from where they are kept, so that what is removed, voted down or made again there
is not given here. Knows SQL, and `bot.reuse` for what must be the same; not how an answer is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import tables
from bot.feedback import stands
from bot.jobs import Job
from bot.people import is_unremembered
from bot.reuse import Asked, cites_what_is_found, differs_in_what_is_found, says_what_was_said_earlier
from bot.same_meaning import LEAST_SURE, NEIGHBOURS, EarlierQuestions, how_sure, stands_on_the_same
from bot.timetable import Timetable
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation, Incoming
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing

INTERVAL = timedelta(hours=1)
# Of the nearest entries so many are compared: the right one is the first or the second.
_MOST_COMPARED = 3


@dataclass(frozen=True, kw_only=True)
class CacheLimits:
    """How much is kept and how long; `bot.settings.AnswerSettings` explains each."""

    most: int = 2_000
    max_age: timedelta = timedelta(days=7)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class AnswerCache:
    """Finds answers that may be given again; may be used from several threads."""

    engine: sa.Engine
    limits: CacheLimits = field(default_factory=CacheLimits)
    now: Callable[[], datetime] = _now

    def find(self, asked: Asked) -> Answer | None:
        """Find the earlier answer to this very question, before these readers, that stands today as it stood then."""
        started = time.perf_counter()
        with reading(self.engine) as connection:
            rows = connection.execute(_entries(asked, self.limits, self.now())).all()
            for row in _nearest(asked, rows):
                citations = _citations(connection, row.answer_id)
                if _agrees(row, citations, asked):
                    break
            else:
                return None
        self._count_use(row.answer_id)
        return _answer(row, citations, asked, started)

    def _count_use(self, answer_id: int) -> None:
        table = tables.cached_answer
        values = {"uses": table.c.uses + 1, "used_at": self.now()}
        with writing(self.engine) as connection:
            connection.execute(sa.update(table).where(table.c.answer_id == answer_id).values(values))


def keep_reusable(connection: sa.Connection, answer_id: int, incoming: Incoming, answer: Answer) -> None:
    """Keep an answer to be given again, where it may be; inside the transaction that writes it, before its row is."""
    cached, row = tables.cached_answer, tables.answer
    before = connection.scalar(sa.select(row.c.reused_from).where(row.c.id == answer_id))
    # Somebody wanted another answer than the one that was given again here: so will the next who asks.
    unwanted = {answer_id} | ({before} if before is not None and before != answer.reused_from else set())
    connection.execute(sa.delete(cached).where(cached.c.answer_id.in_(unwanted)))
    reusable = answer.reusable
    if reusable is None:
        return
    is_forgetful = connection.scalar(sa.select(is_unremembered(incoming.team, incoming.user)))
    if is_forgetful or _was_voted_down(connection, answer.text):
        return
    revision = sa.select(tables.answer.c.revision).where(tables.answer.c.id == answer_id).scalar_subquery()
    connection.execute(
        sa.insert(cached).values(
            answer_id=answer_id,
            scope=reusable.scope,
            history=reusable.history,
            vector=reusable.vector,
            evidence=list(reusable.evidence),
            revision=revision,
            used_at=_now(),
            created_at=_now(),
        )
    )


def drop_stale(engine: sa.Engine, limits: CacheLimits, now: datetime) -> int:
    """Remove entries that can or may not be given any more, and the longest unused beyond the most; returns how many.

    What people and documents decided is looked at again whenever an answer is looked for: this only clears up.
    """
    cached = tables.cached_answer
    citation, chunk, document = tables.citation, knowledge_tables.chunk, knowledge_tables.document
    unchanged = (
        sa.select(chunk.c.id)
        .join(document, document.c.id == chunk.c.document_id)
        .where(chunk.c.text_hash == citation.c.text_hash, document.c.uri == citation.c.uri)
        .exists()
    )
    cited = (citation.c.answer_id == cached.c.answer_id, citation.c.kind == "cited")
    changed = sa.select(citation.c.n).where(*cited, ~unchanged).exists()
    standing = sa.select(cached.c.answer_id).select_from(_with_words()).where(*_may_be_given())
    newest = sa.select(cached.c.answer_id).order_by(cached.c.used_at.desc(), cached.c.answer_id.desc())
    with writing(engine) as connection:
        gone = connection.execute(
            sa.delete(cached).where(
                (cached.c.created_at <= now - limits.max_age) | changed | cached.c.answer_id.not_in(standing)
            )
        ).rowcount
        kept = newest.limit(limits.most)
        gone += connection.execute(sa.delete(cached).where(cached.c.answer_id.not_in(kept))).rowcount
    return gone


def cache_job(engine: sa.Engine, limits: CacheLimits, now: Callable[[], datetime] = _now) -> Job:
    """The job that clears up every hour."""

    def work() -> str:
        count = drop_stale(engine, limits, now())
        return f"{count} answers are not given again any more" if count else "nothing to remove"

    return Job(name="answer-cache", times=Timetable(every=INTERVAL), work=work)


@dataclass(frozen=True, kw_only=True)
class CacheUse:
    """How much the cache holds, and how often it was used."""

    entries: int
    given_again: int
    """Answers of the last days that were given before."""
    answers: int
    """All answers of these days."""


def cache_use(engine: sa.Engine, since: datetime) -> CacheUse:
    """Count entries, and the answers since a moment."""
    answer = tables.answer
    lately = (answer.c.created_at >= since, answer.c.outcome == "answered")
    count = sa.select(sa.func.count()).select_from(answer).where(*lately)
    with reading(engine) as connection:
        return CacheUse(
            entries=connection.scalar(sa.select(sa.func.count()).select_from(tables.cached_answer)) or 0,
            given_again=connection.scalar(count.where(answer.c.given_before.is_not(None))) or 0,
            answers=connection.scalar(count) or 0,
        )


def _with_words() -> sa.FromClause:
    cached, answer, turn = tables.cached_answer, tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    return cached.join(answer, answer.c.id == cached.c.answer_id).join(turn, asked & (turn.c.role == "user"))


def _may_be_given() -> tuple[sa.ColumnElement[bool], ...]:
    """What must be so of an entry's answer today, whatever is asked."""
    cached, answer = tables.cached_answer, tables.answer
    return (
        answer.c.state != "withdrawn",
        answer.c.outcome == "answered",
        answer.c.text != "",
        answer.c.revision == cached.c.revision,
        ~is_unremembered(answer.c.team, answer.c.user),
        cached.c.answer_id.not_in(_refused()),
    )


def _refused() -> sa.Select[Any]:
    """Answers that somebody voted down, in their own place or where they were given again."""
    answer, feedback = tables.answer, tables.feedback
    written = sa.func.coalesce(answer.c.reused_from, answer.c.id)
    return sa.select(written).join(feedback, feedback.c.answer_id == answer.c.id).where(feedback.c.vote == -1, stands())


def _entries(asked: Asked, limits: CacheLimits, now: datetime) -> sa.Select[Any]:
    cached, answer, turn = tables.cached_answer, tables.answer, tables.turn
    return (
        sa.select(
            cached,
            turn.c.text.label("question"),
            *(answer.c[name] for name in ("text", "note", "version", "support", "audience")),
            answer.c.created_at.label("written_at"),
        )
        .select_from(_with_words())
        .where(cached.c.scope == asked.same.scope, cached.c.history.in_(sorted(asked.histories)))
        .where(cached.c.created_at > now - limits.max_age, *_may_be_given())
        .order_by(cached.c.used_at.desc(), cached.c.answer_id.desc())
        .limit(limits.most)
    )


def _nearest(asked: Asked, rows: Sequence[sa.Row[Any]]) -> list[sa.Row[Any]]:
    """The nearest entries whose questions are surely the same, the surest first."""
    if not rows:
        return []
    earlier = EarlierQuestions()
    for row in rows:
        earlier.add(row.question, tuple(row.evidence))
    cosines = np.stack([np.frombuffer(row.vector, np.float32) for row in rows]) @ asked.vector
    nearest = np.argsort(-cosines, kind="stable")[:NEIGHBOURS].tolist()
    text = asked.question.text
    sure = {
        index: how_sure(text, rows[index].question, earlier.features(text, cosines, nearest, index))
        for index in nearest[:_MOST_COMPARED]
    }
    return [rows[index] for index in sorted(sure, key=lambda index: -sure[index]) if sure[index] >= LEAST_SURE]


def _agrees(row: sa.Row[Any], citations: Sequence[Citation], asked: Asked) -> bool:
    """Tell whether an answer stands today, for these readers, on what it stood on when it was written."""
    found = {passage.audience for passage in asked.passages}
    return (
        cites_what_is_found(citations, asked)
        and stands_on_the_same(row.evidence, asked.evidence)
        and asked.against <= set(row.evidence)
        and not differs_in_what_is_found(row.question, asked)
        and says_what_was_said_earlier(row.text, asked)
        # What it was written from besides its citations narrows who may read it later: that must not get lost.
        and set(filter(None, row.audience.split(","))) <= found
    )


def _citations(connection: sa.Connection, answer_id: int) -> tuple[Citation, ...]:
    table = tables.citation
    names = [table.c[name] for name in Citation.__dataclass_fields__]
    query = sa.select(*names).where(table.c.answer_id == answer_id, table.c.kind == "cited").order_by(table.c.n)
    return tuple(Citation(**row._mapping) for row in connection.execute(query))


def _answer(row: sa.Row[Any], citations: tuple[Citation, ...], asked: Asked, started: float) -> Answer:
    seconds = time.perf_counter() - started
    return Answer(
        text=row.text,
        citations=citations,
        abstained=False,
        passages=asked.passages,
        support=row.support,
        version=row.version,
        seconds=AnswerSeconds(retrieve=seconds, first_token=seconds, total=seconds),
        tokens=AnswerTokens(prompt=0, completion=0),
        note=row.note,
        given_before=row.written_at,
        reused_from=row.answer_id,
    )


def _was_voted_down(connection: sa.Connection, text: str) -> bool:
    """Tell whether these very words were refused: the same model writes them again from the same sentences."""
    answer, feedback = tables.answer, tables.feedback
    down = sa.select(answer.c.id).join(feedback, feedback.c.answer_id == answer.c.id)
    return connection.execute(down.where(feedback.c.vote == -1, stands(), answer.c.text == text)).first() is not None
