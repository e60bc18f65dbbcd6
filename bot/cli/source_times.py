"""`lorekeeper sources`, continued: when each is read, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, print_json, print_table
from bot.cli.sources import find_source_named, sources
from bot.cli.times import changed_times, times_options

if TYPE_CHECKING:
    from knowledge.store import SyncRun

__all__ = ["sources"]

_HEADINGS = ("began", "took", "added", "changed", "deleted", "failed", "unchanged", "outcome")


@sources.command()
@click.argument("source")
@times_options
@click.option("--usual", is_flag=True, help="First forget all that was set: the interval of the settings holds.")
@json_option
@click.pass_obj
def schedule(invocation: Invocation, /, source: str, usual: bool, as_json: bool, **times: Any) -> None:
    """Say when SOURCE (its id, name or location) is read; what is not named stays as it was."""
    from bot.sync import timetable
    from knowledge.store import Times, schedule_source

    settings = invocation.settings()
    with invocation.database() as engine:
        found = find_source_named(engine, source)
        before = Times() if usual else Times(**{name: getattr(found, name) for name in Times.__dataclass_fields__})
        changed = changed_times(before, times)
        said = timetable(changed, settings).said
        schedule_source(engine, found.id, changed)
    if as_json:
        print_json(asdict(found) | asdict(changed))
        return
    click.echo(f"{found.name!r} is read {said}.")


@sources.command()
@click.argument("source")
@click.pass_obj
def pause(invocation: Invocation, source: str) -> None:
    """Read SOURCE (its id, name or location) no more by itself; what is known of it stays."""
    _pause(invocation, source, paused=True)


@sources.command()
@click.argument("source")
@click.pass_obj
def resume(invocation: Invocation, source: str) -> None:
    """Read SOURCE (its id, name or location) by itself again."""
    _pause(invocation, source, paused=False)


@sources.command()
@click.argument("source")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 100), help="So many runs.")
@json_option
@click.pass_obj
def runs(invocation: Invocation, source: str, last: int, as_json: bool) -> None:
    """List the latest runs over SOURCE (its id, name or location) and what came of each."""
    from knowledge.store import source_runs

    with invocation.database() as engine:
        found = find_source_named(engine, source)
        listed = source_runs(engine, found.id, last)
    if as_json:
        print_json({"source": found.name, "runs": [asdict(run) for run in listed]})
        return
    if not listed:
        click.echo(f"{found.name!r} was not read yet: lorekeeper sync {found.id}")
        return
    print_table(
        ("began", "took", "added", "changed", "deleted", "failed", "unchanged", "outcome"),
        [_run(run) for run in listed],
    )


def _pause(invocation: Invocation, source: str, *, paused: bool) -> None:
    from knowledge.store import pause_source

    with invocation.database() as engine:
        found = find_source_named(engine, source)
        pause_source(engine, found.id, paused=paused)
    click.echo(f"{found.name!r} is read by itself {'no more' if paused else 'again'}.")


def _run(run: SyncRun) -> tuple[object, ...]:
    took = "-" if run.finished_at is None else f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
    outcome = run.error or ("running" if run.finished_at is None else "ok")
    return (
        moment(run.started_at),
        took,
        run.added,
        run.changed,
        run.deleted,
        run.failed,
        run.unchanged,
        outcome,
    )
