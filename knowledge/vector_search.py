"""Vector search over one snapshot: which of graph and signs answers which question.

What it may find is decided by a mask; who may read what, it does not know.
"""

from __future__ import annotations

import numpy as np

from knowledge.embed import Vectors
from knowledge.hits import Hits, Mask, merge_hits
from knowledge.index import VectorIndex
from knowledge.signs import SignIndex
from knowledge.snapshot import Snapshot

# A graph that misses this share of the chunks makes every search compare with them one by one; one that hides
# this share of its own walks through dead ends.
_STALE_ABOVE_UNCOVERED = 0.05
_STALE_ABOVE_HIDDEN = 0.20
# With fewer readable chunks the graph is asked for so many that comparing signs is as fast.
_GRAPH_ABOVE_READABLE = 0.3
_SPARE_NEAR = 1.3


class SnapshotSearch:
    """Vector search: the graph where most of what it finds is readable, signs for everything else."""

    def __init__(self, snapshot: Snapshot, graph: VectorIndex | None) -> None:
        self.snapshot = snapshot
        self._signs = SignIndex(snapshot.ids, snapshot.vectors, snapshot.codes)
        self._graph = graph if len(snapshot.ids) else None
        if self._graph is not None:
            rows = snapshot.rows(self._graph.ids)
            self._graph_live: Mask = np.asarray((rows >= 0) & snapshot.live[rows], np.bool_)
            covered = np.isin(snapshot.texts, snapshot.texts[rows[self._graph_live]])
            self._uncovered: Mask = np.asarray(snapshot.live & ~covered, np.bool_)
            self._outside = snapshot.live.copy()
            self._outside[rows[self._graph_live]] = False

    @property
    def graph_size(self) -> int:
        """Vectors in the graph, the hidden ones included; 0 without a graph."""
        return 0 if self._graph is None else len(self._graph.ids)

    @property
    def graph_is_stale(self) -> bool:
        """Whether a new graph would be worth its building."""
        size = self.graph_size
        if size == 0:
            return True
        uncovered, live = np.count_nonzero(self._uncovered), np.count_nonzero(self._graph_live)
        return bool(uncovered > size * _STALE_ABOVE_UNCOVERED or size - live > size * _STALE_ABOVE_HIDDEN)

    def search(self, vector: Vectors, k: int, readable: Mask) -> Hits:
        """Find the `k` nearest readable chunks."""
        if self._graph is None:
            return self._signs.search(vector, k, readable)
        if readable is self.snapshot.live:
            near = self._graph.search(vector, k, self._graph_live)
            return merge_hits(near, self._signs.search(vector, k, self._uncovered), k)
        share = np.count_nonzero(readable) / max(1, self.snapshot.count)
        if share < _GRAPH_ABOVE_READABLE:
            return self._signs.search(vector, k, readable)
        return self._search_filtered_graph(self._graph, vector, k, readable, int(k * _SPARE_NEAR / share))

    def _search_filtered_graph(self, graph: VectorIndex, vector: Vectors, k: int, readable: Mask, asked: int) -> Hits:
        near = self.snapshot.kept(graph.search(vector, min(asked, len(graph.ids))), readable)
        if len(near) < k:
            # What is hidden may be just what the question is about: then its neighbours say little of the rest.
            return self._signs.search(vector, k, readable)
        # A text is in the graph once, perhaps by a chunk that is hidden here: each one outside is compared.
        outside = np.asarray(readable & self._outside, np.bool_)
        return merge_hits(near, self._signs.search(vector, k, outside), k)
