"""`lorekeeper watch`: are answers as good as they were?"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from bot.learn.watch import PeriodRow, Watched

_MOST_VERSIONS = 4


@click.command()
@click.option("--days", type=click.IntRange(min=1), default=56, show_default=True, help="How far back the table goes.")
@click.option("--by", type=click.Choice(["week", "day"]), default="week", show_default=True, help="Sum up by this.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into this PNG file.")
@json_option
@click.pass_obj
def watch(invocation: Invocation, days: int, by: str, plot: Path | None, as_json: bool) -> None:
    """Show votes, abstentions, scores, times and errors by version, and what changed.

    Looks and tells nobody: the bot itself looks once a day, and tells the channel of `tuning.alerts_to`.
    """
    from datetime import UTC, datetime

    from bot.learn.watch import watch as look

    now = datetime.now(UTC)
    with invocation.database() as engine:
        found = look(engine, now, days=days, period="day" if by == "day" else "week")
        if plot is not None:
            _draw(plot, found if by == "day" else look(engine, now, days=days, period="day"), days)
    if as_json:
        print_json(_json(found))
        return
    _print(found, by)
    if plot is not None:
        click.echo(f"The picture is in {plot}.", err=True)


def _json(found: Watched) -> dict[str, object]:
    changes = [asdict(change) | {"since": change.since.isoformat()} for change in found.changes]
    return {"rows": [asdict(row) | {"begins": row.begins.isoformat()} for row in found.rows], "changes": changes}


def _print(found: Watched, by: str) -> None:
    from bot.learn import words
    from bot.learn.words import measured

    if not found.rows:
        click.echo("No answers in this time. `lorekeeper playground` or `lorekeeper run` lets people ask.", err=True)
        return

    def shown(row: PeriodRow, name: str) -> str:
        value = getattr(row, name)
        return "-" if value is None else measured(name if name != "slow_seconds" else "total_seconds", value)

    names = ("feedback", "good", "abstained", "errors", "support", "score")
    times = ("retrieve_seconds", "first_token_seconds", "total_seconds", "slow_seconds", "length")
    headings = (by, "version", "answers", "voted on", "👍", "no answer", "errors", "support", "score")
    print_table(
        (*headings, "search", "first word", "ready", "19 of 20", "length"),
        [
            (row.begins.isoformat(), row.version, row.answers, *(shown(row, name) for name in (*names, *times)))
            for row in found.rows
        ],
    )
    for change in found.changes:
        click.echo(click.style(words.change_headline(change), bold=True))
        click.echo(f"  {words.change_details(change)}")
    if not found.changes:
        click.echo("No change that chance does not explain, or that is large enough to matter.")


def _draw(path: Path, found: Watched, days: int) -> None:
    from collections import Counter

    from bot.learn.panels import Panel, PanelRow, Point, draw_panels
    from bot.learn.words import PLOT_LABELS, SHARES, measured

    counts: Counter[str] = Counter()
    for row in found.rows:
        counts[row.version] += row.answers
    kept = {version for version, _ in counts.most_common(_MOST_VERSIONS)}
    versions = list(dict.fromkeys(row.version for row in found.rows if row.version in kept))

    def point(row: PeriodRow, name: str) -> Point | None:
        value = getattr(row, name)
        if value is None:
            return None
        low, high = getattr(row, f"{name}_quartiles", None) or (None, None)
        if name == "total_seconds":
            high = row.slow_seconds
            low = value
        return Point(day=row.begins, value=value, low=low, high=high)

    def panel(name: str, version: str) -> Panel:
        points = [point(row, name) for row in found.rows if row.version == version]
        marked = (change.since for change in found.changes if (change.measure, change.version) == (name, version))
        return Panel(points=tuple(one for one in points if one is not None), marked=next(marked, None))

    rows = [
        PanelRow(
            label=label,
            panels=tuple(panel(name, version) for version in versions),
            is_share=name in SHARES,
            written=partial(measured, name),
        )
        for name, label in PLOT_LABELS.items()
    ]
    draw_panels(f"Answers of the last {days} days, by version", versions, rows, path)
