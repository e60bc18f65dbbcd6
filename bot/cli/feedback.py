"""`lorekeeper feedback`: what people thought of answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, print_json, print_table, short, to_json, write_file

_VOTES = {"up": 1, "down": -1}


@click.group()
def feedback() -> None:
    """List or export votes, reasons and better answers."""


@feedback.command("list")
@click.option("--vote", type=click.Choice(sorted(_VOTES)), help="Only this kind.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to list.")
@json_option
@click.pass_obj
def list_(invocation: Invocation, vote: str | None, limit: int, as_json: bool) -> None:
    """List the newest votes."""
    from bot.feedback import list_feedback

    with invocation.database() as engine:
        found = list_feedback(engine, vote=None if vote is None else 1 if vote == "up" else -1, limit=limit)
    if as_json:
        print_json({"feedback": [asdict(one) for one in found]})
        return
    rows = [
        (
            moment(one.created_at),
            one.user,
            "👍" if one.vote > 0 else "👎",
            one.reason,
            short(one.question),
            short(one.correction or one.answer),
        )
        for one in found
    ]
    print_table(("when", "who", "vote", "reason", "question", "answer, or the better one"), rows)


@feedback.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of stdout.")
@click.pass_obj
def export(invocation: Invocation, output: Path | None) -> None:
    """Write every vote with its answer, citations and passages, one JSON object a line."""
    from bot.feedback import export_feedback

    with invocation.database() as engine:
        lines: Iterable[str] = (f"{to_json(row)}\n" for row in export_feedback(engine))
        if output is not None:
            click.echo(f"{write_file(output, lines)} rows written to {output}.", err=True)
            return
        for line in lines:
            click.echo(line, nl=False)


@feedback.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def plot(invocation: Invocation, file: Path) -> None:
    """Draw the votes of the last weeks, version by version, to a PNG file."""
    from datetime import UTC, datetime

    from bot.learn.pictures import draw_feedback
    from bot.overview import votes_by_version

    with invocation.database() as engine:
        weeks = votes_by_version(engine, datetime.now(UTC).date())
    draw_feedback(weeks, file)
    click.echo(f"{sum(week.good + week.bad for week in weeks)} votes drawn to {file}.")
