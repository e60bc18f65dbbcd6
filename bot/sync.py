"""Sources read by INGEST with the settings' limits: at once, or as jobs of the schedule."""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from bot.app import open_parser, retrieval_options
from bot.channel_ledger import KIND as CHANNEL_KIND
from bot.channel_ledger import forget_channel
from bot.credentials import open_credential
from bot.errors import BotError
from bot.jobs import Job, JobState, job_state
from bot.reading_wishes import following, outcome_of, watched
from bot.settings import Settings
from bot.timetable import Timetable
from knowledge.database import writing
from knowledge.embed import Embedder
from knowledge.errors import SourceBusyError, SourceError
from knowledge.ingest import IngestParts, Progress, Stop, SyncReport, ingest
from knowledge.library import Library
from knowledge.sources import OpenKind, Source, SourcePlace, open_source
from knowledge.sources.source import NO_SECRET
from knowledge.store import StoredSource, Times, find_source, list_sources, remove_source

if TYPE_CHECKING:
    from bot.app import Application

logger = logging.getLogger(__name__)

# A place that is away at three in the night is mostly back a little later: not to be waited for until the next night.
_ATTEMPTS = 3
COPIES_FOLDER = "sources"
"""Under the data folder: what sources keep between runs, a folder for each that needs one."""


@contextmanager
def ingest_parts(
    engine: sa.Engine, embedder: Embedder, settings: Settings, publish: Callable[[], object] | None = None
) -> Iterator[IngestParts]:
    """What INGEST works with; the parser's child ends with the block."""
    with open_parser(settings.file) as parser:
        yield IngestParts(
            engine=engine,
            parser=parser,
            embedder=embedder,
            chunk_tokens=settings.file.knowledge.chunk_tokens,
            keep=settings.home / COPIES_FOLDER,
            quarantine_share=settings.file.knowledge.quarantine_share,
            unlock=partial(open_credential, engine, settings),
            kinds=further_kinds(engine, settings),
            publish=publish,
        )


def further_kinds(engine: sa.Engine, settings: Settings) -> dict[str, OpenKind]:
    """The kinds of sources that are not knowledge's own."""

    def channel(place: SourcePlace) -> Source:
        from bot.slack.channel_kind import open_channel  # only who reads a channel waits for what reads it

        return open_channel(place, engine, settings)

    return {CHANNEL_KIND: channel}


def sync_source(
    stored: StoredSource,
    parts: IngestParts,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
    fetching: Callable[[int, int], None] | None = None,
    stop: Stop | None = None,
) -> SyncReport:
    """Bring one source up to date; raises KnowledgeError as INGEST does, and BotError where its credential is gone.

    Whoever asked for it is told how it goes.
    """
    with watched(parts.engine, stored.id) as watch:
        place = SourcePlace(
            id=stored.id,
            location=stored.location,
            audience=stored.audience,
            keep=parts.keep,
            secret=parts.unlock(stored.credential) if stored.credential else NO_SECRET,
            code=stored.code,
            fetching=fetching,
        )
        source = open_source(stored.kind, place, parts.kinds)
        watch.begun()
        told = following(watch, progress)
        report = ingest(source, parts, rebuild=rebuild, progress=told, stop=stop)
        watch.ended(outcome_of(report))
    return report


def publish_generation(engine: sa.Engine, embedder: Embedder, settings: Settings) -> None:
    """Bring the index file up to date where that is due, for whoever opens the library next."""
    options = retrieval_options(settings.file)
    with Library.open(engine, embedder, settings.home / "index", options, for_questions=False) as library:
        library.publish_if_due()


def forget_source(engine: sa.Engine, home: Path, source_id: str) -> int:
    """Remove a source with all that is known and kept of it; returns how many documents that were."""
    count = remove_source(engine, source_id)
    with writing(engine) as connection:
        forget_channel(connection, source_id)
    forget_copy(home, source_id)
    return count


def forget_copy(home: Path, source_id: str) -> None:
    """Remove what a source keeps between runs."""
    shutil.rmtree(home / COPIES_FOLDER / source_id, ignore_errors=True)


