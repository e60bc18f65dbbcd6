"""HNSW graphs of places where much was said, built beside the answers and kept in memory for a while.

A graph is a cache: it is dropped as soon as a turn in it is not there any more, so that nothing of what was forgotten
stays in it past the next question there.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from knowledge.embed import Vectors
from knowledge.hits import Ids
from knowledge.index import HnswIndex

logger = logging.getLogger(__name__)

Place = tuple[str, str]
"""A person's own conversations, or a channel's."""
# 4,000 vectors of 384 numbers take about 7 MB with their links.
_MOST_GRAPHS = 16
# Newer turns are compared exactly: up to so large a share of them costs less than a new graph.
_REBUILT_FROM = 0.2


@dataclass(frozen=True, kw_only=True)
class _Built:
    """A graph, and of how many turns it was built: equal ones are in it once."""

    graph: HnswIndex
    turns: int


class PlaceGraphs:
    """The graphs of one database; all methods may be called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: OrderedDict[Place, _Built] = OrderedDict()
        self._building: dict[Place, Future[None]] = {}
        self._workers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memory-graph")

    def graph(self, place: Place, ids: Ids, load: Callable[[Ids], tuple[Ids, Vectors]]) -> HnswIndex | None:
        """The graph of a place, of these turns; None until it is built, which begins here."""
        with self._lock:
            built = self._graphs.get(place)
        if built is not None and not _is_all_there(built.graph, ids, load):
            built = None
        with self._lock:
            if built is None:
                self._graphs.pop(place, None)
            else:
                self._graphs[place] = built
                self._graphs.move_to_end(place)
            newer = len(ids) - (built.turns if built else 0)
            if newer > _REBUILT_FROM * len(ids) and place not in self._building:
                self._building[place] = self._workers.submit(self._build, place, ids, load)
        return built.graph if built else None

    def wait(self) -> None:
        """Wait for the graphs that are being built (tests and measurements)."""
        with self._lock:
            building = list(self._building.values())
        for one in building:
            one.result()

    def _build(self, place: Place, ids: Ids, load: Callable[[Ids], tuple[Ids, Vectors]]) -> None:
        try:
            known, vectors = load(ids)
            # Equal vectors can cut a graph into pieces: the others stay outside, where they are compared exactly.
            _, first = np.unique(vectors, axis=0, return_index=True)
            kept = np.sort(first)
            graph = HnswIndex.build(known[kept], vectors[kept])
            with self._lock:
                self._graphs[place] = _Built(graph=graph, turns=len(known))
                self._graphs.move_to_end(place)
                while len(self._graphs) > _MOST_GRAPHS:
                    self._graphs.popitem(last=False)
        except Exception:
            # The outermost edge of this thread: what has no graph is compared exactly.
            logger.exception("no graph was built for a place with %d turns", len(ids))
        finally:
            with self._lock:
                self._building.pop(place, None)


def _is_all_there(graph: HnswIndex, ids: Ids, load: Callable[[Ids], tuple[Ids, Vectors]]) -> bool:
    """Whether every turn of a graph still has its row; those that are not asked for may still have theirs."""
    hidden = np.setdiff1d(graph.ids, ids)
    return len(hidden) == 0 or len(load(hidden)[0]) == len(hidden)
