"""Nearest vectors by their signs first: 48 bytes of each vector are compared, the best few hundred then exactly.

Finds what exact search finds at any filter but for a vector in a hundred, at a tenth of the cost; for each vector
whether it lies above or below the mean is kept, in each of its dimensions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from knowledge.embed import Vectors
from knowledge.hits import Hits, Ids, Mask, best_hits
from knowledge.index import ExactIndex, inner_products

# So many are compared exactly, and at least eight times those wanted: see the figures in tests/benchmarks/README.md.
_RESCORED = 1_000
_RESCORED_SHARE = 8
# Compared one after another, so that what is computed in between stays in the core's cache.
_BLOCK = 16_384
# Picking codes out costs about four times as much as comparing them where they are.
_GATHER_BELOW = 0.2

_Words = npt.NDArray[np.uint64]
_Distances = npt.NDArray[np.uint16]


class SignIndex:
    """A `VectorIndex` over the signs of vectors that somebody else keeps. Never changes."""

    def __init__(self, ids: Ids, vectors: Vectors, codes: SignCodes) -> None:
        self._exact = ExactIndex(ids, vectors)
        self._vectors = vectors
        self._codes = codes

    @property
    def ids(self) -> Ids:
        """All ids it holds, ascending."""
        return self._exact.ids

    @property
    def dim(self) -> int:
        """Length of each vector."""
        return self._exact.dim

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` nearest among the allowed ids."""
        rescored = max(_RESCORED, _RESCORED_SHARE * k)
        rows = None if allowed is None else np.flatnonzero(allowed)
        if (len(self.ids) if rows is None else len(rows)) <= 2 * rescored:
            return self._exact.search(vector, k, allowed)
        near = self._codes.nearest(vector, rescored, rows)
        return best_hits(self.ids[near], inner_products(self._vectors[near], vector), k)
