"""Values worked out by hand from the definitions."""

from __future__ import annotations

import math

import pytest

from knowledge.measure import mean, ndcg_at, percentile, recall_at, reciprocal_rank

# Relevant at ranks 2 and 4 of four; a third relevant item was not found.
RANKED = ["a", "b", "c", "d"]
GAINS = {"b": 1.0, "d": 1.0, "x": 1.0, "a": 0.0}


def test_ndcg_discounts_by_rank_and_divides_by_the_ideal_order() -> None:
    found = 1 / math.log2(3) + 1 / math.log2(5)  # 0.6309 + 0.4307
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)  # 1 + 0.6309 + 0.5
    assert ndcg_at(RANKED, GAINS, 10) == pytest.approx(found / ideal)
    assert ndcg_at(RANKED, GAINS, 10) == pytest.approx(0.49819, abs=1e-5)


def test_ndcg_cuts_both_the_ranking_and_the_ideal() -> None:
    assert ndcg_at(RANKED, GAINS, 2) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


def test_ndcg_honours_graded_judgements() -> None:
    gains = {"a": 1.0, "b": 3.0}
    assert ndcg_at(["a", "b"], gains, 5) == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))


def test_the_ideal_order_scores_one() -> None:
    assert ndcg_at(["b", "d", "x", "a"], GAINS, 10) == pytest.approx(1.0)


def test_recall_is_the_share_of_the_relevant_found() -> None:
    assert recall_at(RANKED, GAINS, 2) == pytest.approx(1 / 3)
    assert recall_at(RANKED, GAINS, 10) == pytest.approx(2 / 3)


def test_reciprocal_rank_looks_at_the_first_relevant_item() -> None:
    assert reciprocal_rank(RANKED, GAINS) == 0.5
    assert reciprocal_rank(["a", "c"], GAINS) == 0.0


def test_an_item_found_twice_counts_once_at_its_better_rank() -> None:
    assert ndcg_at(["b", "b", "d", "x"], GAINS, 3) == pytest.approx(1.0)
    assert recall_at(["b", "b", "d"], GAINS, 2) == pytest.approx(2 / 3)


def test_nothing_relevant_means_zero() -> None:
    assert ndcg_at(RANKED, {}, 5) == recall_at(RANKED, {"a": 0.0}, 5) == reciprocal_rank(RANKED, {}) == 0.0


def test_percentiles_interpolate() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 0.5) == 3.0
    assert percentile([1.0, 2.0], 0.95) == pytest.approx(1.95)
    assert math.isnan(percentile([], 0.5))


def test_the_mean_of_nothing_is_not_a_number() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert math.isnan(mean([]))
