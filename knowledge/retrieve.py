"""The one retrieval function: a question and an audience in, the best passages it may read out.

History-weighted vector and the last turn's words, searched side by side, fused by score, checked against SQL.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Passage, Question
from knowledge.duplicates import Copies
from knowledge.embed import Embedder, Vectors
from knowledge.fuse import FusedHit, fuse
from knowledge.hits import Hits, Mask
from knowledge.query import HistoryWeights, query_pieces, query_vector
from knowledge.snapshot import Snapshot, SnapshotSearch
from knowledge.surroundings import with_surroundings
from knowledge.tables import chunk, document, source
from knowledge.words import search_words

# Rows read beyond those wanted, so that dropping a copy or a chunk deleted just now rarely needs a second
# read.
_SPARE_ROWS = 8
_SPARE_WORD_HITS = 2
_PASSAGES = (
    sa.select(
        chunk.c.id,
        chunk.c.document_id,
        chunk.c.ordinal,
        document.c.source_id,
        source.c.name.label("source"),
        document.c.uri,
        document.c.title,
        chunk.c.header,
        chunk.c.text,
        chunk.c.text_hash,
        document.c.audience,
        document.c.modified_at,
        document.c.synced_at,
    )
    .join(document, document.c.id == chunk.c.document_id)
    .join(source, source.c.id == document.c.source_id)
    .where(chunk.c.id.in_(sa.bindparam("ids", expanding=True)))
)


@dataclass(frozen=True, kw_only=True)
class RetrievalOptions:
    """How passages are found; the settings page explains each."""

    word_weight: float = 0.3
    history: HistoryWeights = field(default_factory=HistoryWeights)
    candidates: int = 100
    """How deep each of the two lists goes into the fusion."""
    beside_tokens: int = 120
    """How much of what stands around a passage is read with it; measured in tests/benchmarks/README.md, "Chunks"."""
    exact_search_below: int = 2_000
    """Smaller collections are searched exactly."""


@dataclass(frozen=True, kw_only=True)
class RetrieveSeconds:
    """Where the time of one retrieval went."""

    embed: float
    vectors: float
    words: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """Passages, best first, and the question's vector, float32[dim]."""

    passages: tuple[Passage, ...]
    query_vector: Vectors = field(repr=False)
    seconds: RetrieveSeconds


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What one retrieval may draw on."""

    audience: Audience
    sources: frozenset[str] | None
    """Ids; None for all."""

    def covers(self, audience: str, source_id: str) -> bool:
        """Tell whether a document with this audience, of this source, may be drawn on."""
        return self.audience.may_read(audience) and (self.sources is None or source_id in self.sources)


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a retrieval reads, as of one moment."""

    engine: sa.Engine
    embedder: Embedder
    options: RetrievalOptions
    search: SnapshotSearch


def retrieve(
    view: View, question: Question, audience: Audience, k: int, sources: frozenset[str] | None = None
) -> Retrieved:
    """Find up to `k` passages for a question; may be called from several threads.

    `sources`, ids, narrows what the audience may read and never widens it.
    """
    started = time.perf_counter()
    snapshot, options = view.search.snapshot, view.options
    readable = snapshot.readable(audience, sources)
    if k < 1 or not question.text.strip() or not readable.any():
        return _nothing(view, started)
    vector = query_vector(view.embedder, query_pieces(question, options.history))
    embedded = time.perf_counter()
    depth = max(options.candidates, 2 * k)
    near = view.search.search(vector, depth, readable)
    compared = time.perf_counter()
    with reading(view.engine) as connection:
        worded = _search_readable_words(connection, question.text, depth, snapshot, readable)
        searched = time.perf_counter()
        fused = fuse(near, worded, options.word_weight)
        reach = Reach(audience=audience, sources=sources)
        passages = _read_passages(connection, fused, snapshot, vector, reach, k)
        passages = with_surroundings(connection, passages, view.embedder.count_tokens, options.beside_tokens)
    seconds = RetrieveSeconds(
        embed=embedded - started,
        vectors=compared - embedded,
        words=searched - compared,
        total=time.perf_counter() - started,
    )
    return Retrieved(passages=passages, query_vector=vector, seconds=seconds)


def _nothing(view: View, started: float) -> Retrieved:
    total = time.perf_counter() - started
    return Retrieved(
        passages=(),
        query_vector=np.zeros(view.embedder.dim, np.float32),
        seconds=RetrieveSeconds(embed=0.0, vectors=0.0, words=0.0, total=total),
    )


def _search_readable_words(
    connection: sa.Connection, text: str, depth: int, snapshot: Snapshot, readable: Mask
) -> Hits:
    # The word index knows no audiences: where chunks are hidden, more hits are taken, and all if those were too few.
    share = np.count_nonzero(readable) / max(1, snapshot.count)
    limit = depth if share == 1 else int(_SPARE_WORD_HITS * depth / share)
    hits = search_words(connection, text, limit)
    kept = snapshot.kept(hits, readable)
    if len(kept) < depth and len(hits) == limit and share < 1:
        kept = snapshot.kept(search_words(connection, text, None), readable)
    return kept.first(depth)


def _read_passages(
    connection: sa.Connection,
    fused: tuple[FusedHit, ...],
    snapshot: Snapshot,
    vector: Vectors,
    reach: Reach,
    k: int,
) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    copies = Copies()
    step = k + _SPARE_ROWS
    for start in range(0, len(fused), step):
        for passage in _load(connection, fused[start : start + step], snapshot, vector, reach):
            if copies.add(passage):
                passages.append(passage)
            if len(passages) == k:
                return tuple(passages)
    return tuple(passages)


def _load(
    connection: sa.Connection,
    hits: tuple[FusedHit, ...],
    snapshot: Snapshot,
    vector: Vectors,
    reach: Reach,
) -> list[Passage]:
    ids = [hit.id for hit in hits]
    # SQL has the last word on what exists and who may read it, whatever the copies in memory said.
    rows = connection.execute(_PASSAGES, {"ids": ids})
    # Compared here and not in SQL, which would walk through all documents of an audience instead of these few chunks.
    found = {row["id"]: row for row in rows.mappings() if reach.covers(row["audience"], row["source_id"])}
    cosines = snapshot.cosines(np.asarray(ids, np.int64), vector)
    return [
        Passage(
            **{name: value for name, value in found[hit.id].items() if name != "source_id"},
            score=hit.score,
            cosine=float(cosine),
            word_score=hit.word_score,
        )
        for hit, cosine in zip(hits, cosines, strict=True)
        if hit.id in found
    ]
