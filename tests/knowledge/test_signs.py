from __future__ import annotations

import numpy as np
import pytest

from knowledge.embed import Vectors
from knowledge.hits import Ids
from knowledge.index import ExactIndex, VectorIndex
from knowledge.signs import SignCodes, SignIndex, sign_words
from tests.contracts.vector_index import DIM, VectorIndexContract


def sign_index(ids: Ids, vectors: Vectors, rescored: int | None = 300) -> SignIndex:
    mean = vectors.mean(axis=0) if len(vectors) else np.zeros(DIM, np.float32)
    return SignIndex(ids, vectors, SignCodes(mean=mean, words=sign_words(vectors, mean)), rescored)


def long_vectors(count: int, seed: int = 7, mean: float = 0.0) -> Vectors:
    """Unit vectors of 192 dimensions around 40 topics, which may all lie on one side."""
    topics = np.random.default_rng(0).standard_normal((40, 192))
    random = np.random.default_rng(seed)
    vectors = topics[random.integers(0, 40, count)] + 0.9 * random.standard_normal((count, 192)) + mean
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class TestSignIndex(VectorIndexContract):
    def build(self, ids: Ids, vectors: Vectors) -> VectorIndex:
        return sign_index(ids, vectors, None)


@pytest.mark.parametrize("dim", [1, 63, 64, 65, 384])
def test_one_word_holds_64_signs(dim: int) -> None:
    vectors = np.random.default_rng(dim).standard_normal((10, dim)).astype(np.float32)
    words = sign_words(vectors, np.zeros(dim, np.float32))
    assert words.shape == (-(-dim // 64), 10)
    assert [int(np.bitwise_count(column).sum()) for column in words.T] == (vectors > 0).sum(axis=1).tolist()


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.9, 1.0])
def test_nearly_all_that_exact_search_finds_is_found_under_any_filter(share: float) -> None:
    ids, vectors = np.arange(10_000, dtype=np.int64), long_vectors(10_000)
    allowed = np.random.default_rng(1).random(10_000) < share
    exact, signs, found = ExactIndex(ids, vectors), sign_index(ids, vectors), 0
    for question in long_vectors(50, seed=8):
        hits = signs.search(question, 10, allowed)
        assert allowed[hits.ids].all()
        found += len(np.intersect1d(hits.ids, exact.search(question, 10, allowed).ids))
    assert found >= 0.9 * 500


def test_a_mean_far_from_zero_takes_nothing_away() -> None:
    """Where every vector points much the same way, their plain signs are all the same."""
    ids, vectors = np.arange(5_000, dtype=np.int64), long_vectors(5_000, mean=2.0)
    exact, signs, found = ExactIndex(ids, vectors), sign_index(ids, vectors), 0
    for question in long_vectors(50, seed=8, mean=2.0):
        found += len(np.intersect1d(signs.search(question, 10).ids, exact.search(question, 10).ids))
    assert found >= 0.9 * 500
