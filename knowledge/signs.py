"""Nearest vectors by their signs first: one bit a dimension is compared, the best few thousand then exactly.

Finds nearly all that exact search finds, under any filter, for a fraction of the time: it reads 48 bytes of a vector
where exact search reads 1,536. The signs are taken after the mean was subtracted, or a dimension that is nearly always
positive would say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.embed import Vectors
from knowledge.hits import Hits, Ids, Mask, best_hits
from knowledge.index import ExactIndex, KeptVectors, inner_products_at

# Of 100,000 vectors around real ones the nearest 4,200 by sign hold .98 of the hundred nearest, 2,200 hold .96; of the
# ten nearest nearly all. Comparing one takes 0.2 µs. More vectors lie closer together, so one in 500 is added.
_RESCORED = 4_000
_RESCORED_SHARE = 500
# Compared one after another, so that what is computed in between stays in the core's cache.
_BLOCK = 16_384
# Copying codes out costs about four times as much as comparing them where they are.
_GATHER_BELOW = 0.25
_WORD_BITS = 64
# So many words' signs can be counted in a byte, which is twice as fast as in two.
_WORDS_IN_BYTE = 3

_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class SignCodes:
    """The signs of vectors, uint64[ceil(dim / 64), vectors], and the mean that was subtracted, float32[dim]."""

    mean: Vectors
    words: _Words


def sign_words(vectors: KeptVectors, mean: Vectors) -> _Words:
    """The signs of each vector's difference from the mean, one column a vector."""
    packed = np.packbits(vectors > mean, axis=1)
    spare = -packed.shape[1] % (_WORD_BITS // 8)
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, spare))).view(np.uint64).T)


class SignIndex:
    """A `VectorIndex` over vectors that somebody else keeps. Never changes: searches may run in several threads."""

    def __init__(self, ids: Ids, vectors: KeptVectors, codes: SignCodes, rescored: int | None = None) -> None:
        self._exact = ExactIndex(ids, vectors)
        self._vectors = vectors
        self._codes = codes
        self._rescored = rescored or _RESCORED + len(ids) // _RESCORED_SHARE

    @property
    def ids(self) -> Ids:
        """All ids it holds, ascending."""
        return self._exact.ids

    @property
    def dim(self) -> int:
        """Length of each vector."""
        return self._exact.dim

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` nearest among the allowed ids; exactly where these are few."""
        usable = len(self.ids) if allowed is None else int(np.count_nonzero(allowed))
        rescored = max(self._rescored, k)
        if usable <= 2 * rescored:
            return self._exact.search(vector, k, allowed)
        near = self._near(vector, rescored, allowed, usable)
        return best_hits(self.ids[near], inner_products_at(self._vectors, near, vector), k)

    def _near(self, vector: Vectors, count: int, allowed: Mask | None, usable: int) -> npt.NDArray[np.intp]:
        """The rows of at least `count` vectors whose signs differ least."""
        asked = sign_words(vector[np.newaxis], self._codes.mean)[:, 0]
        if allowed is not None and usable < len(self.ids) * _GATHER_BELOW:
            rows = np.flatnonzero(allowed)
            return rows[_least(_differing(self._codes.words[:, rows], asked), count)]
        differing = _differing(self._codes.words, asked)
        if allowed is not None:
            differing[~allowed] = self._codes.words.shape[0] * _WORD_BITS + 1
        return _least(differing, count)


def _differing(words: _Words, asked: _Words) -> npt.NDArray[np.uint16]:
    """In how many signs each vector differs from the one that is asked for."""
    counts = np.zeros(words.shape[1], np.uint16)
    for start in range(0, len(counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        for first in range(0, len(asked), _WORDS_IN_BYTE):
            columns = slice(first, first + _WORDS_IN_BYTE)
            counts[block] += _differing_bytes(words[columns, block], asked[columns])
    return counts


def _differing_bytes(words: _Words, asked: _Words) -> npt.NDArray[np.uint8]:
    counts: npt.NDArray[np.uint8] = np.bitwise_count(words[0] ^ asked[0])
    for column, word in zip(words[1:], asked[1:], strict=True):
        counts += np.bitwise_count(column ^ word)
    return counts


def _least(differing: npt.NDArray[np.uint16], count: int) -> npt.NDArray[np.intp]:
    # Few different numbers: counting each of them is four times as fast as a partial sort.
    upto = np.cumsum(np.bincount(differing))
    return np.flatnonzero(differing <= np.searchsorted(upto, count))
