"""When it is time to learn: at the chosen hour, with enough new votes, once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.jobs import Job, run_due
from bot.learn.timing import LearnTimes, is_due, learn_jobs, learning
from knowledge.database import writing
from tests.bot.versions_shelf import make_version, write_answer

ZONE = timezone(timedelta(hours=5, minutes=30))
THREE = datetime(2026, 12, 5, 3, 10, tzinfo=ZONE)
TIMES = LearnTimes(hour=3, new_rows=4)


def vote(engine: sa.Engine, count: int, at: datetime) -> None:
    answer = write_answer(engine, "")
    with writing(engine) as connection:
        for number in range(count):
            row = {"answer_id": answer, "user": f"U{number}", "vote": 1, "via": "button", "created_at": at}
            connection.execute(sa.insert(tables.feedback).values(row))


class Learned:
    """Counts how often learning began, with a clock that the test sets."""

    def __init__(self, engine: sa.Engine, times: LearnTimes = TIMES) -> None:
        self._engine = engine
        self._times = times
        self.now = THREE
        self.times: list[datetime] = []

    def jobs(self) -> Sequence[Job]:
        """What the schedule asks for at every tick."""
        return learn_jobs(self._engine, self._times, self._learn, threading.Event(), now=lambda: self.now)

    def tick(self, now: datetime) -> None:
        """One tick of the schedule."""
        self.now = now
        run_due(self._engine, self.jobs(), lambda: now.astimezone(UTC))

    def _learn(self, _stopping: threading.Event) -> str:
        self.times.append(self.now)
        return "v1 is a candidate"


def test_it_begins_at_the_hour_of_the_machines_day_only(engine: sa.Engine) -> None:
    vote(engine, 4, THREE - timedelta(hours=9))
    learned = Learned(engine)
    for minutes in range(0, 24 * 60, 20):
        learned.tick(THREE - timedelta(hours=12) + timedelta(minutes=minutes))
    assert learned.times == [THREE]


@pytest.mark.parametrize("hour", [0, 5, 14, 23])
def test_one_night_is_one_time_whatever_the_zone_and_the_hour(engine: sa.Engine, hour: int) -> None:
    """An hour that lies on both sides of midnight in UTC has two slots; many votes come in between."""
    for zone in (ZONE, UTC, timezone(timedelta(hours=-9, minutes=-30))):
        start = datetime(2026, 12, 5, hour, 0, tzinfo=zone)
        with writing(engine) as connection:
            connection.execute(sa.delete(tables.job_run))
        learned = Learned(engine, LearnTimes(hour=hour, new_rows=1))
        for minute in range(0, 60, 6):
            now = start + timedelta(minutes=minute)
            vote(engine, 1, now)
            learned.tick(now)
        assert len(learned.times) == 1


def test_it_waits_for_enough_new_votes_since_the_last_time(engine: sa.Engine) -> None:
    learned = Learned(engine)
    vote(engine, 3, THREE - timedelta(hours=1))
    assert is_due(engine, TIMES, THREE).why == "3 of 4 new votes since the last time"
    learned.tick(THREE)
    vote(engine, 1, THREE - timedelta(hours=1))
    learned.tick(THREE + timedelta(minutes=5))
    vote(engine, 3, THREE + timedelta(hours=1))
    learned.tick(THREE + timedelta(days=1))
    assert learned.times == [THREE + timedelta(minutes=5)]
    vote(engine, 1, THREE + timedelta(days=1, hours=1))
    learned.tick(THREE + timedelta(days=2))
    assert len(learned.times) == 2


def test_it_runs_beside_the_other_jobs_and_is_told_when_the_bot_stops(engine: sa.Engine) -> None:
    vote(engine, 4, THREE - timedelta(hours=1))
    begun, told = threading.Event(), threading.Event()

    def learn(stopping: threading.Event) -> str:
        begun.set()
        if stopping.wait(10):
            told.set()
        return "stopped in between"

    with learning(engine, TIMES, learn, tick_seconds=0.02, now=lambda: THREE):
        assert begun.wait(10)
        assert not told.is_set()
    assert told.is_set()


def test_votes_that_were_taken_back_are_not_new_rows(engine: sa.Engine) -> None:
    vote(engine, 4, THREE - timedelta(hours=1))
    assert is_due(engine, TIMES, THREE).is_due
    with writing(engine) as connection:
        connection.execute(sa.update(tables.feedback).values(removed_at=THREE))
    assert not is_due(engine, TIMES, THREE).is_due


def test_a_version_that_was_made_by_hand_counts_as_the_last_time(engine: sa.Engine, tmp_path: Path) -> None:
    vote(engine, 4, THREE - timedelta(days=30))
    assert is_due(engine, TIMES, THREE).is_due
    make_version(engine, tmp_path, "v1")
    assert "0 of 4" in is_due(engine, TIMES, THREE + timedelta(days=300)).why
