"""The schedule: slots, who takes them, and what is kept of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.jobs import Job, Schedule, job_state, run_due, slot_of

HALF_HOUR = timedelta(minutes=30)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_minutes(self, minutes: float) -> None:
        self.time += timedelta(minutes=minutes)


class Counted:
    """Work that counts how often it was done."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self._error = error

    def __call__(self) -> str:
        self.times += 1
        if self._error is not None:
            raise self._error
        return f"done {self.times}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield opened
    opened.dispose()


def test_a_slot_starts_at_a_multiple_of_the_interval() -> None:
    assert slot_of(datetime(2026, 11, 20, 10, 7, tzinfo=UTC), HALF_HOUR) == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert slot_of(datetime(2026, 11, 20, 10, 30, tzinfo=UTC), HALF_HOUR).minute == 30


def test_a_job_runs_once_in_its_slot_and_again_in_the_next(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    job = Job(name="sync:docs", interval=HALF_HOUR, work=work)
    assert run_due(engine, (job,), clock) == ("sync:docs",)
    clock.pass_minutes(10)
    assert run_due(engine, (job,), clock) == ()
    clock.pass_minutes(15)
    assert run_due(engine, (job,), clock) == ("sync:docs",)
    assert work.times == 2


def test_slots_that_passed_unseen_are_made_up_for_once(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    job = Job(name="sync:docs", interval=HALF_HOUR, work=work)
    run_due(engine, (job,), clock)
    clock.pass_minutes(60 * 24 * 3)
    run_due(engine, (job,), clock)
    run_due(engine, (job,), clock)
    assert work.times == 2


def test_two_processes_never_run_the_same_slot_twice(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    jobs = [Job(name=f"sync:{n}", interval=HALF_HOUR, work=work) for n in range(20)]
    threads = [threading.Thread(target=run_due, args=(engine, jobs, clock)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert work.times == 20


def test_a_failed_run_is_kept_with_its_error_and_the_next_job_still_runs(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clock, after = Clock(), Counted()
    broken = Job(name="sync:gone", interval=HALF_HOUR, work=Counted(OSError("the folder /docs is gone")))
    run_due(engine, (broken, Job(name="sync:docs", interval=HALF_HOUR, work=after)), clock)
    state = job_state(engine, "sync:gone", HALF_HOUR, clock)
    assert state.error == "the folder /docs is gone"
    assert state.finished_at == clock.time
    assert after.times == 1
    assert "sync:gone" in caplog.text


def test_the_state_names_the_last_run_and_the_next(engine: sa.Engine) -> None:
    clock = Clock()
    job = Job(name="sync:docs", interval=HALF_HOUR, work=Counted())
    assert job_state(engine, job.name, job.interval, clock).next_at == clock.time
    run_due(engine, (job,), clock)
    state = job_state(engine, job.name, job.interval, clock)
    assert (state.detail, state.error) == ("done 1", None)
    assert state.next_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    clock.pass_minutes(45)
    assert job_state(engine, job.name, job.interval, clock).next_at == clock.time


def test_runs_of_long_ago_are_forgotten(engine: sa.Engine) -> None:
    clock = Clock()
    run_due(engine, (Job(name="old", interval=HALF_HOUR, work=Counted()),), clock)
    clock.pass_minutes(60 * 24 * 40)
    run_due(engine, (Job(name="new", interval=HALF_HOUR, work=Counted()),), clock)
    assert job_state(engine, "old", HALF_HOUR, clock).started_at is None


def test_the_schedule_takes_up_jobs_that_were_added_while_it_runs(engine: sa.Engine) -> None:
    first, second = threading.Event(), threading.Event()
    jobs: list[Job] = []

    def work(done: threading.Event) -> str:
        done.set()
        return "done"

    with Schedule(engine, lambda: tuple(jobs), tick_seconds=0.05):
        jobs.append(Job(name="first", interval=HALF_HOUR, work=lambda: work(first)))
        assert first.wait(5)
        jobs.append(Job(name="second", interval=HALF_HOUR, work=lambda: work(second)))
        assert second.wait(5)


def test_stopping_tells_the_job_at_work_and_begins_no_other(engine: sa.Engine) -> None:
    begun, later = threading.Event(), Counted()

    def long() -> str:
        begun.set()
        assert schedule.stopping.wait(5)
        return "stopped early"

    jobs = (
        Job(name="long", interval=HALF_HOUR, work=long),
        Job(name="later", interval=HALF_HOUR, work=later),
    )
    schedule = Schedule(engine, lambda: jobs, tick_seconds=0.05)
    with schedule:
        assert begun.wait(5)
    assert job_state(engine, "long", HALF_HOUR).detail == "stopped early"
    assert later.times == 0
    schedule.stop()


def test_the_schedule_survives_a_list_of_jobs_that_cannot_be_read(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    asked, work = threading.Event(), threading.Event()

    def jobs() -> tuple[Job, ...]:
        if not asked.is_set():
            asked.set()
            raise OSError("database is away")

        def do() -> str:
            work.set()
            return "done"

        return (Job(name="job", interval=HALF_HOUR, work=do),)

    with Schedule(engine, jobs, tick_seconds=0.05):
        assert work.wait(5)
    assert "could not look for due jobs" in caplog.text
