"""Is this a change or chance? Two windows of answers, one measure each, compared with a test that fits.

Answers are not independent: those of one person and those of one day resemble each other. So counts are cut down to
what they are worth (a design effect from the intraclass correlation) before they are tested. Shares are compared by
Fisher's exact test, distributions by Kolmogorov and Smirnov; several looks at once are corrected by Benjamini and
Hochberg. Knows numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Kind = Literal["share", "values"]
"""Yes or no about each answer; or a number."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measure of some answers, with whose each was and of which day."""

    values: Numbers = field(repr=False)
    people: tuple[str, ...] = field(repr=False)
    days: tuple[date, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How two samples differ."""

    before: float
    """The share, or the median."""
    after: float
    count_before: int
    count_after: int
    p: float
    """How often chance alone would show as much."""
    effect: float
    """Cohen's h of two shares, or the largest distance of two distributions; 0 to about 3, or to 1."""


def compare(kind: Kind, before: Sample, after: Sample) -> Difference:
    """Compare two samples, neither of them empty."""
    worth_before, worth_after = _worth(before, after)
    if kind == "share":
        one, other = float(before.values.mean()), float(after.values.mean())
        p = _fisher(one, worth_before, other, worth_after)
        effect = abs(2 * math.asin(math.sqrt(other)) - 2 * math.asin(math.sqrt(one)))
    else:
        one, other = float(np.median(before.values)), float(np.median(after.values))
        effect = float(_stats().ks_2samp(before.values, after.values, method="asymp").statistic)
        p = float(_stats().kstwobign.sf(math.sqrt(worth_before * worth_after / (worth_before + worth_after)) * effect))
    return Difference(
        before=one, after=other, count_before=len(before), count_after=len(after), p=min(1.0, p), effect=effect
    )


def adjusted(ps: Sequence[float]) -> tuple[float, ...]:
    """The p values of one look, each corrected for the others (Benjamini and Hochberg)."""
    return tuple(float(p) for p in _stats().false_discovery_control(ps)) if ps else ()


def turning_day(before: Sample, after: Sample) -> date:
    """The first day of the change: where cutting the days in two parts them best."""
    values = np.concatenate([before.values, after.values])
    days = np.asarray([day.toordinal() for day in (*before.days, *after.days)])
    ranks = _stats().rankdata(values)
    best, found = -1.0, int(min(day.toordinal() for day in after.days))
    for day in np.unique(days)[1:]:
        early, late = ranks[days < day], ranks[days >= day]
        gap = abs(float(late.mean() - early.mean())) * math.sqrt(len(early) * len(late) / len(ranks))
        if gap > best:
            best, found = gap, int(day)
    return date.fromordinal(found)


def _fisher(one: float, count: float, other: float, other_count: float) -> float:
    table = [[round(share * n), round(n) - round(share * n)] for share, n in ((one, count), (other, other_count))]
    return float(_stats().fisher_exact(table).pvalue)


def _worth(before: Sample, after: Sample) -> tuple[float, float]:
    """How many independent answers each sample is worth."""
    both = (before, after)
    # The larger of both samples': the smaller one tells little of it by itself.
    by_person = max(_alike_by_person(one) for one in both)
    by_day = max(_alike_by_day(one) for one in both)
    worth = [
        len(one) / max(1 + (_group_size(one.people) - 1) * by_person, 1 + (_group_size(one.days) - 1) * by_day)
        for one in both
    ]
    return max(1.0, worth[0]), max(1.0, worth[1])


def _alike_by_person(sample: Sample) -> float:
    """How alike the answers of one person are, 0 to 1: the intraclass correlation of the ranks."""
    values, numbers = _stats().rankdata(sample.values), _numbered(sample.people)
    count, sizes = len(values), np.bincount(numbers).astype(np.float64)
    parts = len(sizes)
    if parts < 2 or parts == count:
        return 0.0
    means = np.bincount(numbers, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (parts - 1)
    within = float(((values - means[numbers]) ** 2).sum()) / (count - parts)
    size = (count - float((sizes**2).sum()) / count) / (parts - 1)
    return _share((between - within) / size, within)


def _alike_by_day(sample: Sample) -> float:
    """How alike the answers of one day are, 0 to 1: from how much each day differs from the next.

    A lasting change within the sample, which is what is looked for, shows in one such step only.
    """
    days = np.asarray([day.toordinal() for day in sample.days])
    _, numbers = np.unique(days, return_inverse=True)
    values, sizes = _stats().rankdata(sample.values), np.bincount(numbers).astype(np.float64)
    parts = len(sizes)
    if parts < 2 or parts == len(values):
        return 0.0
    means = np.bincount(numbers, weights=values) / sizes
    within = float(((values - means[numbers]) ** 2).sum()) / (len(values) - parts)
    steps = np.diff(means) ** 2 - within * (1 / sizes[1:] + 1 / sizes[:-1])
    return _share(float(steps.mean()) / 2, within)


def _share(between: float, within: float) -> float:
    return max(0.0, between) / (max(0.0, between) + within) if max(0.0, between) + within > 0 else 0.0


def _group_size(groups: Sequence[object]) -> float:
    """The size of the group of an answer, on average over answers: one person with half of them weighs."""
    sizes = np.bincount(_numbered(groups)).astype(np.float64)
    return float((sizes**2).sum() / sizes.sum())


def _numbered(groups: Sequence[object]) -> npt.NDArray[np.int64]:
    numbers: dict[object, int] = {}
    return np.asarray([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)


@cache
def _stats() -> Any:
    """scipy.stats, loaded where it is needed: the bot starts with the watch, and nobody should wait for it."""
    from scipy import stats

    return stats
