"""The learning loop in pictures: what the gate found, how a run went, what people thought. The one module that knows
matplotlib; it draws without a window and without global state, so that any thread may."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import MisuseError
from bot.learn.compare import MeasureDifference
from bot.overview import VersionWeek

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of `bot.chart`: told apart by brightness as well.
_GOOD, _BAD, _INK, _QUIET, _LINE, _PAPER = "#1d7a52", "#f2a65a", "#1d1c1d", "#6b6f76", "#d5d5d8", "#ffffff"
_SERIES = ("#1d7a52", "#f2a65a", "#3f6fb5", "#a34a78", "#6b6f76")
_WORSE = "#b3261e"
_DPI = 150
_SMOOTHED_OVER = 20
_LINE_LENGTH = 72
_NAMES: Mapping[str, str] = {
    "right": "right answer, or rightly none",
    "contains_gold": "holds the right words",
    "f1": "token F1",
    "abstained_rightly": "says that it does not know,\nwhere it cannot",
    "abstained_wrongly": "does not say so where it could",
    "cited_right": "cites the right passage",
    "supported": "sentences that their citation holds",
    "general_contains": "general skill: right",
    "general_log_probability": "general skill: log-probability",
}
_NOT_SHARES = frozenset({"characters", "seconds"})


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of a picture of differences."""

    name: str
    mean: float
    low: float
    high: float
    note: str
    verdict: str = ""
    """`better`, `worse` or empty."""


