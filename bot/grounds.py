"""What an answer stands on, and whether all who will read it may still read that: asked again whenever it is used.

Between the search and the message, and between a message and the next question, a document can be deleted and
permissions can change. Whatever was written from it then stays out. Knows SQL only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.turn import Answer
from knowledge import tables as knowledge_tables
from knowledge.audience import Audience
from knowledge.document import Grounds

GROUNDS = "grounds"
"""The key in a passage's row."""
# SQLite takes some thousand values in one statement.
_MOST_AT_ONCE = 500


def grounds_of(answer: Answer) -> Grounds:
    """What a finished answer stands on: the passages that it was made from, those beside them, and what it cites."""
    passages = [part for passage in answer.passages for part in (passage, *passage.beside)]
    shown = (*answer.citations, *answer.nearest)
    looked_at = frozenset((one.id, one.uri) for one in passages if one.id >= 0)
    own = Grounds(
        looked_at=looked_at,
        cited=frozenset((one.uri, one.text_hash) for one in shown if (one.chunk_id, one.uri) in looked_at),
        audiences=frozenset(one.audience for one in passages),
    )
    return reduce(or_, (one.grounds for one in passages), own | answer.beneath)


def stored_grounds(connection: sa.Connection, answer_id: int) -> Grounds:
    """What a stored answer stands on; nothing where it is gone."""
    answer, citation = tables.answer, tables.citation
    row = connection.execute(sa.select(answer.c.passages, answer.c.audience).where(answer.c.id == answer_id)).first()
    if row is None:
        return Grounds()
    cited = sa.select(citation.c.uri, citation.c.text_hash).where(
        citation.c.answer_id == answer_id, citation.c.chunk_id >= 0
    )
    own = Grounds(
        looked_at=_looked_at(row.passages or ()),
        cited=frozenset((one.uri, one.text_hash) for one in connection.execute(cited)),
        audiences=frozenset(filter(None, row.audience.split(","))),
    )
    return reduce(or_, (_read(one[GROUNDS]) for one in row.passages or () if GROUNDS in one), own)


def grounds_row(grounds: Grounds) -> dict[str, Any]:
    """What is kept beside a passage that stands on something itself; empty where it does not."""
    if grounds == Grounds():
        return {}
    return {GROUNDS: {"looked_at": sorted(grounds.looked_at), "cited": sorted(grounds.cited)}}


def _read(kept: Mapping[str, Any]) -> Grounds:
    return Grounds(
        looked_at=frozenset((int(number), str(uri)) for number, uri in kept["looked_at"]),
        cited=frozenset((str(uri), str(text_hash)) for uri, text_hash in kept["cited"]),
    )


def _looked_at(passages: Iterable[Mapping[str, Any]]) -> frozenset[tuple[int, str]]:
    """The chunks among the passages of an answer's row; what lay on the table has a negative id."""
    return frozenset((int(one["chunk_id"]), str(one["uri"])) for one in passages if int(one["chunk_id"]) >= 0)


def may_be_used(
    connection: sa.Connection,
    grounds: Grounds,
    audience: Audience,
    sources: frozenset[str] | None = None,
    *,
    unchanged: bool = True,
) -> bool:
    """Tell whether everything that was looked at is there and may be read by this audience now, in these sources.

    What is cited must stand there as it stood; `unchanged=False` lets it have other words by now.
    """
    if not all(audience.may_read(one) for one in grounds.audiences):
        return False
    rows = _documents(connection, grounds)
    by_chunk, by_uri = _found(connection, grounds, rows)
    for chunk_id, uri in grounds.looked_at:
        # Where it was cut anew, it may be any document of that name.
        standing = [by_chunk[chunk_id]] if chunk_id in by_chunk else by_uri.get(uri, [])
        if not standing or not all(_covers(one, audience, sources) for one in standing):
            return False
    return not unchanged or all(_is_there(connection, *one, audience, sources) for one in grounds.cited)


def _documents(connection: sa.Connection, grounds: Grounds) -> list[sa.Row[Any]]:
    document, source = knowledge_tables.document, knowledge_tables.source
    uris = sorted({uri for _, uri in grounds.looked_at})
    # With its sources named, SQLite finds the rows by their key instead of walking through all documents.
    every = sa.select(source.c.id).scalar_subquery()
    query = sa.select(document.c.id, document.c.uri, document.c.audience, document.c.source_id)
    found: list[sa.Row[Any]] = []
    for start in range(0, len(uris), _MOST_AT_ONCE):
        part = uris[start : start + _MOST_AT_ONCE]
        found += connection.execute(query.where(document.c.source_id.in_(every), document.c.uri.in_(part)))
    return found


def _found(
    connection: sa.Connection, grounds: Grounds, rows: Iterable[sa.Row[Any]]
) -> tuple[dict[int, sa.Row[Any]], dict[str, list[sa.Row[Any]]]]:
    """The documents by the chunks that are still in them, and by their URIs."""
    chunk = knowledge_tables.chunk
    documents = {row.id: row for row in rows}
    by_uri: dict[str, list[sa.Row[Any]]] = {}
    for row in documents.values():
        by_uri.setdefault(row.uri, []).append(row)
    ids = sorted(chunk_id for chunk_id, _ in grounds.looked_at)
    by_chunk: dict[int, sa.Row[Any]] = {}
    for start in range(0, len(ids), _MOST_AT_ONCE):
        query = sa.select(chunk.c.id, chunk.c.document_id).where(chunk.c.id.in_(ids[start : start + _MOST_AT_ONCE]))
        for one in connection.execute(query):
            if one.document_id in documents:
                by_chunk[one.id] = documents[one.document_id]
    return by_chunk, by_uri


def _is_there(
    connection: sa.Connection, uri: str, text_hash: str, audience: Audience, sources: frozenset[str] | None
) -> bool:
    document, chunk = knowledge_tables.document, knowledge_tables.chunk
    query = (
        sa.select(document.c.audience, document.c.source_id)
        .join(chunk, chunk.c.document_id == document.c.id)
        .where(chunk.c.text_hash == text_hash, document.c.uri == uri)
    )
    return any(_covers(row, audience, sources) for row in connection.execute(query))


def _covers(row: Any, audience: Audience, sources: frozenset[str] | None) -> bool:
    return audience.may_read(row.audience) and (sources is None or row.source_id in sources)


def conversation_grounds(connection: sa.Connection, conversation: str, before: str | None) -> dict[str, Grounds]:
    """What the answers of a conversation stand on, by the ts of their questions, oldest first."""
    answer = tables.answer
    query = sa.select(answer.c.id, answer.c.question_ts).where(answer.c.conversation == conversation)
    if before is not None:
        query = query.where(answer.c.question_ts < before)
    rows = connection.execute(query.order_by(answer.c.question_ts)).all()
    return {row.question_ts: stored_grounds(connection, row.id) for row in rows}


def unusable_answers(connection: sa.Connection, grounds: Mapping[str, Grounds], audience: Audience) -> frozenset[str]:
    """The answers of a conversation that this audience may not be told again, by the ts of their questions.

    An answer that was made with such a one is among them: whoever could read its grounds then could read both.
    """
    out: dict[str, Grounds] = {}
    for ts, one in grounds.items():
        repeats = any(earlier.audiences and earlier.audiences <= one.audiences for earlier in out.values())
        if repeats or not may_be_used(connection, one, audience, unchanged=False):
            out[ts] = one
    return frozenset(out)
