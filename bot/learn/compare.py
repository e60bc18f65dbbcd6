"""Compare two systems that answered the same rows: paired differences, measure by measure, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import MisuseError
from bot.evaluate.files import read_rows
from bot.evaluate.outcome import Outcome, outcome_from
from bot.learn.intervals import Difference, compare

LOWER_IS_BETTER = frozenset({"abstained_wrongly", "characters", "seconds"})
MEASURES = (
    "right",
    "contains_gold",
    "f1",
    "abstained_rightly",
    "abstained_wrongly",
    "cited_right",
    "supported",
    "characters",
    "seconds",
)


@dataclass(frozen=True, kw_only=True)
class MeasureDifference:
    """One measure of two systems, over the rows that tell of both."""

    measure: str
    first: float
    second: float
    difference: Difference
    """First minus second."""
    lower_is_better: bool

    @property
    def gain(self) -> Difference:
        """The difference so that more is better."""
        found = self.difference
        if not self.lower_is_better:
            return found
        return Difference(
            mean=-found.mean,
            low=-found.high,
            high=-found.low,
            relative=None if found.relative is None else -found.relative,
            relative_low=None if found.relative_high is None else -found.relative_high,
            relative_high=None if found.relative_low is None else -found.relative_low,
            rows=found.rows,
            groups=found.groups,
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems, measure by measure."""

    first: str
    second: str
    rows: int
    """That both answered."""
    left_out: int
    """Rows that only one of them answered."""
    measures: tuple[MeasureDifference, ...]


def compare_files(first: Path, second: Path) -> Comparison:
    """Compare two files of `lorekeeper eval answers --run`; raises MisuseError where they share no rows."""
    ours, others = (_read(path) for path in (first, second))
    names = (first.stem, second.stem) if first.stem != second.stem else (str(first), str(second))
    comparison = compare_outcomes(ours, others, names[0], names[1])
    if not comparison.rows:
        raise MisuseError(f"{first} and {second} have no row in common: make both from the same file.")
    return comparison


def compare_outcomes(ours: Sequence[Outcome], others: Sequence[Outcome], first: str, second: str) -> Comparison:
    """Compare the outcomes of the same rows, matched by their ids; measures that no row tells are left out."""
    theirs = {one.id: one for one in others}
    pairs = [(one, theirs[one.id]) for one in ours if one.id in theirs]
    found = (measure_pairs(measure, pairs) for measure in MEASURES)
    return Comparison(
        first=first,
        second=second,
        rows=len(pairs),
        left_out=len({one.id for one in ours} ^ theirs.keys()),
        measures=tuple(one for one in found if one is not None),
    )


def measure_pairs(measure: str, pairs: Sequence[tuple[Outcome, Outcome]]) -> MeasureDifference | None:
    """Compare by one measure; None where no row tells of both."""
    told: list[tuple[float, float, str]] = []
    for one, other in pairs:
        mine, its = getattr(one, measure), getattr(other, measure)
        if mine is not None and its is not None:
            told.append((mine, its, one.group))
    if not told:
        return None
    mine_all, its_all, groups = zip(*told, strict=True)
    return MeasureDifference(
        measure=measure,
        first=sum(mine_all) / len(told),
        second=sum(its_all) / len(told),
        difference=compare(mine_all, its_all, groups),
        lower_is_better=measure in LOWER_IS_BETTER,
    )


def _read(path: Path) -> list[Outcome]:
    outcomes = [outcome_from(row, f"{path}, row {number}") for number, row in enumerate(read_rows(path), 1)]
    if len({one.id for one in outcomes}) != len(outcomes):
        raise MisuseError(f"{path} holds a row twice: make it again from a file with ids that differ.")
    return outcomes
