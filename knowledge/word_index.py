"""BM25 over the word segments of one snapshot: any mask of readable chunks, a weight for each word.

It ranks as FTS5's `bm25()` does, where every word weighs 1. It knows nothing of SQL or of who may read what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.hits import Hits, Mask, Scores, best_hits, merge_hits, no_hits
from knowledge.snapshot import Snapshot, picked
from knowledge.terms import Terms
from knowledge.word_segment import WordSegment

# FTS5's own.
_SATURATION = 1.2
_LENGTH_SHARE = 0.75
_LEAST_RARITY = 1e-6
# Scoring a posting takes about 8 ns, so this many bound a search to some 16 ms; the rarest words go first. FTS5 takes
# 1.5 µs and stands at 20,000.
SCORED_POSTINGS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A segment as one snapshot sees it."""

    segment: WordSegment
    places: slice | npt.NDArray[np.int64]
    """The snapshot's row of each chunk, -1 for those that are gone."""
    live: Mask
    whole: bool
    """Whether every chunk lives."""

    def allowed(self, readable: Mask) -> Mask:
        """Which chunks of the segment are readable."""
        return picked(readable, self.places)


class WordIndex:
    """What one snapshot's chunks say, never changed once built: searches may run in several threads."""

    def __init__(self, terms: Terms, segments: Sequence[WordSegment], snapshot: Snapshot, header_weight: float) -> None:
        self._terms = terms
        self._header_weight = np.float32(header_weight)
        self._blocks = [_block(segment, snapshot) for segment in segments]
        self._count = sum(int(np.count_nonzero(block.live)) for block in self._blocks)
        words = sum(int(block.segment.lengths[block.live].sum()) for block in self._blocks)
        average = max(1.0, words / max(1, self._count))
        self._norms = [_norms(block.segment, average) for block in self._blocks]

    @property
    def count(self) -> int:
        """Live chunks in it."""
        return self._count

    def search(self, weights: Mapping[str, float], k: int, readable: Mask) -> Hits:
        """Find the `k` best readable chunks; a word's weight multiplies what it adds, forms of one word count once."""
        spans = self._telling_spans(self._term_weights(weights))
        hits = no_hits()
        for place, block in enumerate(self._blocks):
            terms = [(found[place], weight) for found, weight in spans if found[place].stop > found[place].start]
            if terms:
                hits = merge_hits(hits, self._search_block(block, self._norms[place], terms, k, readable), k)
        return hits

    def rarities(self, words: Sequence[str]) -> Scores:
        """How rare each word is among the chunks, float32[len(words)], never below 0; one never seen is the rarest."""
        counts = [0 if number is None else self._holding(number) for number in self._terms.numbers(words)]
        held = np.asarray(counts, np.float32)
        return np.asarray(np.log1p((self._count - held + 0.5) / (held + 0.5)), np.float32)

    def _holding(self, term: int) -> int:
        return sum(_count(block, block.segment.span(term)) for block in self._blocks)

    def _term_weights(self, weights: Mapping[str, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for number, weight in zip(self._terms.numbers(list(weights)), weights.values(), strict=True):
            if number is not None and weight > 0:
                found[number] = max(weight, found.get(number, 0.0))
        return found

    def _telling_spans(self, weights: Mapping[int, float]) -> list[tuple[list[slice], np.float32]]:
        """Where each term's postings lie in each block, with what one occurrence is worth; the rarest first."""
        counted = []
        for term, weight in weights.items():
            spans = [block.segment.span(term) for block in self._blocks]
            count = sum(_count(block, span) for block, span in zip(self._blocks, spans, strict=True))
            if count:
                counted.append((count, weight, spans))
        chosen: list[tuple[list[slice], np.float32]] = []
        scored = 0
        for count, weight, spans in sorted(counted, key=lambda one: one[0]):
            scored += count
            if chosen and scored > SCORED_POSTINGS:
                break
            chosen.append((spans, np.float32(weight * _rarity(self._count, count) * (_SATURATION + 1))))
        return chosen

    def _search_block(
        self, block: _Block, norms: Scores, terms: list[tuple[slice, np.float32]], k: int, readable: Mask
    ) -> Hits:
        segment = block.segment
        scores = np.zeros(len(segment.ids), np.float32)
        for span, weight in terms:
            rows = segment.rows[span].astype(np.intp)
            times = segment.in_text[span] + self._header_weight * segment.in_header[span]
            scores[rows] += weight * times / (times + norms[rows])
        found = np.flatnonzero(scores * block.allowed(readable))
        return best_hits(segment.ids[found], scores[found], k)


def _block(segment: WordSegment, snapshot: Snapshot) -> _Block:
    live = snapshot.are_live(segment.ids)
    return _Block(segment=segment, places=snapshot.places(segment.ids), live=live, whole=bool(live.all()))


def _norms(segment: WordSegment, average: float) -> Scores:
    share = np.float32(_SATURATION * _LENGTH_SHARE / average)
    return np.asarray(np.float32(_SATURATION * (1 - _LENGTH_SHARE)) + share * segment.lengths, np.float32)


def _count(block: _Block, span: slice) -> int:
    if block.whole:
        return int(span.stop - span.start)
    return int(np.count_nonzero(block.live[block.segment.rows[span]]))


def _rarity(chunks: int, holding: int) -> float:
    return max(_LEAST_RARITY, float(np.log((chunks - holding + 0.5) / (holding + 0.5))))
