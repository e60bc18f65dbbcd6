"""Why an answer says what it says: the question as understood, each passage with its scores, the estimate, the times.

What a reader may not read now is counted and not named, whoever could read it when the answer was made. Knows SQL only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from knowledge import tables as knowledge_tables
from knowledge.audience import Audience
from knowledge.database import reading

Reason = Literal["meaning", "words", "both"]
"""What spoke for a passage: its vector, the question's words in it, or both."""

# Unrelated texts have cosines of up to about this with the embedded model.
_MEANING_FROM = 0.3
_WORDS_FROM = 0.05


@dataclass(frozen=True, kw_only=True)
class WhyPassage:
    """One passage that was looked at."""

    title: str
    header: str
    uri: str
    score: float
    cosine: float
    word_score: float
    prior: float
    """What the document's age and its source added to the score."""
    trust: str
    """Of its source."""
    reason: Reason
    cited_as: int | None
    """Its number in the answer; None where the answer does not stand on it."""
    modified_at: datetime | None
    synced_at: datetime | None
    changed: bool
    """The document has other words there now."""
    gone: bool
    """The document is not there any more; what is told of it is what the answer cited."""
    audience: str = ""
    """Who can see the document now; empty where it is gone."""
    people: int = 0
    """How many its source lists for it, where it lists them."""


@dataclass(frozen=True, kw_only=True)
class Why:
    """Everything that is told about one answer."""

    answer_id: int
    question: str = field(repr=False)
    understood: str = field(repr=False)
    outcome: str
    support: float
    version: str
    approved_by: str
    given_before: datetime | None
    """When the text was written, where that was for an earlier question."""
    retrieve_seconds: float
    first_token_seconds: float
    total_seconds: float
    prompt_tokens: int
    completion_tokens: int
    revisions: int
    created_at: datetime
    last_sync: datetime | None
    """When a source of these passages was last read to the end."""
    passages: tuple[WhyPassage, ...]
    hidden: int
    """Passages that the reader may not read now, or that cannot be told any more."""


def load_why(engine: sa.Engine, answer_id: int, audience: Audience) -> Why | None:
    """Read what is known about one answer, as far as this audience may see it; None where the answer is gone."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.answer).where(tables.answer.c.id == answer_id)).one_or_none()
        if row is None or row.state == "withdrawn":
            return None
        question = connection.scalar(_asked(row.conversation, row.question_ts))
        citations = sa.select(tables.citation).where(tables.citation.c.answer_id == answer_id)
        found = _find(connection, row.passages, connection.execute(citations).all())
        shown = [one for passage in row.passages if (one := _passage(passage, found, audience)) is not None]
        readable = {document.source_id for document in found.documents if audience.may_read(document.audience)}
        last_sync = _last_sync(connection, readable)
    return Why(
        answer_id=answer_id,
        question=str(question or ""),
        understood=row.understood,
        outcome=str(row.outcome or ""),
        support=row.support,
        version=row.version,
        approved_by=row.approved_by,
        given_before=row.given_before,
        retrieve_seconds=row.retrieve_seconds,
        first_token_seconds=row.first_token_seconds,
        total_seconds=row.total_seconds,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        revisions=row.revision,
        created_at=row.created_at,
        last_sync=last_sync,
        passages=tuple(shown),
        hidden=len(row.passages) - len(shown),
    )


def may_all_be_read(engine: sa.Engine, answer_id: int, audience: Audience) -> bool:
    """Tell whether all documents that an answer looked at may be read by this audience now."""
    with reading(engine) as connection:
        passages = connection.scalar(sa.select(tables.answer.c.passages).where(tables.answer.c.id == answer_id)) or ()
        found = _find(connection, passages, ())
    return all(audience.may_read(one.audience) for passage in passages for one in found.documents_of(passage))


def reason_of(cosine: float, word_score: float) -> Reason:
    """Say what spoke for a passage."""
    by_meaning, by_words = cosine >= _MEANING_FROM, word_score >= _WORDS_FROM
    return "both" if by_meaning and by_words else "words" if by_words else "meaning"


def _asked(conversation: str, ts: str) -> sa.Select[str]:
    turn = tables.turn
    return sa.select(turn.c.text).where(turn.c.conversation == conversation, turn.c.ts == ts, turn.c.role == "user")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What is known now of an answer's passages."""

    citations: Sequence[sa.Row[Any]]
    documents: Sequence[sa.Row[Any]]
    chunks: Mapping[int, Any]
    people: Mapping[str, int]
    """How many each group audience of these documents stands for."""

    def documents_of(self, passage: Mapping[str, Any]) -> list[sa.Row[Any]]:
        """The document that the passage is in; where it was cut anew, all that might be it."""
        chunk = self.chunks.get(int(passage["chunk_id"]))
        if chunk is not None:
            return [one for one in self.documents if one.id == chunk.document_id]
        return [one for one in self.documents if one.uri == passage["uri"]]


