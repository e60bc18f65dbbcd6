"""The schedule: slots, who takes them, and what is kept of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.jobs import LEASE, Job, Schedule, job_state, run_due, run_soon
from bot.tables import job_run
from bot.timetable import Timetable
from knowledge.database import reading, writing

HALF_HOUR = Timetable(every=timedelta(minutes=30))


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


def slots_of(engine: sa.Engine, name: str) -> int:
    with reading(engine) as connection:
        count = sa.select(sa.func.count()).select_from(job_run).where(job_run.c.job == name)
        return connection.execute(count).scalar_one()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield opened
    opened.dispose()


def test_a_job_runs_once_in_its_slot_and_again_in_the_next(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    job = Job(name="sync:docs", times=HALF_HOUR, work=work)
    assert run_due(engine, (job,), clock) == ("sync:docs",)
    clock.pass_minutes(10)
    assert run_due(engine, (job,), clock) == ()
    clock.pass_minutes(15)
    assert run_due(engine, (job,), clock) == ("sync:docs",)
    assert work.times == 2


def test_slots_that_passed_unseen_are_made_up_for_once(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    job = Job(name="sync:docs", times=HALF_HOUR, work=work)
    run_due(engine, (job,), clock)
    clock.pass_minutes(60 * 24 * 3)
    run_due(engine, (job,), clock)
    run_due(engine, (job,), clock)
    assert work.times == 2


def test_two_processes_never_run_the_same_slot_twice(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    jobs = [Job(name=f"sync:{n}", times=HALF_HOUR, work=work) for n in range(20)]
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
    broken = Job(name="sync:gone", times=HALF_HOUR, work=Counted(OSError("the folder /docs is gone")))
    run_due(engine, (broken, Job(name="sync:docs", times=HALF_HOUR, work=after)), clock)
    state = job_state(engine, "sync:gone", HALF_HOUR, clock)
    assert state.error == "the folder /docs is gone"
    assert state.finished_at == clock.time
    assert after.times == 1
    assert "sync:gone" in caplog.text


def test_the_state_names_the_last_run_and_the_next(engine: sa.Engine) -> None:
    clock = Clock()
    job = Job(name="sync:docs", times=HALF_HOUR, work=Counted())
    assert job_state(engine, job.name, job.times, clock).next_at == clock.time
    run_due(engine, (job,), clock)
    state = job_state(engine, job.name, job.times, clock)
    assert (state.detail, state.error) == ("done 1", None)
    assert state.next_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    clock.pass_minutes(45)
    assert job_state(engine, job.name, job.times, clock).next_at == clock.time


def test_runs_of_long_ago_are_forgotten(engine: sa.Engine) -> None:
    clock = Clock()
    run_due(engine, (Job(name="old", times=HALF_HOUR, work=Counted()),), clock)
    clock.pass_minutes(40)
    run_due(engine, (Job(name="old", times=HALF_HOUR, work=Counted()),), clock)
    assert slots_of(engine, "old") == 2
    clock.pass_minutes(60 * 24 * 40)
    run_due(engine, (Job(name="new", times=HALF_HOUR, work=Counted()),), clock)
    assert slots_of(engine, "old") == 1


def test_a_run_of_long_ago_still_says_that_its_slot_is_over(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    monthly = Job(name="monthly", times=Timetable(cron="0 3 21 * *"), work=work)
    run_due(engine, (monthly,), clock)
    clock.time = datetime(2026, 11, 21, 3, 1, tzinfo=UTC)
    run_due(engine, (monthly,), clock)
    clock.time = datetime(2026, 12, 21, 2, 59, tzinfo=UTC)
    run_due(engine, (monthly, Job(name="other", times=HALF_HOUR, work=Counted())), clock)
    run_due(engine, (monthly,), clock)
    assert work.times == 2


def test_a_timetable_that_changed_does_not_run_an_older_slot(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    run_due(engine, (Job(name="j", times=HALF_HOUR, work=work),), clock)
    daily = Job(name="j", times=Timetable(cron="0 3 * * *"), work=work)
    assert run_due(engine, (daily,), clock) == ()
    assert job_state(engine, "j", daily.times, clock).next_at == datetime(2026, 11, 21, 3, tzinfo=UTC)
    clock.time = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert run_due(engine, (daily,), clock) == ("j",)


def test_a_job_whose_process_died_is_taken_over(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    daily = Timetable(cron="0 3 * * *")
    run_due(engine, (Job(name="j", times=daily, work=work, attempts=3),), clock)
    with writing(engine) as connection:  # as a killed process leaves it
        left = {"finished_at": None, "detail": None, "again_at": clock.time + LEASE}
        connection.execute(sa.update(job_run).values(left))
    assert run_due(engine, (Job(name="j", times=daily, work=work, attempts=3),), clock) == ()
    clock.time += LEASE
    assert run_due(engine, (Job(name="j", times=daily, work=work, attempts=1),), clock) == ()
    assert run_due(engine, (Job(name="j", times=daily, work=work, attempts=3),), clock) == ("j",)
    assert slots_of(engine, "j") == 1
    assert job_state(engine, "j", daily, clock).detail == "done 2"


def test_a_job_at_work_is_not_begun_for_the_next_slot(engine: sa.Engine) -> None:
    clock, inner = Clock(), Counted()

    def long() -> str:
        clock.pass_minutes(0.5)
        clock.time += timedelta(minutes=1)
        assert not run_soon(engine, "j", clock)
        assert run_due(engine, (Job(name="j", times=Timetable(every=timedelta(minutes=1)), work=inner),), clock) == ()
        return "done"

    run_due(engine, (Job(name="j", times=Timetable(every=timedelta(minutes=1)), work=long),), clock)
    assert inner.times == 0


def test_what_failed_is_tried_again_after_a_while_and_not_for_ever(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted(OSError("no network"))
    job = Job(name="j", times=Timetable(cron="0 3 * * *"), work=work, attempts=3)
    run_due(engine, (job,), clock)
    assert job_state(engine, "j", job.times, clock).next_at == clock.time + timedelta(minutes=5)
    assert run_due(engine, (job,), clock) == ()
    clock.pass_minutes(5)
    run_due(engine, (job,), clock)
    clock.pass_minutes(9)
    assert run_due(engine, (job,), clock) == ()
    clock.pass_minutes(1)
    assert run_due(engine, (job,), clock) == ("j",)
    clock.pass_minutes(60)
    assert run_due(engine, (job,), clock) == ()
    assert work.times == 3
    assert job_state(engine, "j", job.times, clock).next_at == datetime(2026, 11, 21, 3, tzinfo=UTC)


def test_paused_jobs_run_only_when_somebody_asks(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    paused = Job(name="j", times=Timetable(every=timedelta(minutes=30), paused=True), work=work)
    assert run_due(engine, (paused,), clock) == ()
    assert job_state(engine, "j", paused.times, clock).next_at is None
    assert run_soon(engine, "j", clock)
    assert job_state(engine, "j", paused.times, clock).next_at == clock.time
    assert run_due(engine, (paused,), clock) == ("j",)
    assert run_due(engine, (paused,), clock) == ()
    clock.pass_minutes(300)
    assert run_due(engine, (paused,), clock) == ()
    assert run_due(engine, (Job(name="j", times=HALF_HOUR, work=work),), clock) == ("j",)


def test_quiet_hours_are_kept_and_made_up_for(engine: sa.Engine) -> None:
    clock, work = Clock(), Counted()
    quiet = Timetable(every=timedelta(minutes=30), quiet="10:00-18:30", zone="Europe/Berlin")
    job = Job(name="j", times=quiet, work=work)
    run_due(engine, (Job(name="j", times=HALF_HOUR, work=work),), clock)  # 11:07 in Berlin
    assert job_state(engine, "j", quiet, clock).next_at == datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
    while clock.time < datetime(2026, 11, 20, 17, 30, tzinfo=UTC):
        assert run_due(engine, (job,), clock) == ()
        clock.pass_minutes(7)
    assert run_due(engine, (job,), clock) == ("j",)
    assert run_soon(engine, "j", clock)
    clock.time = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert run_due(engine, (job,), clock) == ("j",)


def test_the_schedule_takes_up_jobs_that_were_added_while_it_runs(engine: sa.Engine) -> None:
    first, second = threading.Event(), threading.Event()
    jobs: list[Job] = []

    def work(done: threading.Event) -> str:
        done.set()
        return "done"

    with Schedule(engine, lambda: tuple(jobs), tick_seconds=0.05):
        jobs.append(Job(name="first", times=HALF_HOUR, work=lambda: work(first)))
        assert first.wait(5)
        jobs.append(Job(name="second", times=HALF_HOUR, work=lambda: work(second)))
        assert second.wait(5)


def test_stopping_tells_the_job_at_work_and_begins_no_other(engine: sa.Engine) -> None:
    begun, later = threading.Event(), Counted()

    def long() -> str:
        begun.set()
        assert schedule.stopping.wait(5)
        return "stopped early"

    jobs = (
        Job(name="long", times=HALF_HOUR, work=long),
        Job(name="later", times=HALF_HOUR, work=later),
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

        return (Job(name="job", times=HALF_HOUR, work=do),)

    with Schedule(engine, jobs, tick_seconds=0.05):
        assert work.wait(5)
    assert "could not look for due jobs" in caplog.text
