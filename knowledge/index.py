"""Nearest vectors, exactly (numpy) or through an HNSW graph: the only module that knows hnswlib.

It knows ids and unit vectors, nothing of documents, audiences or SQL. hnswlib ends the whole process on a
damaged file, so a file is opened here only after its checksum matched, and first by `python -m
knowledge.index FILE DIM COUNT`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from knowledge.embed import Vectors
from knowledge.errors import IndexFileError
from knowledge.hits import Hits, Ids, Mask, Scores, best_hits

_M = 16
_EF_CONSTRUCTION = 200
# How many candidates a search keeps. The default of 10 finds nine in ten of the true neighbours; the first of these
# finds .998 of the nearest ten among a million vectors around real ones, in 1 ms (tests/benchmarks/README.md). Vectors
# without any order in them take more: the check chooses the first that is good enough.
_EFS = (512, 1024, 2048)
_BUILD_BATCH = 512
# Asked for this many more than wanted, hidden vectors among the nearest rarely leave too few.
_SPARE = 64
# Copying rows out of the matrix costs about three times as much as scoring them where they are.
_GATHER_BELOW = 0.3
_COPIED_ROWS = 512
_PROBES = 50
# Questions are not among what is asked about: the half of them, so far from what the graph holds, is for those.
_PROBE_NOISE = 0.7
_PROBED_ROWS = 10_000
_PROBE_DEPTH = 10
_WANTED_RECALL, _LEAST_RECALL = 0.99, 0.95
_SAME_SCORE = 1e-5


KeptVectors = npt.NDArray[np.float32 | np.float16]
"""Unit vectors as they are kept in memory, one a row: float16 takes half of it, and is computed with as float32."""


class BuildStoppedError(Exception):
    """The caller asked to stop while a graph was being built."""


class VectorIndex(Protocol):
    """A fixed set of unit vectors under ascending ids. Searches may run in several threads.

    Real implementations: `ExactIndex` and `HnswIndex`. Both pass `tests/contracts/vector_index.py`.
    """

    @property
    def ids(self) -> Ids:
        """All ids it holds, ascending."""

    @property
    def dim(self) -> int:
        """Length of each vector."""

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` nearest by inner product among the ids where `allowed` (aligned with `ids`) is true.

        Returns fewer only where fewer are allowed.
        """


