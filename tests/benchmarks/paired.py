"""Paired bootstrap: how sure is a difference between two systems that answered the same questions?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAMPLES = 10_000
_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Ours minus the other's, the mean over the questions with its 95 % interval."""

    mean: float
    low: float
    high: float
    relative: float
    """The difference as a share of the other's mean."""
    relative_low: float
    relative_high: float

    def __str__(self) -> str:
        return (
            f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}], "
            f"{self.relative:+.1%} [{self.relative_low:+.1%}, {self.relative_high:+.1%}]"
        )


def compare(ours: Sequence[float], others: Sequence[float]) -> Difference:
    """Compare two systems by their scores for the same questions, in the same order."""
    first, second = np.asarray(ours, np.float64), np.asarray(others, np.float64)
    if first.shape != second.shape or not len(first):
        raise ValueError(f"paired scores are needed, got {len(first)} and {len(second)}")
    drawn = np.random.default_rng(_SEED).integers(len(first), size=(_SAMPLES, len(first)))
    means, bases = first[drawn].mean(axis=1), second[drawn].mean(axis=1)
    low, high = np.quantile(means - bases, (0.025, 0.975))
    with np.errstate(divide="ignore", invalid="ignore"):
        relative_low, relative_high = np.nanquantile(means / bases - 1, (0.025, 0.975))
        relative = first.mean() / second.mean() - 1
    return Difference(
        mean=float(first.mean() - second.mean()),
        low=float(low),
        high=float(high),
        relative=float(relative),
        relative_low=float(relative_low),
        relative_high=float(relative_high),
    )
