"""The one retrieval function: a question and an audience in, the best passages it may read out.

The question's vector and its words, searched side by side, fused by score, checked against SQL; the best passages are
compared with the question once more, word piece by word piece.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Passage, Question
from knowledge.duplicates import Copies
from knowledge.embed import Embedder, Vectors
from knowledge.fuse import Fused, FusedHit, fuse
from knowledge.priors import PriorWeights, newest_of, prior
from knowledge.query import HistoryWeights, query_pieces
from knowledge.query_encoder import EncodedQuestion
from knowledge.query_side import QuerySide
from knowledge.spread import Spread, spread_out
from knowledge.surroundings import with_surroundings
from knowledge.tables import chunk, document, source
from knowledge.vector_search import SnapshotSearch
from knowledge.versions import newer_versions_first
from knowledge.word_index import WordIndex
from knowledge.words import search_readable_words, weigh_words

# Rows read beyond those wanted, so that dropping a copy or a chunk deleted just now rarely needs a second
# read.
_SPARE_ROWS = 8
# Passages beyond those wanted, from which others come where too many are from one hand.
_ALTERNATIVES = 4
# A question mark says next to nothing.
_SIGN_RARITY = 0.1
_PASSAGES = (
    sa.select(
        chunk.c.id,
        chunk.c.document_id,
        chunk.c.ordinal,
        document.c.source_id,
        source.c.name.label("source"),
        source.c.trust,
        document.c.uri,
        document.c.title,
        chunk.c.header,
        chunk.c.text,
        chunk.c.text_hash,
        chunk.c.line,
        document.c.audience,
        document.c.owner,
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
    """For an embedder without a query encoder."""
    word_history: HistoryWeights = field(default_factory=lambda: HistoryWeights(question=0.0, answer=0.0))
    """How much the words of earlier turns count; those of the last turn count 1."""
    matched: int = 20
    """So many of the best passages are compared word piece by word piece; 0 for none."""
    match_weight: float = 3.0
    """How much a difference of 1 there moves a fused score."""
    candidates: int = 100
    """How deep each of the two lists goes into the fusion."""
    beside_characters: int = 500
    """How much of what stands around a passage is read with it."""
    exact_search_below: int = 2_000
    """Smaller collections are searched exactly."""
    vectors: Literal["float32", "float16"] = "float32"
    """How vectors are kept in memory; the database and the graph hold them as float32 always."""
    priors: PriorWeights = field(default_factory=PriorWeights)
    """What is added for a document's age and its source."""
    spread: Spread = field(default_factory=Spread)
    """How many passages may come from one hand."""
    header_weight: float = 1.0
    """How much a word in a heading counts; 1 in the text."""


@dataclass(frozen=True, kw_only=True)
class RetrieveSeconds:
    """Where the time of one retrieval went."""

    embed: float
    vectors: float
    words: float
    total: float
    match: float = 0.0


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
    query_side: QuerySide
    search: SnapshotSearch
    words: WordIndex | None
    """None until the words are in memory."""


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
    encoded = view.query_side.encoder.encode(question)
    vector = encoded.vector
    embedded = time.perf_counter()
    depth = max(options.candidates, 2 * k)
    near = view.search.search(vector, depth, readable)
    compared = time.perf_counter()
    with reading(view.engine) as connection:
        asked = weigh_words(*((piece.text, piece.weight) for piece in query_pieces(question, options.word_history)))
        worded = search_readable_words(connection, view.words, asked, depth, snapshot, readable)
        searched = time.perf_counter()
        fused = fuse(near, worded, options.word_weight)
        reach = Reach(audience=audience, sources=sources)
        matched = 0 if view.query_side.match is None else options.matched
        passages = _read_passages(connection, view, fused, vector, reach, max(k + _ALTERNATIVES, matched))
        read = time.perf_counter()
        if matched:
            passages = _match(passages, matched, encoded, view)
        if options.priors.recency:
            passages = newer_versions_first(passages)
        matched_at = time.perf_counter()
        chosen = spread_out(passages, k, options.spread)
        passages = with_surroundings(connection, chosen, options.beside_characters)
    seconds = RetrieveSeconds(
        embed=embedded - started,
        vectors=compared - embedded,
        words=searched - compared,
        match=matched_at - read,
        total=time.perf_counter() - started,
    )
    return Retrieved(passages=passages, query_vector=vector, seconds=seconds)


def _match(passages: tuple[Passage, ...], count: int, encoded: EncodedQuestion, view: View) -> tuple[Passage, ...]:
    """Put the best `count` in a new order, by their fused score and by how well their parts match the question's."""
    match = view.query_side.match
    if match is None or encoded.tokens is None or not passages:
        return passages
    first, rest = passages[:count], passages[count:]
    scores = match.scores(encoded.tokens, first, _piece_weights(encoded.words, view.words))
    best = max(scores)
    moved = [
        (passage.score + view.options.match_weight * (score - best), passage)
        for passage, score in zip(first, scores, strict=True)
    ]
    ordered = sorted(moved, key=lambda pair: -pair[0])
    return (*(replace(passage, score=max(0.0, score)) for score, passage in ordered), *rest)


def _piece_weights(words: Sequence[str], index: WordIndex | None) -> Vectors | None:
    """How much each word piece of the question counts; the root keeps one rare name from deciding alone."""
    if index is None or not words:
        return None
    distinct = sorted(set(filter(None, words)))
    rarity = dict(zip(distinct, index.rarities(distinct).tolist(), strict=True))
    return np.sqrt(np.asarray([rarity.get(word, _SIGN_RARITY) for word in words], np.float32))


def _nothing(view: View, started: float) -> Retrieved:
    total = time.perf_counter() - started
    return Retrieved(
        passages=(),
        query_vector=np.zeros(view.embedder.dim, np.float32),
        seconds=RetrieveSeconds(embed=0.0, vectors=0.0, words=0.0, total=total),
    )


def _read_passages(
    connection: sa.Connection,
    view: View,
    fused: Fused,
    vector: Vectors,
    reach: Reach,
    k: int,
) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    copies = Copies()
    step = k + _SPARE_ROWS
    for start in range(0, len(fused), step):
        for passage in _load(connection, view, fused.part(start, start + step), vector, reach):
            if copies.add(passage):
                passages.append(passage)
            if len(passages) == k:
                return tuple(passages)
    return tuple(passages)


def _load(
    connection: sa.Connection,
    view: View,
    hits: tuple[FusedHit, ...],
    vector: Vectors,
    reach: Reach,
) -> list[Passage]:
    ids = [hit.id for hit in hits]
    # SQL has the last word on what exists and who may read it, whatever the copies in memory said.
    rows = connection.execute(_PASSAGES, {"ids": ids})
    # Compared here and not in SQL, which would walk through all documents of an audience instead of these few chunks.
    found = {row["id"]: row for row in rows.mappings() if reach.covers(row["audience"], row["source_id"])}
    cosines = view.search.snapshot.cosines(np.asarray(ids, np.int64), vector)
    newest = newest_of(row["modified_at"] for row in found.values())
    priors = {key: prior(row["trust"], row["modified_at"], newest, view.options.priors) for key, row in found.items()}
    passages = [
        Passage(
            **{name: value for name, value in found[hit.id].items() if name != "source_id"},
            score=hit.score + priors[hit.id],
            prior=priors[hit.id],
            cosine=float(cosine),
            word_score=hit.word_score,
        )
        for hit, cosine in zip(hits, cosines, strict=True)
        if hit.id in found
    ]
    # Stable: what scores the same stays in the order of the lists.
    return sorted(passages, key=lambda passage: -passage.score)
