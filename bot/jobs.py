"""The schedule: which jobs are due, who runs them, and what became of them.

APScheduler only ticks (the one place that imports it); a row of `job_run` decides. Whoever inserts the row of a slot
runs the job for it: two processes never do it twice, and what passed while the machine was off is made up for once.
A running job keeps a lease on its row: where its process dies, another one takes the slot over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType

import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler

from bot.errors import BotError
from bot.tables import job_run
from bot.timetable import Timetable
from knowledge.database import reading, writing
from knowledge.errors import KnowledgeError
from models.errors import ModelError

logger = logging.getLogger(__name__)

TICK_SECONDS = 15.0
LEASE = timedelta(minutes=2)
"""A job whose process said nothing for so long is taken for dead."""
_RENEW_SECONDS = 30.0
_KEPT = timedelta(days=30)
_TRY_AGAIN = timedelta(minutes=5)
# How long a stopping schedule waits for a job. Every job stores as it goes: nothing is lost beyond that.
_STOP_SECONDS = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do again and again."""

    name: str
    times: Timetable
    work: Callable[[], str] = field(repr=False)
    """Does it and says in a few words what was done; an exception is kept as the run's error."""
    attempts: int = 1
    """So often a slot is tried where it failed, or its process died; 5 minutes apart, then 10, and so on."""


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What is known of a job: its last run and its next."""

    name: str
    started_at: datetime | None
    finished_at: datetime | None
    detail: str | None
    error: str | None
    next_at: datetime | None
    """None while it is paused."""


def run_due(engine: sa.Engine, jobs: Sequence[Job], now: Callable[[], datetime] = _now) -> tuple[str, ...]:
    """Run every job whose slot nobody has taken, one after the other; returns their names."""
    done = []
    for job in jobs:
        claim = _claim(engine, job, now())
        if claim is not None:
            _run(engine, job, claim, now)
            done.append(job.name)
    return tuple(done)


def job_state(engine: sa.Engine, name: str, times: Timetable, now: Callable[[], datetime] = _now) -> JobState:
    """Read the last run of a job and work out the next."""
    with reading(engine) as connection:
        row = connection.execute(_newest(name)).one_or_none()
    moment = now()
    if row is None:
        next_at = None if times.paused else times.next_due(name, moment, None) or moment
        return JobState(name=name, started_at=None, finished_at=None, detail=None, error=None, next_at=next_at)
    next_at = moment if row.asked else times.next_due(name, moment, row.slot)
    if row.again_at is not None and row.finished_at is not None and next_at is not None:
        next_at = min(next_at, max(row.again_at, moment))
    return JobState(
        name=name,
        started_at=row.started_at,
        finished_at=row.finished_at,
        detail=row.detail,
        error=row.error,
        next_at=next_at,
    )


def run_soon(engine: sa.Engine, name: str, now: Callable[[], datetime] = _now) -> bool:
    """Make a job due at the schedule's next tick, also where it is paused; False where it is at work now."""
    moment = now()
    with writing(engine) as connection:
        row = connection.execute(_newest(name)).one_or_none()
        if row is None:
            values = {"started_at": moment, "finished_at": moment, "asked": True, "detail": None}
            connection.execute(sa.insert(job_run).values(job=name, slot=moment, **values))
            return True
        if row.finished_at is None and row.again_at is not None and row.again_at > moment:
            return False
        connection.execute(_row(name, row.slot).values(asked=True))
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


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """The slot that this process runs, and since when: what another took over has begun anew."""

    slot: datetime
    started_at: datetime
    attempt: int


def _claim(engine: sa.Engine, job: Job, now: datetime) -> _Claim | None:
    """Take the slot of a job that is due, if it is; None otherwise."""
    with reading(engine) as connection:
        if _due(connection, job, now) is None:  # the usual case, found without the write lock
            return None
    with writing(engine) as connection:
        due = _due(connection, job, now)
        if due is None:
            return None
        slot, attempt = due
        values = {
            "started_at": now,
            "finished_at": None,
            "again_at": now + LEASE,
            "attempts": attempt,
            "asked": False,
            "detail": None,
            "error": None,
        }
        if not connection.execute(_row(job.name, slot).values(values)).rowcount:
            unfinished = (job_run.c.job == job.name, job_run.c.finished_at.is_(None))
            gone = {"finished_at": now, "error": "It was interrupted."}
            connection.execute(sa.update(job_run).where(*unfinished).values(gone))
            connection.execute(sa.insert(job_run).values(job=job.name, slot=slot, **values))
        _forget_old(connection, now)
    return _Claim(slot=slot, started_at=now, attempt=attempt)


def _due(connection: sa.Connection, job: Job, now: datetime) -> tuple[datetime, int] | None:
    """The slot that may begin now and which attempt at it that is."""
    row = connection.execute(_newest(job.name)).one_or_none()
    slot = job.times.due_slot(job.name, now)
    if row is None:
        # What was just added begins at once, whenever its first slot is.
        return None if job.times.paused else (slot or now, 1)
    is_running = row.finished_at is None and row.again_at is not None and row.again_at > now
    if is_running:
        return None
    if row.asked:
        return row.slot, 1
    if slot is None:
        return None
    if slot > row.slot:
        return slot, 1
    if row.again_at is not None and row.again_at <= now and row.attempts < job.attempts:
        return row.slot, row.attempts + 1
    return None


def _run(engine: sa.Engine, job: Job, claim: _Claim, now: Callable[[], datetime]) -> None:
    detail, error = None, None
    try:
        with _lease_kept(engine, job.name, claim, now):
            detail = job.work()
    except (BotError, KnowledgeError, ModelError) as problem:
        # Ours say all there is to say: a folder that is gone needs no traceback.
        logger.warning("job %s failed: %s", job.name, problem)
        error = str(problem)
    except Exception as problem:
        logger.exception("job %s failed", job.name)
        error = str(problem) or type(problem).__name__
    tries_again = error is not None and claim.attempt < job.attempts
    again_at = now() + _TRY_AGAIN * 2 ** (claim.attempt - 1) if tries_again else None
    with writing(engine) as connection:
        result = {"finished_at": now(), "detail": detail, "error": error, "again_at": again_at}
        connection.execute(_mine(job.name, claim).values(result))


@contextmanager
def _lease_kept(engine: sa.Engine, name: str, claim: _Claim, now: Callable[[], datetime]) -> Iterator[None]:
    """Say now and then that the job is at work, while the block runs."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(_RENEW_SECONDS):
            try:
                with writing(engine) as connection:
                    connection.execute(_mine(name, claim).values(again_at=now() + LEASE))
            except Exception:
                logger.exception("the lease of job %s could not be renewed", name)

    renewing = threading.Thread(target=renew, name=f"lease-{name}", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()


def _newest(name: str) -> sa.Select[tuple[str]]:
    return sa.select(job_run).where(job_run.c.job == name).order_by(job_run.c.slot.desc()).limit(1)


def _row(name: str, slot: datetime) -> sa.Update:
    return sa.update(job_run).where(job_run.c.job == name, job_run.c.slot == slot)


def _mine(name: str, claim: _Claim) -> sa.Update:
    return _row(name, claim.slot).where(job_run.c.started_at == claim.started_at)


def _forget_old(connection: sa.Connection, now: datetime) -> None:
    """Forget runs of long ago, but for the last of each job: it says which slots are over."""
    other = job_run.alias()
    newer = sa.select(other.c.slot).where(other.c.job == job_run.c.job, other.c.slot > job_run.c.slot)
    connection.execute(sa.delete(job_run).where(job_run.c.slot < now - _KEPT, newer.exists()))
