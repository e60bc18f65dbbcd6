"""`lorekeeper sync`: read sources now."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, progress_bar, task_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.cli.output import Report
    from knowledge.ingest import IngestParts, SyncReport
    from knowledge.store import StoredSource

_BUSY_SECONDS = 60.0
"""So long another run of a source is waited for: the bot reads one that was just added within seconds."""


@click.command()
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@click.option("--rebuild", is_flag=True, help="Read, cut and embed everything again, as after another embedder.")
@json_option
@click.pass_obj
def sync(invocation: Invocation, names: tuple[str, ...], rebuild: bool, as_json: bool) -> None:
    """Read what is new, changed or gone in all sources.

    Only these where SOURCE names some, by id, name or location.
    """
    from bot.sync import ingest_parts, publish_generation
    from knowledge.library import stored_embedders

    settings = invocation.settings_for_reading()
    with invocation.database() as engine:
        chosen = _chosen(engine, names)
        before = stored_embedders(engine)
        # Another precision is for everything at once: vectors of two cannot be searched together.
        embedder = invocation.embedder(settings, engine, rebuild=rebuild and not names)
        with ingest_parts(engine, embedder, settings) as parts, progress_bar() as report:
            outcomes = [_read(stored, parts, rebuild, report) for stored in chosen]
        if as_json:
            print_json({"sources": [_row(outcome) for outcome in outcomes]})
        else:
            for outcome in outcomes:
                click.echo(f"{outcome.source.name}: {outcome.said}")
        publish_generation(engine, embedder, settings)
    if before is not None and embedder.name not in before:
        click.echo(f"Everything is embedded with {embedder.name} now: restart the bot where it runs.", err=True)
    if any(outcome.report is None for outcome in outcomes):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What came of reading one source; a source that failed has no report."""

    source: StoredSource
    said: str
    report: SyncReport | None = None


def _chosen(engine: sa.Engine, names: tuple[str, ...]) -> tuple[StoredSource, ...]:
    from bot.errors import MisuseError
    from knowledge.store import find_source, list_sources

    known = list_sources(engine)
    if not known:
        raise MisuseError("there are no sources yet. Add one: lorekeeper sources add FOLDER")
    if not names:
        return known
    found = {name: find_source(engine, name) for name in names}
    missing = [name for name, source in found.items() if source is None]
    if missing:
        raise MisuseError(f"there is no source {missing[0]!r}. `lorekeeper sources list` shows them.")
    return tuple(source for source in found.values() if source is not None)


def _read(stored: StoredSource, parts: IngestParts, rebuild: bool, report: Report) -> _Outcome:
    from bot.errors import BotError
    from bot.sync import describe
    from knowledge.errors import SourceBusyError, SourceError

    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            result = _sync(stored, parts, rebuild, report)
        except SourceBusyError as error:
            if time.monotonic() >= end:
                return _Outcome(source=stored, said=f"failed: {error}")
            report(f"Waiting for another run of {stored.name}", 0, None)
            time.sleep(0.2)
        except (SourceError, BotError) as error:  # this one only; the others are still read
            return _Outcome(source=stored, said=f"failed: {error}")
        else:
            return _Outcome(source=stored, said=describe(result), report=result)


def _sync(stored: StoredSource, parts: IngestParts, rebuild: bool, report: Report) -> SyncReport:
    from bot.sync import sync_source

    return sync_source(
        stored,
        parts,
        rebuild=rebuild,
        progress=task_of(report, f"Reading {stored.name}"),
        fetching=lambda done, total: report(f"Fetching {stored.name}", done, total),
    )


def _row(outcome: _Outcome) -> dict[str, object]:
    row: dict[str, object] = {"id": outcome.source.id, "name": outcome.source.name}
    if outcome.report is None:
        return {**row, "error": outcome.said.removeprefix("failed: ")}
    counts = asdict(outcome.report)
    del counts["source_id"]
    return {**row, **counts, "error": None}