@contextmanager
def no_copy_left(engine: sa.Engine, home: Path, source_id: str) -> Iterator[None]:
    """Where adding a source fails within the block, nothing stays that was fetched for it; of a known one, all does."""
    is_new = find_source(engine, source_id) is None
    try:
        yield
    except BaseException:
        if is_new:
            forget_copy(home, source_id)
        raise


def sync_now(application: Application, name: str | None) -> str:
    """Read one source, by name, or all of them, and say in a few words what came of it."""
    chosen = [stored for stored in list_sources(application.engine) if name in (None, stored.name)]
    publish = application.library.publish_if_due
    said: list[str] = []
    with ingest_parts(application.engine, application.library.embedder, application.settings, publish) as parts:
        for stored in chosen:
            try:
                outcome = describe(sync_source(stored, parts))
            except SourceBusyError:
                outcome = "another run is reading it"
            except (SourceError, BotError) as error:
                # The reason may name places on this machine; it is in the list of sources for those who run it.
                logger.warning("%s could not be read: %s", stored.name, error)
                outcome = "could not be read"
            said.append(outcome if name else f"{stored.name}: {outcome}")
    return "; ".join(said)


def sync_jobs(application: Application, stop: threading.Event) -> tuple[Job, ...]:
    """One job per source that there is now; `stop` ends the one at work after its current batch."""

    def work_on(stored: StoredSource) -> Callable[[], str]:
        def work() -> str:
            publish = application.library.publish_if_due
            settings, embedder = application.settings, application.library.embedder
            with (
                watched(application.engine, stored.id),
                ingest_parts(application.engine, embedder, settings, publish) as parts,
            ):
                try:
                    return describe(sync_source(stored, parts, stop=TimeLimit(stop, stored.most_minutes)))
                except SourceBusyError:
                    return "another run was reading it"

        return work

    return tuple(
        Job(
            name=job_name(stored),
            times=timetable_of(stored, application.settings),
            work=work_on(stored),
            attempts=_ATTEMPTS,
        )
        for stored in list_sources(application.engine)
    )


class TimeLimit:
    """Set when an event is, or when a run has taken as long as it may."""

    def __init__(
        self, stop: threading.Event, minutes: int | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop = stop
        self._monotonic = monotonic
        self._end = math.inf if minutes is None else monotonic() + 60 * minutes

    def is_set(self) -> bool:
        """Tell whether it is time to end."""
        return self._stop.is_set() or self._monotonic() >= self._end


def sync_states(engine: sa.Engine, settings: Settings) -> dict[str, JobState]:
    """When each source was read by the schedule, and when it will be, by source id."""
    return {
        stored.id: job_state(engine, job_name(stored), timetable_of(stored, settings))
        for stored in list_sources(engine)
    }


def next_runs(engine: sa.Engine, settings: Settings) -> dict[str, datetime]:
    """When each source is read next, by source id; without those that are paused."""
    states = sync_states(engine, settings)
    return {source_id: state.next_at for source_id, state in states.items() if state.next_at is not None}


def job_name(stored: StoredSource) -> str:
    """How the schedule names the job of a source."""
    return f"sync:{stored.id}"


def timetable_of(stored: StoredSource, settings: Settings) -> Timetable:
    """When a source is read, and whether it is."""
    times = Times(**{name: getattr(stored, name) for name in Times.__dataclass_fields__})
    return replace(timetable(times, settings), paused=stored.paused)


def timetable(times: Times, settings: Settings) -> Timetable:
    """What times come to: a source's own, or those of the settings. Raises MisuseError for what cannot be."""
    minutes = times.interval_minutes or settings.file.schedule.sync_minutes
    return Timetable(
        every=None if times.cron else timedelta(minutes=minutes),
        cron=times.cron or "",
        zone=times.zone,
        quiet=times.quiet or "",
        jitter=timedelta(minutes=times.jitter_minutes),
    )


def describe(report: SyncReport) -> str:
    """What a run did, in one line."""
    counts = {
        "added": report.added,
        "changed": report.changed,
        "deleted": report.deleted,
        "unchanged": report.unchanged,
        "could not be read": len(report.failed),
        "held until they are let in": report.held,
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing there"
    return f"{said}{' (stopped early)' if report.stopped else ''}, {report.seconds:.1f} s"
