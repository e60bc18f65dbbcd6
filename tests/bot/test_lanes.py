"""The threads that work the inbox off survive whatever their work raises, and keep what they hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.inbox import Inbox, Kind, Lease, Received, Waiting
from bot.lanes import Lane, Lanes
from knowledge.database import writing
from tests.bot.dialogue import wait_until


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@contextmanager
def running(
    inbox: Inbox,
    work: Callable[[Lease], None],
    *,
    kinds: tuple[Kind, ...] = ("reaction",),
    announce: Callable[[Waiting], None] | None = None,
) -> Iterator[Lanes]:
    lanes = Lanes(inbox, [Lane(name="test", kinds=kinds, threads=1, work=work)], announce=announce)
    lanes.start()
    yield lanes
    assert lanes.stop(patience_seconds=5)


def done(engine: sa.Engine, inbox: Inbox, lease: Lease) -> None:
    with writing(engine) as connection:
        inbox.finish(connection, lease)


def test_work_that_raises_is_taken_up_again_by_the_same_thread(engine: sa.Engine) -> None:
    inbox = Inbox(engine, lease_seconds=0.3)
    attempts: list[int] = []

    def work(lease: Lease) -> None:
        attempts.append(lease.attempt)
        if lease.attempt == 1:
            raise RuntimeError("stumbled")
        done(engine, inbox, lease)

    with running(inbox, work):
        inbox.put(Received(event_id="Ev1", kind="reaction", team="T1"))
        wait_until(lambda: attempts == [1, 2])


def test_a_lease_is_renewed_as_long_as_its_work_takes(engine: sa.Engine) -> None:
    inbox = Inbox(engine, lease_seconds=0.6)
    finished = threading.Event()

    def work(lease: Lease) -> None:
        time.sleep(1.5)
        done(engine, inbox, lease)
        finished.set()

    with running(inbox, work):
        inbox.put(Received(event_id="Ev1", kind="reaction", team="T1"))
        while not finished.wait(0.05):
            assert inbox.claim(["home"]) is None
    assert inbox.claim(["reaction"]) is None


def test_stopping_waits_for_work_under_way(engine: sa.Engine) -> None:
    inbox = Inbox(engine)
    begun, finished = threading.Event(), threading.Event()

    def work(lease: Lease) -> None:
        begun.set()
        time.sleep(0.3)
        done(engine, inbox, lease)
        finished.set()

    with running(inbox, work):
        inbox.put(Received(event_id="Ev1", kind="reaction", team="T1"))
        assert begun.wait(5)
    assert finished.is_set()


def test_an_announcement_that_fails_does_not_end_the_announcements(engine: sa.Engine) -> None:
    inbox = Inbox(engine)
    go_on = threading.Event()
    told: list[int] = []

    def announce(waiting: Waiting) -> None:
        told.append(waiting.ahead)
        if len(told) == 1:
            raise RuntimeError("Slack is away")

    def work(lease: Lease) -> None:
        go_on.wait(10)
        done(engine, inbox, lease)

    with running(inbox, work, kinds=("question",), announce=announce):
        for number in range(2):
            payload = {"channel": "C1", "ts": f"{number}.0", "thread_ts": None}
            inbox.put(Received(event_id=f"Ev{number}", kind="question", team="T1", ts=f"{number}.0", payload=payload))
        wait_until(lambda: len(told) > 1 and told[-1] == 1)
        go_on.set()
