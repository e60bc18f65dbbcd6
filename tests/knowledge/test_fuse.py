from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.fuse import FusedHit, fuse, min_max
from knowledge.hits import Hits, no_hits


def hits(*pairs: tuple[int, float]) -> Hits:
    return Hits(
        ids=np.asarray([pair[0] for pair in pairs], np.int64),
        scores=np.asarray([pair[1] for pair in pairs], np.float32),
    )


def fused_hits(vectors: Hits, words: Hits, word_weight: float) -> tuple[FusedHit, ...]:
    fused = fuse(vectors, words, word_weight)
    return fused.part(0, len(fused))


def test_scores_are_a_convex_combination_of_the_normalised_lists() -> None:
    fused = fused_hits(hits((1, 0.9), (2, 0.7), (3, 0.5)), hits((3, 8.0), (4, 6.0), (2, 4.0)), 0.25)
    assert [(hit.id, round(hit.score, 4), hit.word_score) for hit in fused] == [
        (1, 0.75, 0.0),
        (2, 0.375, 0.0),
        (3, 0.25, 1.0),
        (4, 0.125, 0.5),
    ]


def test_weight_zero_keeps_the_vectors_order_and_weight_one_the_words() -> None:
    vectors, words = hits((1, 0.9), (2, 0.8), (3, 0.1)), hits((3, 9.0), (2, 5.0), (1, 1.0))
    assert [hit.id for hit in fused_hits(vectors, words, 0.0)] == [1, 2, 3]
    assert [hit.id for hit in fused_hits(vectors, words, 1.0)] == [3, 2, 1]


def test_a_missing_list_counts_as_zero() -> None:
    assert [(hit.id, round(hit.score, 4)) for hit in fused_hits(hits((5, 0.4), (6, 0.2)), no_hits(), 0.3)] == [
        (5, 0.7),
        (6, 0.0),
    ]
    assert fused_hits(no_hits(), no_hits(), 0.3) == ()


def test_a_single_hit_is_normalised_to_one() -> None:
    assert min_max(np.asarray([0.2], np.float32)).tolist() == [1.0]


def test_equal_scores_are_ordered_by_id() -> None:
    assert [hit.id for hit in fused_hits(hits((9, 0.5), (4, 0.5), (7, 0.5)), no_hits(), 0.3)] == [4, 7, 9]


scored = st.dictionaries(st.integers(0, 30), st.floats(-1, 1, width=32), max_size=20)


@given(scored, scored, st.floats(0, 1))
def test_every_chunk_appears_once_in_falling_order_between_zero_and_one(
    vectors: dict[int, float], words: dict[int, float], weight: float
) -> None:
    fused = fused_hits(hits(*vectors.items()), hits(*words.items()), weight)
    assert sorted(hit.id for hit in fused) == sorted(vectors.keys() | words.keys())
    scores = [hit.score for hit in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(-1e-6 <= score <= 1 + 1e-6 for score in scores)
    assert all(hit.word_score == pytest.approx(0) for hit in fused if hit.id not in words)
