"""Standing answers: approved by a person for a recurring question, and served first where it is asked again.

Vectors alone do not tell "staging" from "production", so the words have to agree as well, with their numbers and
negations. One is served only while every document that it cites is there
unchanged and may be read. Knows SQL and an embedder, not Slack.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import tables
from bot.answered import Answered
from bot.learn.tombstones import bury, curated_origin
from bot.same_question import asks_the_same, stands_alone
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, Audience
from knowledge.database import reading, writing
from knowledge.document import Passage, Question
from knowledge.embed import Embedder, Vectors

VERSION = "approved"
"""Stands in the place of a model's version: no model wrote it."""
# Of 20 pairs of questions that differ in one telling word 8 are above it, up to .98, and of 16 pairs that ask the same
# 11: it only saves the comparison of words, which lets none of the first through and 7 of the second (the pairs are in
# tests/bot/test_same_question.py).
LEAST_COSINE = 0.75


@dataclass(frozen=True, kw_only=True)
class Curated:
    """One standing answer, as admins see it."""

    id: int
    question: str = field(repr=False)
    text: str = field(repr=False)
    audience: str
    approved_by: str
    approved_name: str
    """As it is shown under the answer: a name and a day."""
    approved_at: datetime
    uses: int
    stale: bool
    """A document that it cites was changed or is gone: it is not served any more."""


@dataclass(frozen=True, kw_only=True)
class CuratedAnswers:
    """Finds and takes in standing answers; may be used from several threads."""

    engine: sa.Engine
    embedder: Embedder

    def find(self, question: Question, audience: Audience, sources: frozenset[str] | None) -> Answer | None:
        """The standing answer to such a question that this audience may read; None where there is none."""
        started = time.perf_counter()
        if not stands_alone(question):
            return None
        with reading(self.engine) as connection:
            rows = _readable(connection, self.embedder.name, audience)
        if not rows:
            return None
        row = self._match(question.text, rows)
        if row is None:
            return None
        citations = tuple(Citation(**one) for one in row.citations)
        with reading(self.engine) as connection:
            if not all(_stands(connection, citation, audience, sources) for citation in citations):
                return None
        self._count_use(row.id)
        return _answer(row, citations, started)

    def approve(self, answered: Answered, *, question: str, text: str, user: str, shown_as: str) -> None:
        """Keep an answer as the standing one; raises ValueError where no one audience may read all of it."""
        audience = audience_of(answered)
        if audience is None:
            raise ValueError(f"answer {answered.id} stands on documents of several audiences: {answered.audiences}")
        with writing(self.engine) as connection:
            connection.execute(
                sa.insert(tables.curated).values(
                    team=answered.team,
                    question=question,
                    text=text,
                    citations=_citations_of(connection, answered.id),
                    audience=audience,
                    approved_by=user,
                    approved_name=shown_as,
                    approved_at=datetime.now(UTC),
                    from_answer=answered.id,
                    embedder=self.embedder.name,
                    vector=self._vector(question).tobytes(),
                )
            )

    def _match(self, text: str, rows: Sequence[sa.Row[Any]]) -> sa.Row[Any] | None:
        asked = self._vector(text)
        held = np.stack([np.frombuffer(row.vector, np.float32) for row in rows])
        cosines = held @ asked
        # Of two that were approved for the same question the newer one holds.
        order = sorted(range(len(rows)), key=lambda index: (-float(cosines[index]), -rows[index].id))
        for index in order:
            if cosines[index] < LEAST_COSINE:
                return None
            if asks_the_same(text, rows[index].question):
                return rows[index]
        return None

    def _vector(self, text: str) -> Vectors:
        return np.asarray(self.embedder.embed([text], role="question")[0], np.float32)

    def _count_use(self, row_id: int) -> None:
        table = tables.curated
        with writing(self.engine) as connection:
            connection.execute(sa.update(table).where(table.c.id == row_id).values(uses=table.c.uses + 1))


def audience_of(answered: Answered) -> str | None:
    """The one document audience that covers all that an answer stands on; None where it takes more than one."""
    narrow = answered.audiences - {EVERYONE}
    return None if len(narrow) > 1 else next(iter(narrow), EVERYONE)


