"""How sure is a difference between two systems that answered the same questions? A paired bootstrap over groups.

Rows of one group (a conversation, an article) are drawn together: they are alike, and each alone proves less. Knows
nothing of what was measured.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLES = 10_000
SEED = 7
_QUANTILES = (0.025, 0.975)
# So many numbers are drawn at once: 10,000 samples of a large set would not fit into memory.
_MOST_DRAWN = 4_000_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where 95 % of the resampled means lie."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Ours minus the other's, the mean over the questions with its 95 % interval."""

    mean: float
    low: float
    high: float
    relative: float | None
    """The difference as a share of the other's mean; None where that is 0."""
    relative_low: float | None
    relative_high: float | None
    rows: int
    groups: int

    def __str__(self) -> str:
        absolute = f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        if self.relative is None or self.relative_low is None or self.relative_high is None:
            return absolute
        return f"{absolute}, {self.relative:+.1%} [{self.relative_low:+.1%}, {self.relative_high:+.1%}]"


def compare(
    ours: Sequence[float],
    others: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> Difference:
    """Compare two systems by their scores for the same questions, in the same order.

    Without groups each question is its own.
    """
    first, second = np.asarray(ours, np.float64), np.asarray(others, np.float64)
    if first.shape != second.shape or not len(first):
        raise ValueError(f"paired scores are needed, got {len(first)} and {len(second)}")
    scores = _by_group(np.stack([first, second, np.ones_like(first)]), groups)
    drawn = _resampled(scores, samples, seed)
    means, bases = drawn[0] / drawn[2], drawn[1] / drawn[2]
    low, high = np.quantile(means - bases, _QUANTILES)
    usual = bases != 0
    relative = means[usual] / bases[usual] - 1
    relative_low, relative_high = np.quantile(relative, _QUANTILES) if len(relative) else (None, None)
    return Difference(
        mean=float(first.mean() - second.mean()),
        low=float(low),
        high=float(high),
        relative=float(first.mean() / second.mean() - 1) if second.mean() else None,
        relative_low=None if relative_low is None else float(relative_low),
        relative_high=None if relative_high is None else float(relative_high),
        rows=len(first),
        groups=scores.shape[1],
    )


def bootstrap(
    values: npt.ArrayLike, groups: Sequence[Hashable] | None = None, *, samples: int = SAMPLES, seed: int = SEED
) -> Interval:
    """The 95 % interval of a mean (of paired differences, most often), drawn with replacement."""
    given = np.asarray(values, np.float64)
    drawn = _resampled(_by_group(np.stack([given, np.ones_like(given)]), groups), samples, seed)
    low, high = np.quantile(drawn[0] / drawn[1], _QUANTILES)
    return Interval(low=float(low), high=float(high))


def _by_group(columns: Floats, groups: Sequence[Hashable] | None) -> Floats:
    """Add up each row of columns within each group; the groups in the order of their names, so that seeds hold."""
    if groups is None:
        return columns
    if len(groups) != columns.shape[1]:
        raise ValueError(f"each score needs its group, got {columns.shape[1]} scores and {len(groups)} groups")
    places = {name: place for place, name in enumerate(sorted(set(groups), key=str))}
    placed = np.asarray([places[name] for name in groups], np.intp)
    return np.stack([np.bincount(placed, weights=column, minlength=len(places)) for column in columns])


def _resampled(columns: Floats, samples: int, seed: int) -> Floats:
    """The sums of each column over groups drawn with replacement: columns x samples."""
    random, count = np.random.default_rng(seed), columns.shape[1]
    step = max(1, _MOST_DRAWN // count)
    parts = []
    for start in range(0, samples, step):
        drawn = random.integers(count, size=(min(step, samples - start), count))
        parts.append(columns[:, drawn].sum(axis=2))
    return np.concatenate(parts, axis=1)
