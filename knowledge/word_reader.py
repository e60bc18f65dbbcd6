"""Keeps the word segments in memory in step with the snapshot: the words of chunks are read from SQL once.

Segments hold what chunks say, and a chunk never changes: which of them live is the snapshot's affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import sqlalchemy as sa

from knowledge.database import reading
from knowledge.hits import Ids, Mask
from knowledge.snapshot import Snapshot
from knowledge.terms import Terms, split_words
from knowledge.word_index import WordIndex
from knowledge.word_segment import BLOCK_ROWS, ChunkTerms, WordSegment, make_segment, merge_segments

# Reading this many new chunks takes about 20 ms, which a question can wait for; more are read in the background.
READ_AT_ONCE = 256
_READ_BATCH = 2_000
# Blocks are put together from pieces of this size, so that no more than one piece's words are in memory at once.
_PIECE_ROWS = 8_192
# A search looks at each segment in turn, about 15 µs for each word.
_MOST_SMALL = 8
_DEAD_ABOVE = 0.25
_TEXTS = "SELECT id, header, text FROM chunk WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"


class WordReader:
    """The segments so far. Not for two threads at once; `read_missing` and `untidy` change no segments."""

    def __init__(self, header_weight: float) -> None:
        self._header_weight = header_weight
        self._terms = Terms()
        self.segments: tuple[WordSegment, ...] = ()

    def close(self) -> None:
        """Forget everything."""
        self.segments = ()
        self._terms.close()

    def index(self, snapshot: Snapshot) -> WordIndex:
        """All segments as this snapshot sees them."""
        return WordIndex(self._terms, self.segments, snapshot, self._header_weight)

    def missing(self, snapshot: Snapshot) -> Ids:
        """The live chunks whose words were not read yet."""
        unread = snapshot.live.copy()
        for segment in self.segments:
            places = snapshot.places(segment.ids)
            unread[places if isinstance(places, slice) else places[places >= 0]] = False
        return snapshot.ids[unread]

    def read(self, connection: sa.Connection, ids: Ids) -> None:
        """Add these chunks, few enough to wait for."""
        self.segments = (*self.segments, self._read_segment(connection, ids))

    def read_missing(self, engine: sa.Engine, snapshot: Snapshot, stop: Callable[[], bool]) -> tuple[WordSegment, ...]:
        """Read all that is missing, in many short transactions; nothing where `stop` said so in between."""
        ids, blocks = self.missing(snapshot), list[WordSegment]()
        for block in range(0, len(ids), BLOCK_ROWS):
            pieces = []
            for start in range(block, min(block + BLOCK_ROWS, len(ids)), _PIECE_ROWS):
                if stop():
                    return ()
                with reading(engine) as connection:
                    pieces.append(self._read_segment(connection, ids[start : start + _PIECE_ROWS]))
            blocks.append(merge_segments(pieces, [_all(piece) for piece in pieces]))
        return tuple(blocks)

    def replace(self, old: Sequence[WordSegment], new: Sequence[WordSegment]) -> None:
        """Put new segments in the place of old ones; what was read meanwhile stays."""
        gone = {id(segment) for segment in old}
        self.segments = (*(segment for segment in self.segments if id(segment) not in gone), *new)

    def untidy(self, snapshot: Snapshot) -> tuple[WordSegment, ...]:
        """The segments that are worth putting together: many small ones, or one with many dead chunks."""
        small = [segment for segment in self.segments if len(segment.ids) < _PIECE_ROWS]
        dying = [
            segment
            for segment in self.segments
            if len(segment.ids) >= _PIECE_ROWS and np.mean(snapshot.are_live(segment.ids)) < 1 - _DEAD_ABOVE
        ]
        return (*(small if len(small) > _MOST_SMALL else ()), *dying)

    def make_segment(self, ids: Ids, headers: Sequence[str], texts: Sequence[str]) -> WordSegment:
        """Index the words of these chunks; the segment is not added."""
        in_headers, in_texts = list[ChunkTerms](), list[ChunkTerms]()
        for start in range(0, len(ids), _READ_BATCH):
            in_headers.append(self._learn(headers[start : start + _READ_BATCH]))
            in_texts.append(self._learn(texts[start : start + _READ_BATCH]))
        return make_segment(ids, _chained(in_headers), _chained(in_texts))

    def _read_segment(self, connection: sa.Connection, ids: Ids) -> WordSegment:
        rows = connection.exec_driver_sql(_TEXTS, (json.dumps(ids.tolist()),)).fetchall()
        found = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return self.make_segment(found, [row[1] for row in rows], [row[2] for row in rows])

    def _learn(self, texts: Sequence[str]) -> ChunkTerms:
        words = [split_words(text) for text in texts]
        counts = np.fromiter(map(len, words), np.int64, len(words))
        return ChunkTerms(terms=self._terms.learn(words), counts=counts)


def tidied(segments: Sequence[WordSegment], snapshot: Snapshot) -> tuple[WordSegment, ...]:
    """The live chunks of segments in as few segments as hold them."""
    merged, group, size = list[WordSegment](), list[WordSegment](), 0
    for segment in segments:
        count = int(np.count_nonzero(snapshot.are_live(segment.ids)))
        if group and size + count > BLOCK_ROWS:
            merged.append(merge_segments(group, [snapshot.are_live(one.ids) for one in group]))
            group, size = [], 0
        group.append(segment)
        size += count
    if size:
        merged.append(merge_segments(group, [snapshot.are_live(one.ids) for one in group]))
    return tuple(merged)


def _all(segment: WordSegment) -> Mask:
    return np.ones(len(segment.ids), np.bool_)


def _chained(chunks: Sequence[ChunkTerms]) -> ChunkTerms:
    return ChunkTerms(
        terms=np.concatenate([one.terms for one in chunks]) if chunks else np.empty(0, np.int32),
        counts=np.concatenate([one.counts for one in chunks]) if chunks else np.empty(0, np.int64),
    )
