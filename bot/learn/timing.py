"""When is it time to make a better version: at the hour that was chosen, with enough new votes, and never twice.

Decides; what is then done is handed in. A row of `job_run` is the memory, as for every job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot import tables
from bot.jobs import TICK_SECONDS, Job, Schedule
from bot.timetable import Timetable
from knowledge.database import reading

JOB = "learn"
INTERVAL = timedelta(days=1)
# A clock that is set back, or a zone whose hours begin at the half, must not make two nights of one.
_LEAST_APART = timedelta(hours=12)
Learn = Callable[[threading.Event], str]
"""Makes a dataset, tunes, and has the gate judge; says in a few words what came of it. Ends soon once the event is
set."""


@dataclass(frozen=True, kw_only=True)
class LearnTimes:
    """When to learn; the settings' values."""

    hour: int
    """0 to 23, of this machine's day."""
    new_rows: int


@dataclass(frozen=True, kw_only=True)
class Due:
    """Whether it is time, and why not."""

    is_due: bool
    why: str


def learn_jobs(
    engine: sa.Engine,
    times: LearnTimes,
    learn: Learn,
    stopping: threading.Event,
    *,
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> Sequence[Job]:
    """The job, while it is due; ask at every tick. It takes hours, so give it a schedule of its own."""
    if not is_due(engine, times, now()).is_due:
        return ()
    return (Job(name=JOB, times=Timetable(every=INTERVAL), work=lambda: learn(stopping)),)


@contextmanager
def learning(
    engine: sa.Engine,
    times: LearnTimes,
    learn: Learn,
    *,
    tick_seconds: float = TICK_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> Iterator[None]:
    """Learn when it is time while the block runs, beside the other jobs: reading goes on while a model is tuned."""
    stopping = threading.Event()

    def jobs() -> Sequence[Job]:
        return learn_jobs(engine, times, learn, stopping, now=now)

    with Schedule(engine, jobs, tick_seconds=tick_seconds, now=lambda: now().astimezone(UTC)):
        try:
            yield
        finally:
            stopping.set()


def is_due(engine: sa.Engine, times: LearnTimes, now: datetime) -> Due:
    """Tell whether it is time to learn; `now` is in the zone that the hour is meant in."""
    if now.hour != times.hour:
        return Due(is_due=False, why=f"it begins between {times.hour}:00 and {times.hour}:59")
    last = last_begun(engine)
    if last is not None and now - last < _LEAST_APART:
        return Due(is_due=False, why="it has begun already")
    rows = count_new_votes(engine, last)
    if rows < times.new_rows:
        return Due(is_due=False, why=f"{rows} of {times.new_rows} new votes since the last time")
    return Due(is_due=True, why=f"{rows} new votes since the last time")


def last_begun(engine: sa.Engine) -> datetime | None:
    """When learning began last, by the schedule or by hand; None where nobody knows of any."""
    run, version = tables.job_run, tables.model_version
    with reading(engine) as connection:
        begun = connection.scalar(sa.select(sa.func.max(run.c.started_at)).where(run.c.job == JOB))
        # Rows of jobs are kept for a month, versions for good.
        made = connection.scalar(sa.select(sa.func.max(version.c.created_at)))
    return max((one for one in (begun, made) if one is not None), default=None)


def count_new_votes(engine: sa.Engine, since: datetime | None) -> int:
    """Count the live votes that were given since a moment."""
    feedback = tables.feedback
    query = sa.select(sa.func.count()).select_from(feedback).where(feedback.c.removed_at.is_(None))
    if since is not None:
        query = query.where(feedback.c.created_at > since.astimezone(UTC))
    with reading(engine) as connection:
        return connection.scalar(query) or 0