class ExactIndex:
    """Compares with every vector: always right, any filter, 15 ms for 100,000 vectors."""

    def __init__(self, ids: Ids, vectors: KeptVectors) -> None:
        self._ids = ids
        self._vectors = vectors

    @property
    def ids(self) -> Ids:
        """All ids it holds, ascending."""
        return self._ids

    @property
    def dim(self) -> int:
        """Length of each vector."""
        return int(self._vectors.shape[1])

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` nearest among the allowed ids."""
        if allowed is None:
            return best_hits(self._ids, inner_products(self._vectors, vector), k)
        rows = np.flatnonzero(allowed)
        if len(rows) < len(self._ids) * _GATHER_BELOW:
            return best_hits(self._ids[rows], inner_products_at(self._vectors, rows, vector), k)
        return best_hits(self._ids[rows], inner_products(self._vectors, vector)[rows], k)


def graph_bytes(dim: int) -> int:
    """What one vector takes in a graph: itself, its links on the ground and, for few, above, and its label."""
    return 4 * dim + 4 * (2 * _M + 1) + 4 * (_M + 1) // (_M - 1) + 16


def inner_products(vectors: KeptVectors, vector: Vectors) -> Scores:
    """Each row's inner product with one vector, on the calling thread alone."""
    if vectors.dtype != np.float32:
        return inner_products_at(vectors, np.arange(len(vectors)), vector)
    # As fast as a matrix product on one core. That one would start a thread on each core and wait for all of them:
    # beside a language model that keeps the cores busy it took 30 ms where this takes 1.3 ms (10,000 rows).
    return np.asarray(np.vecdot(vectors, vector), np.float32)


def inner_products_at(vectors: KeptVectors, rows: npt.NDArray[np.intp], vector: Vectors) -> Scores:
    """The inner products of some rows; copied in small blocks, since fresh memory costs more than what is computed."""
    products = np.empty(len(rows), np.float32)
    copied = np.empty((min(_COPIED_ROWS, len(rows)), vectors.shape[1]), vectors.dtype)
    for start in range(0, len(rows), _COPIED_ROWS):
        chosen = rows[start : start + _COPIED_ROWS]
        block = np.take(vectors, chosen, axis=0, out=copied[: len(chosen)], mode="clip")
        products[start : start + len(chosen)] = np.vecdot(block.astype(np.float32, copy=False), vector)
    return products


class HnswIndex:
    """An HNSW graph that is never changed once built: hnswlib allows no writer beside a reader."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self.widen(_EFS[0])
        self._ids: Ids = np.sort(np.asarray(graph.get_ids_list(), np.int64))

    @classmethod
    def build(
        cls,
        ids: Ids,
        vectors: KeptVectors,
        *,
        rows: Ids | None = None,
        threads: int = 1,
        stop: Callable[[], bool] | None = None,
    ) -> HnswIndex:
        """Build a graph, of some rows where they are named; raises BuildStoppedError when `stop` says so in between.

        Equal vectors can cut a graph into pieces: pass each only once.
        """
        import hnswlib

        graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
        chosen = np.arange(len(ids)) if rows is None else rows
        graph.init_index(max_elements=max(1, len(chosen)), M=_M, ef_construction=_EF_CONSTRUCTION)
        for start in range(0, len(chosen), _BUILD_BATCH):
            if stop is not None and stop():
                raise BuildStoppedError
            # Copied batch by batch: all at once would take the memory of the vectors a second time.
            batch = chosen[start : start + _BUILD_BATCH]
            graph.add_items(vectors[batch].astype(np.float32), ids[batch], num_threads=threads)
        return cls(graph)

    @classmethod
    def load(cls, file: Path, dim: int, count: int) -> HnswIndex:
        """Open a file whose checksum matched; a damaged one can end the process."""
        import hnswlib

        graph = hnswlib.Index(space="ip", dim=dim)
        try:
            graph.load_index(str(file), max_elements=count)
        except RuntimeError as error:
            raise IndexFileError(
                f"{file} is not a readable index ({error}). It is rebuilt from the database."
            ) from error
        if graph.get_current_count() != count:
            raise IndexFileError(
                f"{file} holds {graph.get_current_count()} vectors, its manifest says {count}. "
                "It is rebuilt from the database."
            )
        return cls(graph)

    @property
    def ids(self) -> Ids:
        """All ids it holds, ascending."""
        return self._ids

    @property
    def dim(self) -> int:
        """Length of each vector."""
        return int(self._graph.dim)

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` nearest; made for few hidden ids, exact where these leave too few."""
        usable = len(self._ids) if allowed is None else int(np.count_nonzero(allowed))
        wanted = min(k, usable)
        if wanted == 0:
            return best_hits(self._ids[:0], np.empty(0, np.float32), 0)
        hidden = len(self._ids) - usable
        try:
            labels, distances = self._graph.knn_query(
                vector, k=min(wanted + min(hidden, wanted + _SPARE), len(self._ids)), num_threads=1
            )
        except RuntimeError:  # the graph could not reach that many
            return self._search_exactly(vector, wanted, allowed)
        ids = labels[0].astype(np.int64)
        kept = slice(None) if allowed is None else allowed[np.searchsorted(self._ids, ids)]
        hits = best_hits(ids[kept], (1.0 - distances[0][kept]).astype(np.float32), wanted)
        return hits if len(hits) == wanted else self._search_exactly(vector, wanted, allowed)

    def save(self, file: Path) -> None:
        """Write the graph; raises IndexFileError for a short file, which hnswlib does not notice."""
        try:
            self._graph.save_index(str(file))
        except RuntimeError as error:
            raise IndexFileError(f"The index could not be written to {file} ({error}). Check the folder.") from error
        expected, written = int(self._graph.index_file_size()), file.stat().st_size
        if written != expected:
            raise IndexFileError(f"{file} has {written} of {expected} bytes. Free some space on that disk.")

    @property
    def ef(self) -> int:
        """How many candidates a search keeps."""
        return int(self._graph.ef)

    def widen(self, ef: int) -> None:
        """Keep so many candidates in each search: more of the nearest are found, in more time."""
        self._graph.set_ef(ef)

    def fit(self, efs: Sequence[int] = _EFS) -> float:
        """Choose how many candidates a search keeps: the first number that finds enough, or the last.

        Returns the recall of the ten nearest with it, 0 to 1: compared is with exact search, asked are vectors that it
        holds, and others near to these.
        """
        if not len(self._ids):
            return 1.0
        asked = self._probes()
        best = np.full((len(asked), _PROBE_DEPTH), -np.inf, np.float32)
        # Block by block: a second copy of a million vectors is too much for a check.
        for start in range(0, len(self._ids), _PROBED_ROWS):
            scores = asked @ self._vectors(self._ids[start : start + _PROBED_ROWS]).T
            best = np.sort(np.hstack((best, scores)), axis=1)[:, -_PROBE_DEPTH:]
        recall = 0.0
        for ef in efs:
            self.widen(ef)
            found = [self.search(vector, _PROBE_DEPTH).scores for vector in asked]
            # By score, not by id: among equally near vectors any choice is right.
            shares = [np.mean(scores >= least - _SAME_SCORE) for scores, least in zip(found, best[:, 0], strict=True)]
            recall = float(np.mean(shares))
            if recall >= _WANTED_RECALL:
                break
        return recall

    def _probes(self) -> Vectors:
        held = self._vectors(np.unique(self._ids[np.linspace(0, len(self._ids) - 1, _PROBES).astype(np.int64)]))
        noise = np.random.default_rng(len(self._ids)).standard_normal(held.shape, np.float32)
        near = held + _PROBE_NOISE / np.sqrt(self.dim) * noise
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        return np.asarray(np.concatenate((held, near)), np.float32)

    def _search_exactly(self, vector: Vectors, k: int, allowed: Mask | None) -> Hits:
        return self._exact().search(vector, k, allowed)

    def _exact(self) -> ExactIndex:
        return ExactIndex(self._ids, self._vectors(self._ids))

    def _vectors(self, labels: Ids) -> Vectors:
        vectors = np.asarray(self._graph.get_items(labels, return_type="numpy"), np.float32)
        return vectors.reshape(len(labels), self.dim)


def _check(file: Path, dim: int, count: int) -> int:
    """Open and search a file that nobody has trusted yet; run in a child, which may well die of it. Prints the ef."""
    index = HnswIndex.load(file, dim, count)
    recall = index.fit()
    if recall < _LEAST_RECALL:
        sys.stderr.write(f"finds only {recall:.0%} of the nearest vectors\n")
        return 1
    sys.stdout.write(f"{index.ef}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_check(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
