"""Figures of merit for rankings and latencies: pure functions over ids and numbers.

Gains are the judgements themselves (linear), as trec_eval and the published conversational runs compute them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np


def ndcg_at(ranked: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`; 0 where nothing is relevant."""
    ideal = _discounted(sorted((gain for gain in gains.values() if gain > 0), reverse=True)[:k])
    if ideal == 0:
        return 0.0
    return _discounted([max(0.0, gains.get(item, 0.0)) for item in _distinct(ranked)[:k]]) / ideal


def recall_at(ranked: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Share of the relevant items that are among the first `k`; 0 where nothing is relevant."""
    relevant = {item for item, gain in gains.items() if gain > 0}
    if not relevant:
        return 0.0
    return len(relevant.intersection(_distinct(ranked)[:k])) / len(relevant)


def reciprocal_rank(ranked: Sequence[str], gains: Mapping[str, float]) -> float:
    """One divided by the rank of the first relevant item; 0 where none was found."""
    for rank, item in enumerate(_distinct(ranked), start=1):
        if gains.get(item, 0.0) > 0:
            return 1.0 / rank
    return 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, interpolated; NaN for no values."""
    return float(np.quantile(np.asarray(values, np.float64), share)) if len(values) else math.nan


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN for no values."""
    return math.fsum(values) / len(values) if len(values) else math.nan


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _distinct(ranked: Sequence[str]) -> list[str]:
    # A document found through several of its chunks counts once, at its best rank.
    return list(dict.fromkeys(ranked))