def _find(connection: sa.Connection, passages: Sequence[Mapping[str, Any]], citations: Sequence[sa.Row[Any]]) -> _Found:
    chunks = _chunks(connection, {int(passage["chunk_id"]) for passage in passages})
    document = knowledge_tables.document
    # A document that got another name is still who may read it now, and no document that is gone.
    named = document.c.uri.in_({str(passage["uri"]) for passage in passages})
    holding = document.c.id.in_({chunk.document_id for chunk in chunks.values()})
    documents = connection.execute(sa.select(document).where(named | holding).order_by(document.c.id)).all()
    people = _count_people(connection, {one.audience for one in documents})
    return _Found(citations=citations, documents=documents, chunks=chunks, people=people)


def _count_people(connection: sa.Connection, audiences: set[str]) -> dict[str, int]:
    reader = knowledge_tables.reader
    counts = sa.select(reader.c.audience, sa.func.count(sa.distinct(reader.c.member)).label("people"))
    rows = connection.execute(counts.where(reader.c.audience.in_(audiences)).group_by(reader.c.audience))
    return {row.audience: row.people for row in rows}


def _chunks(connection: sa.Connection, ids: set[int]) -> dict[int, Any]:
    chunk = knowledge_tables.chunk
    query = sa.select(chunk.c.id, chunk.c.document_id, chunk.c.header).where(chunk.c.id.in_(ids))
    return {row.id: row for row in connection.execute(query)}


def _passage(passage: Mapping[str, Any], found: _Found, audience: Audience) -> WhyPassage | None:
    documents = found.documents_of(passage)
    same = (one for one in found.citations if one.chunk_id == passage["chunk_id"] and one.uri == passage["uri"])
    named = next(same, None)
    # Where no document is left, nobody can say who may read it: what stands under the answer may be named, no more.
    if not all(audience.may_read(document.audience) for document in documents) or (not documents and named is None):
        return None
    document = documents[0] if documents else None
    chunk = found.chunks.get(int(passage["chunk_id"]))
    title = document.title if document is not None else named.title if named is not None else ""
    header = chunk.header if chunk is not None else named.header if named is not None else title
    cosine, word_score = float(passage["cosine"]), float(passage["word_score"])
    return WhyPassage(
        title=title,
        header=header,
        uri=str(passage["uri"]),
        score=float(passage["score"]),
        cosine=cosine,
        word_score=word_score,
        # Answers from before these were kept have neither.
        prior=float(passage.get("prior", 0.0)),
        trust=str(passage.get("trust", "usual")),
        reason=reason_of(cosine, word_score),
        cited_as=named.n if named is not None and named.kind == "cited" else None,
        modified_at=document.modified_at if document is not None else None,
        synced_at=document.synced_at if document is not None else None,
        changed=document is not None and chunk is None,
        gone=document is None,
        audience=document.audience if document is not None else "",
        people=found.people.get(document.audience, 0) if document is not None else 0,
    )


def _last_sync(connection: sa.Connection, source_ids: set[str]) -> datetime | None:
    run = knowledge_tables.sync_run
    complete = (run.c.source_id.in_(source_ids), run.c.finished_at.is_not(None), run.c.error.is_(None))
    found: datetime | None = connection.scalar(sa.select(sa.func.max(run.c.finished_at)).where(*complete))
    return found
