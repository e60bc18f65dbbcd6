"""Paired intervals: as wide as the groups make them, and the same for the same scores."""

from __future__ import annotations

import numpy as np
import pytest

from bot.learn.intervals import bootstrap, compare


def test_a_difference_that_every_question_shows_is_sure() -> None:
    found = compare([1.0, 0.5, 0.75], [0.5, 0.0, 0.25])
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.relative == pytest.approx(2.0)


def test_the_interval_is_the_one_that_the_normal_distribution_expects() -> None:
    random = np.random.default_rng(1)
    scores, others = random.normal(0.5, 0.1, 2_000), random.normal(0.4, 0.1, 2_000)
    found = compare(list(scores), list(others))
    half = 1.96 * (scores - others).std() / np.sqrt(2_000)
    assert found.low == pytest.approx(found.mean - half, abs=0.001)
    assert found.high == pytest.approx(found.mean + half, abs=0.001)


def test_rows_of_one_group_prove_less_than_rows_of_many() -> None:
    ours, others = [1.0] * 20 + [0.0] * 20, [0.0] * 20 + [0.2] * 20
    alone = compare(ours, others)
    together = compare(ours, others, [f"conversation {number // 10}" for number in range(40)])
    assert together.groups == 4
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.mean == alone.mean


def test_groups_count_by_their_rows() -> None:
    values = [1.0] * 9 + [0.0]
    found = bootstrap(values, ["large"] * 9 + ["small"])
    assert (found.low, found.high) == (0.0, 1.0)
    assert compare(values, [0.0] * 10, ["large"] * 9 + ["small"]).mean == pytest.approx(0.9)


def test_the_same_scores_give_the_same_interval_in_any_order_of_groups() -> None:
    first = bootstrap([0.1, 0.9, 0.4], ["a", "b", "c"])
    assert bootstrap([0.4, 0.1, 0.9], ["c", "a", "b"]) == first


def test_a_share_of_nothing_is_not_told() -> None:
    found = compare([1.0, 1.0], [0.0, 0.0])
    assert found.relative is None
    assert "%" not in str(found)


@pytest.mark.parametrize(("ours", "others"), [([], []), ([1.0], [1.0, 0.0])])
def test_what_is_not_paired_is_refused(ours: list[float], others: list[float]) -> None:
    with pytest.raises(ValueError, match="paired"):
        compare(ours, others)
    with pytest.raises(ValueError, match="group"):
        bootstrap([1.0, 2.0], ["only one"])
