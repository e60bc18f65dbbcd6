"""One block of the word index in memory: for each term the chunks that hold it and how often. Never changes.

It knows term numbers and counts, neither text nor SQL nor which of its chunks still live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.hits import Ids, Mask
from knowledge.terms import TermNumbers

# Rows of two bytes: a posting takes 4 bytes in all, and the scores of a block fit a core's cache while it is searched.
BLOCK_ROWS = 1 << 16
# A posting packed into one number, so that sorting numbers, which is fast, sorts postings: 8 bits for each count, 16
# for the row, the term above.
_COUNT_BITS, _ROW_BITS = 8, 16
_MOST = (1 << _COUNT_BITS) - 1

Counts = npt.NDArray[np.uint8]
_Packed = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class WordSegment:
    """Postings of up to `BLOCK_ROWS` chunks; those of `terms[i]` lie from `starts[i]` to `starts[i + 1]`."""

    ids: Ids
    """Of the chunks, ascending; a chunk's place here is its row."""
    lengths: npt.NDArray[np.int32]
    """Words of each chunk, its header's included."""
    terms: TermNumbers
    """Ascending."""
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.uint16]
    """Ascending within a term."""
    in_text: Counts
    in_header: Counts

    def span(self, term: int) -> slice:
        """Where the postings of a term lie; an empty slice where there are none."""
        place = int(np.searchsorted(self.terms, term))
        if place == len(self.terms) or self.terms[place] != term:
            return slice(0, 0)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return sum(
            array.nbytes
            for array in (self.ids, self.lengths, self.terms, self.starts, self.rows, self.in_text, self.in_header)
        )


@dataclass(frozen=True, kw_only=True)
class ChunkTerms:
    """The terms of some chunks, of their headers or of their texts: one chunk after another."""

    terms: TermNumbers
    counts: npt.NDArray[np.int64]
    """How many of them belong to each chunk."""


def make_segment(ids: Ids, headers: ChunkTerms, texts: ChunkTerms) -> WordSegment:
    """Index up to `BLOCK_ROWS` chunks with ascending ids."""
    lengths = (headers.counts + texts.counts).astype(np.int32)
    in_header, in_text = _counted(headers), _counted(texts)
    return _unpack(ids, lengths, _joined(in_text, in_header))


def merge_segments(segments: Sequence[WordSegment], kept: Sequence[Mask]) -> WordSegment:
    """One segment of the kept chunks, at most `BLOCK_ROWS`, of several; no id may be in two of them."""
    ids = np.concatenate([segment.ids[mask] for segment, mask in zip(segments, kept, strict=True)])
    lengths = np.concatenate([segment.lengths[mask] for segment, mask in zip(segments, kept, strict=True)])
    order = np.argsort(ids)
    row_of = np.empty(len(ids), np.int64)
    row_of[order] = np.arange(len(ids))
    packed, done = [], 0
    for segment, mask in zip(segments, kept, strict=True):
        count = int(np.count_nonzero(mask))
        rows = np.full(len(mask), -1, np.int64)
        rows[mask] = row_of[done : done + count]
        packed.append(_packed(segment, rows))
        done += count
    return _unpack(ids[order], lengths[order], np.concatenate(packed))


def _counted(chunks: ChunkTerms) -> tuple[_Packed, npt.NDArray[np.int64]]:
    """Each pair of term and row once, in order, and how often it occurs."""
    rows = np.repeat(np.arange(len(chunks.counts), dtype=np.int64), chunks.counts)
    pairs = np.sort((chunks.terms.astype(np.int64) << _ROW_BITS) | rows)
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    return pairs[first], np.minimum(np.diff(first, append=len(pairs)), _MOST)


def _joined(
    in_text: tuple[_Packed, npt.NDArray[np.int64]], in_header: tuple[_Packed, npt.NDArray[np.int64]]
) -> _Packed:
    """The postings of both: where a pair is in both, the two counts come together in one number."""
    texts = (in_text[0] << (2 * _COUNT_BITS)) | (in_text[1] << _COUNT_BITS)
    headers = (in_header[0] << (2 * _COUNT_BITS)) | in_header[1]
    both = np.sort(np.concatenate((texts, headers)))
    first = np.flatnonzero(np.diff(both >> (2 * _COUNT_BITS), prepend=-1))
    return np.bitwise_or.reduceat(both, first) if len(first) else both


def _packed(segment: WordSegment, row_of: npt.NDArray[np.int64]) -> _Packed:
    """The postings of a segment with other rows; those of row -1 are left out."""
    terms = np.repeat(segment.terms.astype(np.int64), np.diff(segment.starts))
    rows = row_of[segment.rows]
    packed = (terms << (_ROW_BITS + 2 * _COUNT_BITS)) | (rows << (2 * _COUNT_BITS))
    packed |= segment.in_text.astype(np.int64) << _COUNT_BITS
    packed |= segment.in_header
    return packed[rows >= 0]


def _unpack(ids: Ids, lengths: npt.NDArray[np.int32], packed: _Packed) -> WordSegment:
    packed = np.sort(packed)
    terms = packed >> (_ROW_BITS + 2 * _COUNT_BITS)
    first = np.flatnonzero(np.diff(terms, prepend=-1))
    return WordSegment(
        ids=ids,
        lengths=lengths,
        terms=terms[first].astype(np.int32),
        starts=np.append(first, len(packed)),
        rows=(packed >> (2 * _COUNT_BITS)).astype(np.uint16),
        in_text=(packed >> _COUNT_BITS).astype(np.uint8),
        in_header=packed.astype(np.uint8),
    )