def draw_differences(bars: Sequence[Bar], *, title: str, beneath: str, file: Path) -> None:
    """Draw differences with their 95 % intervals, the first on top; right of the line is better."""
    figure, axes = _canvas(width=9.5, height=2.2 + 0.5 * max(1, len(bars)))
    colours = {"better": _GOOD, "worse": _WORSE}
    for place, bar in enumerate(reversed(bars)):
        colour = colours.get(bar.verdict, _QUIET)
        axes.plot([bar.low, bar.high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot([bar.mean], [place], "o", color=colour, markersize=8)
        axes.annotate(
            bar.note, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9, color=_QUIET
        )
    axes.axvline(0, color=_INK, linewidth=1)
    axes.set_yticks(range(len(bars)), [bar.name for bar in reversed(bars)])
    axes.set_ylim(-0.7, len(bars) - 0.3)
    reach = max([0.05, *(abs(edge) for bar in bars for edge in (bar.low, bar.high))]) * 1.1
    axes.set_xlim(-reach, reach)
    axes.grid(axis="x", color=_LINE, linewidth=0.7)
    axes.set_xlabel("worse  ←  paired difference with its 95 % interval  →  better")
    _finish(figure, axes, title, beneath, file)


def draw_comparison(measures: Sequence[MeasureDifference], *, first: str, second: str, file: Path) -> None:
    """Draw the shares of a comparison; lengths and times have another scale and are left out."""
    bars = [bar_of(one) for one in measures if one.measure not in _NOT_SHARES]
    rows = max((one.difference.rows for one in measures), default=0)
    draw_differences(bars, title=f"{first} against {second}", beneath=f"{rows} rows answered by both", file=file)


def bar_of(one: MeasureDifference, verdict: str | None = None) -> Bar:
    """A measure as a line of a picture; what is clear of 0 is said to be better or worse where nothing else is."""
    gain = one.gain
    if verdict is None:
        verdict = "better" if gain.low > 0 else "worse" if gain.high < 0 else ""
    note = f"{one.second:.2f} → {one.first:.2f}  (n={gain.rows})"
    name = _NAMES.get(one.measure, one.measure)
    return Bar(name=name, mean=gain.mean, low=gain.low, high=gain.high, note=note, verdict=verdict)


def draw_curves(logged: Sequence[Mapping[str, Any]], file: Path, *, title: str = "Tuning run") -> None:
    """Draw the losses of a run: rows of step, loss, validation_loss and learning_rate, each but the step optional."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _canvas(width=9.5, height=4.8)
    steps, losses = _series(logged, "loss")
    if steps:
        axes.plot(steps, losses, color=_SERIES[0], alpha=0.25, linewidth=1)
        axes.plot(steps, _smoothed(losses), color=_SERIES[0], linewidth=2, label="training loss (smoothed)")
    beneath = f"{len(steps)} logged steps"
    steps, losses = _series(logged, "validation_loss")
    if steps:
        best = min(range(len(losses)), key=losses.__getitem__)
        axes.plot(steps, losses, "o-", color=_SERIES[1], linewidth=2, markersize=5, label="validation loss")
        axes.annotate(
            f"best {losses[best]:.3f} at step {steps[best]:g}",
            (steps[best], losses[best]),
            xytext=(0, 14),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set(xlabel="step", ylabel="loss per token")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.15)
    axes.grid(color=_LINE, linewidth=0.7)
    steps, rates = _series(logged, "learning_rate")
    if steps:
        beside = axes.twinx()
        beside.plot(steps, rates, ":", color=_QUIET, linewidth=1.5)
        beside.set_ylabel("learning rate (dotted)", color=_QUIET)
        beside.set_ylim(bottom=0)
        beside.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        beside.spines[["top"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="upper right", fontsize=9)
    _finish(figure, axes, title, beneath, file)


def draw_feedback(weeks: Sequence[VersionWeek], file: Path, *, title: str = "Votes by week and version") -> None:
    """Draw the votes of each week, good ones up and bad ones down, side by side for each version."""
    figure, axes = _canvas(width=9.5, height=4.8)
    versions = list(dict.fromkeys(week.version for week in weeks if week.version))
    mondays = sorted({week.monday for week in weeks})
    width = 0.8 / max(1, len(versions))
    for place, version in enumerate(versions):
        colour = _SERIES[place % len(_SERIES)]
        votes = {week.monday: week for week in weeks if week.version == version}
        offsets = [number - 0.4 + width * (place + 0.5) for number in range(len(mondays))]
        good = [votes[monday].good if monday in votes else 0 for monday in mondays]
        bad = [votes[monday].bad if monday in votes else 0 for monday in mondays]
        axes.bar(offsets, good, width * 0.92, color=colour, label=f"{version}: {_share(good, bad)}")
        axes.bar(offsets, [-count for count in bad], width * 0.92, color=colour, alpha=0.45)
        for offset, up, down in zip(offsets, good, bad, strict=True):
            _count_at(axes, offset, up)
            _count_at(axes, offset, -down)
    axes.axhline(0, color=_INK, linewidth=1)
    axes.set_xticks(range(len(mondays)), [f"{monday:%d %b}" for monday in mondays])
    axes.set_ylabel("bad  ←  votes  →  good")
    axes.yaxis.set_major_formatter(lambda value, _place: f"{abs(value):g}")
    axes.margins(y=0.15)
    axes.grid(axis="y", color=_LINE, linewidth=0.7)
    if versions:
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.1), ncols=2)
    total = sum(week.good + week.bad for week in weeks)
    _finish(figure, axes, title, f"{total} votes; a week begins on its Monday", file)


def _share(good: Sequence[int], bad: Sequence[int]) -> str:
    total = sum(good) + sum(bad)
    return f"{sum(good) / total:.0%} good of {total}" if total else "no votes"


def _count_at(axes: Axes, offset: float, count: int) -> None:
    if count:
        side = "bottom" if count > 0 else "top"
        axes.annotate(str(abs(count)), (offset, count), ha="center", va=side, fontsize=8, color=_INK)


def _series(logged: Sequence[Mapping[str, Any]], key: str) -> tuple[list[float], list[float]]:
    pairs = [(float(row["step"]), float(row[key])) for row in logged if row.get(key) is not None]
    return [step for step, _ in pairs], [value for _, value in pairs]


def _smoothed(values: Sequence[float]) -> list[float]:
    """The mean of what came last; a single step says little."""
    over = max(1, min(_SMOOTHED_OVER, len(values) // 5))
    return [sum(values[max(0, end - over) : end]) / min(over, end) for end in range(1, len(values) + 1)]


def _canvas(*, width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def _finish(figure: Figure, axes: Axes, title: str, beneath: str, file: Path) -> None:
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=_INK)
    # Lines are cut to the width of the axes, which names beside them make narrow.
    axes.set_title(textwrap.fill(beneath, _LINE_LENGTH), loc="left", fontsize=10, color=_QUIET)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        figure.savefig(unfinished, format="png")
        unfinished.replace(file)
    except OSError as error:
        raise MisuseError(f"{file} cannot be written ({error.strerror}). Name another file.") from error
    finally:
        unfinished.unlink(missing_ok=True)
