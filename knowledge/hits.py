"""Scored chunk ids, best first: what a vector search and a word search both return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Two arrays of one length, ordered by falling score; a larger score is better."""

    ids: Ids
    scores: Scores

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> Hits:
        """The best `count` of them."""
        return Hits(ids=self.ids[:count], scores=self.scores[:count])


def no_hits() -> Hits:
    """Nothing found."""
    return Hits(ids=np.empty(0, np.int64), scores=np.empty(0, np.float32))


def best_hits(ids: Ids, scores: Scores, count: int) -> Hits:
    """Keep the best `count`, ties in the order of their ids, so that a search repeats exactly."""
    if len(ids) > count:
        # A partial sort first: sorting all of a large collection costs more than scoring it.
        floor = np.partition(scores, len(scores) - count)[len(scores) - count] if count > 0 else np.inf
        kept = np.flatnonzero(scores >= floor)
        ids, scores = ids[kept], scores[kept]
    order = np.lexsort((ids, -scores))[:count]
    return Hits(ids=ids[order], scores=scores[order])


def merge_hits(first: Hits, second: Hits, count: int) -> Hits:
    """Keep the best `count` of two searches over different chunks."""
    return best_hits(np.concatenate((first.ids, second.ids)), np.concatenate((first.scores, second.scores)), count)