def list_curated(engine: sa.Engine) -> tuple[Curated, ...]:
    """List all standing answers, the newest first; who may see this is the caller's business."""
    table = tables.curated
    with reading(engine) as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.id.desc())).all()
        stale = {row.id: not all(_is_unchanged(connection, one) for one in row.citations) for row in rows}
    names = [name for name in Curated.__dataclass_fields__ if name != "stale"]
    return tuple(Curated(**{name: row._mapping[name] for name in names}, stale=stale[row.id]) for row in rows)


def renew_vectors(engine: sa.Engine, embedder: Embedder) -> None:
    """Embed the questions again whose vectors are of another embedder: their answers must still be found."""
    table = tables.curated
    foreign = sa.select(table.c.id, table.c.question).where(table.c.embedder != embedder.name)
    with reading(engine) as connection:
        rows = connection.execute(foreign).all()
    if not rows:
        return
    vectors = embedder.embed([row.question for row in rows], role="question")
    with writing(engine) as connection:
        for row, vector in zip(rows, vectors, strict=True):
            renewed = {"embedder": embedder.name, "vector": np.asarray(vector, np.float32).tobytes()}
            connection.execute(sa.update(table).where(table.c.id == row.id).values(renewed))


def remove_curated(engine: sa.Engine, curated_id: int) -> bool:
    """Remove a standing answer; False where it was gone already."""
    table = tables.curated
    with writing(engine) as connection:
        team = connection.execute(sa.delete(table).where(table.c.id == curated_id).returning(table.c.team)).scalar()
        if team is not None:
            bury(connection, [curated_origin(curated_id)], team, "withdrawn")
    return team is not None


def _readable(connection: sa.Connection, embedder: str, audience: Audience) -> Sequence[sa.Row[Any]]:
    table = tables.curated
    readable = table.c.audience.in_(sorted(audience.readable))
    return connection.execute(sa.select(table).where(table.c.embedder == embedder, readable)).all()


def _stands(connection: sa.Connection, citation: Citation, audience: Audience, sources: frozenset[str] | None) -> bool:
    """Tell whether what is cited is there as it was, for this audience, in these sources."""
    found = _documents(connection, citation.uri, citation.text_hash)
    return any(audience.may_read(row.audience) and (sources is None or row.source_id in sources) for row in found)


def _is_unchanged(connection: sa.Connection, citation: Mapping[str, Any]) -> bool:
    return bool(_documents(connection, str(citation["uri"]), str(citation["text_hash"])))


def _documents(connection: sa.Connection, uri: str, text_hash: str) -> Sequence[Any]:
    document, chunk = knowledge_tables.document, knowledge_tables.chunk
    query = (
        sa.select(document.c.audience, document.c.source_id)
        .join(chunk, chunk.c.document_id == document.c.id)
        .where(document.c.uri == uri, chunk.c.text_hash == text_hash)
    )
    return connection.execute(query).all()


def _citations_of(connection: sa.Connection, answer_id: int) -> list[dict[str, Any]]:
    citation = tables.citation
    names = [citation.c[name] for name in Citation.__dataclass_fields__]
    query = sa.select(*names).where(citation.c.answer_id == answer_id, citation.c.kind == "cited")
    return [asdict(Citation(**row._mapping)) for row in connection.execute(query.order_by(citation.c.n))]


def _answer(row: sa.Row[Any], citations: tuple[Citation, ...], started: float) -> Answer:
    seconds = time.perf_counter() - started
    return Answer(
        text=row.text,
        citations=citations,
        abstained=False,
        passages=tuple(_passage(citation, row.audience) for citation in citations),
        support=1.0,
        version=VERSION,
        seconds=AnswerSeconds(retrieve=seconds, first_token=seconds, total=seconds),
        tokens=AnswerTokens(prompt=0, completion=0),
        approved_by=row.approved_name,
        understood=row.question,
    )


def _passage(citation: Citation, audience: str) -> Passage:
    """What it cites, with whom it is for: so that it is not remembered before others."""
    return Passage(
        id=citation.chunk_id,
        document_id=0,
        source=citation.source,
        uri=citation.uri,
        title=citation.title,
        header=citation.header,
        text=citation.quote,
        text_hash=citation.text_hash,
        audience=audience,
        score=1.0,
        cosine=1.0,
        word_score=1.0,
    )
