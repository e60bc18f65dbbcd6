"""The schedule: which jobs are due, who runs them, and what became of them.

APScheduler only ticks (the one place that imports it); a row of `job_run` decides. Time is cut into slots as
long as a job's interval, and whoever inserts the row of a slot runs the job for it: two processes never do it
twice, and what passed while the machine was off is made up for once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType

import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.dialects.sqlite import insert

from bot.errors import BotError
from bot.tables import job_run
from knowledge.database import reading, writing
from knowledge.errors import KnowledgeError
from models.errors import ModelError

logger = logging.getLogger(__name__)

TICK_SECONDS = 15.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = timedelta(days=30)
# How long a stopping schedule waits for a job. Every job stores as it goes: nothing is lost beyond that.
_STOP_SECONDS = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do again and again."""

    name: str
    interval: timedelta
    work: Callable[[], str] = field(repr=False)
    """Does it and says in a few words what was done; an exception is kept as the run's error."""


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What is known of a job: its last run and its next."""

    name: str
    started_at: datetime | None
    finished_at: datetime | None
    detail: str | None
    error: str | None
    next_at: datetime


def slot_of(moment: datetime, interval: timedelta) -> datetime:
    """Return the start of the slot that a moment falls into: the same for all processes and restarts."""
    return moment - (moment - _EPOCH) % interval


def run_due(engine: sa.Engine, jobs: Sequence[Job], now: Callable[[], datetime] = _now) -> tuple[str, ...]:
    """Run every job whose slot nobody has taken, one after the other; returns their names."""
    done = []
    for job in jobs:
        slot = slot_of(now(), job.interval)
        if _claim(engine, job.name, slot, now()):
            _run(engine, job, slot, now)
            done.append(job.name)
    return tuple(done)


def job_state(engine: sa.Engine, name: str, interval: timedelta, now: Callable[[], datetime] = _now) -> JobState:
    """Read the last run of a job and work out the next."""
    newest = sa.select(job_run).where(job_run.c.job == name).order_by(job_run.c.slot.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(newest).one_or_none()
    current = slot_of(now(), interval)
    if row is None:
        return JobState(name=name, started_at=None, finished_at=None, detail=None, error=None, next_at=now())
    return JobState(
        name=name,
        started_at=row.started_at,
        finished_at=row.finished_at,
        detail=row.detail,
        error=row.error,
        next_at=current + interval if row.slot >= current else now(),
    )


def run_soon(engine: sa.Engine, name: str) -> bool:
    """Make a job due at the schedule's next tick; False where it is at work now, or due already."""
    newest = sa.select(job_run.c.slot, job_run.c.finished_at).where(job_run.c.job == name)
    with writing(engine) as connection:
        row = connection.execute(newest.order_by(job_run.c.slot.desc()).limit(1)).one_or_none()
        if row is None or row.finished_at is None:
            return False
        connection.execute(sa.delete(job_run).where(job_run.c.job == name, job_run.c.slot == row.slot))
        return True


class Schedule:
    """Runs jobs when they are due, in one background thread, until it is stopped.

    `jobs` is asked at every tick, so that what was added meanwhile is taken up.
    """

    def __init__(
        self,
        engine: sa.Engine,
        jobs: Callable[[], Sequence[Job]],
        *,
        tick_seconds: float = TICK_SECONDS,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._engine = engine
        self._jobs = jobs
        self._now = now
        self._worker: threading.Thread | None = None
        self._stopping = threading.Event()
        self._ticker = BackgroundScheduler(timezone=UTC, daemon=True)
        self._ticker.add_job(
            self._tick,
            "interval",
            seconds=tick_seconds,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # the default drops a tick that is a second late
        )

    @property
    def stopping(self) -> threading.Event:
        """Set when the schedule is being stopped; a long job looks at it now and then."""
        return self._stopping

    def start(self) -> None:
        """Begin to tick; the first tick is at once."""
        self._ticker.start()

    def stop(self) -> None:
        """Stop ticking and wait a little for the job at work; harmless when called again."""
        self._stopping.set()
        if self._ticker.running:
            self._ticker.shutdown(wait=True)
        if self._worker is not None:
            self._worker.join(_STOP_SECONDS)

    def __enter__(self) -> Schedule:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _tick(self) -> None:
        # The work has a daemon thread of its own: APScheduler's would hold up the end of the process.
        if self._stopping.is_set() or (self._worker is not None and self._worker.is_alive()):
            return
        self._worker = threading.Thread(target=self._run_due, name="jobs", daemon=True)
        self._worker.start()

    def _run_due(self) -> None:
        try:
            for job in self._jobs():
                if self._stopping.is_set():
                    return
                run_due(self._engine, (job,), self._now)
        except Exception:
            logger.exception("the schedule could not look for due jobs")


def _claim(engine: sa.Engine, name: str, slot: datetime, now: datetime) -> bool:
    mine = insert(job_run).values(job=name, slot=slot, started_at=now).on_conflict_do_nothing()
    with reading(engine) as connection:
        taken = connection.execute(
            sa.select(job_run.c.slot).where(job_run.c.job == name, job_run.c.slot == slot)
        ).first()
    if taken is not None:  # the usual case, found without the write lock
        return False
    with writing(engine) as connection:
        connection.execute(sa.delete(job_run).where(job_run.c.slot < now - _KEPT))
        return connection.execute(mine).rowcount == 1


def _run(engine: sa.Engine, job: Job, slot: datetime, now: Callable[[], datetime]) -> None:
    detail, error = None, None
    try:
        detail = job.work()
    except (BotError, KnowledgeError, ModelError) as problem:
        # Ours say all there is to say: a folder that is gone needs no traceback.
        logger.warning("job %s failed: %s", job.name, problem)
        error = str(problem)
    except Exception as problem:
        logger.exception("job %s failed", job.name)
        error = str(problem) or type(problem).__name__
    result = sa.update(job_run).where(job_run.c.job == job.name, job_run.c.slot == slot)
    with writing(engine) as connection:
        connection.execute(result.values(finished_at=now(), detail=detail, error=error))
