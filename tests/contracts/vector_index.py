"""What every VectorIndex must do: the tests of each implementation inherit this class and build their index."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from knowledge.embed import Vectors
from knowledge.hits import Ids
from knowledge.index import VectorIndex

DIM = 24


def unit_vectors(count: int, seed: int = 7) -> Vectors:
    """Unit vectors in a few clusters, as texts have topics."""
    random = np.random.default_rng(seed)
    topics = random.standard_normal((12, DIM))
    vectors = topics[random.integers(0, 12, count)] + 0.6 * random.standard_normal((count, DIM))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class VectorIndexContract:
    """Inherit and define `build`."""

    def build(self, ids: Ids, vectors: Vectors) -> VectorIndex:
        """Make the index under test."""
        raise NotImplementedError

    def test_reports_what_it_holds(self) -> None:
        index = self.build(np.asarray([3, 8, 11], np.int64), unit_vectors(3))
        assert index.ids.tolist() == [3, 8, 11]
        assert index.dim == DIM

    def test_finds_each_vector_by_itself(self) -> None:
        ids, vectors = np.arange(5, 305, dtype=np.int64), unit_vectors(300)
        index = self.build(ids, vectors)
        assert [int(index.search(vector, 1).ids[0]) for vector in vectors] == ids.tolist()

    def test_scores_are_inner_products_in_falling_order(self) -> None:
        ids, vectors = np.arange(300, dtype=np.int64), unit_vectors(300)
        hits = self.build(ids, vectors).search(vectors[17], 20)
        assert len(hits) == 20
        assert np.all(np.diff(hits.scores) <= 0)
        np.testing.assert_allclose(hits.scores, vectors[hits.ids] @ vectors[17], atol=1e-5)

    def test_finds_nearly_all_true_neighbours(self) -> None:
        ids, vectors = np.arange(2_000, dtype=np.int64), unit_vectors(2_000)
        index, found = self.build(ids, vectors), 0
        for question in unit_vectors(50, seed=8):
            true = np.argsort(-(vectors @ question))[:10]
            found += len(np.intersect1d(true, index.search(question, 10).ids))
        assert found >= 0.98 * 500

    def test_never_returns_an_id_twice_or_more_than_it_holds(self) -> None:
        index = self.build(np.asarray([1, 2], np.int64), unit_vectors(2))
        assert sorted(index.search(unit_vectors(1)[0], 50).ids.tolist()) == [1, 2]

    def test_an_empty_index_finds_nothing(self) -> None:
        index = self.build(np.empty(0, np.int64), np.empty((0, DIM), np.float32))
        assert len(index.search(unit_vectors(1)[0], 5)) == 0

    def test_asking_for_none_finds_none(self) -> None:
        index = self.build(np.arange(9, dtype=np.int64), unit_vectors(9))
        assert len(index.search(unit_vectors(1)[0], 0)) == 0

    @pytest.mark.parametrize("share", [0.0, 0.002, 0.02, 0.5, 0.98, 1.0])
    def test_returns_allowed_ids_only_and_all_it_can(self, share: float) -> None:
        ids, vectors = np.arange(100, 1_100, dtype=np.int64), unit_vectors(1_000)
        allowed = np.random.default_rng(3).random(1_000) < share
        question = unit_vectors(1, seed=9)[0]
        hits = self.build(ids, vectors).search(question, 10, allowed)
        assert len(hits) == min(10, int(allowed.sum()))
        assert np.isin(hits.ids, ids[allowed]).all()
        if len(hits):
            best = np.sort((vectors @ question)[allowed])[::-1][: len(hits)]
            np.testing.assert_allclose(hits.scores, best, atol=1e-5)

    def test_hidden_nearest_vectors_leave_room_for_the_next(self) -> None:
        ids, vectors = np.arange(1_000, dtype=np.int64), unit_vectors(1_000)
        question = unit_vectors(1, seed=10)[0]
        order = np.argsort(-(vectors @ question))
        allowed = np.ones(1_000, np.bool_)
        allowed[order[:300]] = False
        hits = self.build(ids, vectors).search(question, 10, allowed)
        assert hits.ids.tolist() == order[300:310].tolist()

    def test_many_threads_search_at_once(self) -> None:
        ids, vectors = np.arange(500, dtype=np.int64), unit_vectors(500)
        index = self.build(ids, vectors)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda vector: int(index.search(vector, 1).ids[0]), list(vectors) * 4))
        assert found == ids.tolist() * 4
