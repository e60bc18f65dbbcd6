"""The inbox loses nothing, works on nothing twice, and lets nobody write who lost the lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.inbox import Inbox, Lease, LeaseLostError, Received, WithdrawnError
from knowledge.database import reading, writing


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inbox(engine: sa.Engine, clock: Clock) -> Inbox:
    return Inbox(engine, lease_seconds=10, now=clock)


def question(ts: str, *, user: str = "U1", event_id: str = "", thread: str | None = None) -> Received:
    payload = {"channel": "C1", "ts": ts, "thread_ts": thread, "text": "why"}
    return Received(
        event_id=event_id or f"Ev{ts}",
        kind="question",
        team="T1",
        channel="C1",
        ts=ts,
        conversation=f"T1:C1:{thread or ts}",
        user=user,
        payload=payload,
    )


def claimed(inbox: Inbox) -> Lease:
    lease = inbox.claim(["question"])
    assert lease is not None
    return lease


def finish(engine: sa.Engine, inbox: Inbox, lease: Lease) -> None:
    with writing(engine) as connection:
        inbox.finish(connection, lease)


def test_the_same_event_is_kept_once(inbox: Inbox) -> None:
    assert inbox.put(question("1.0"))
    assert not inbox.put(question("1.0"))


def test_a_mention_and_its_message_event_make_one_question(inbox: Inbox) -> None:
    assert inbox.put(question("1.0", event_id="EvMention"))
    assert not inbox.put(question("1.0", event_id="EvMessage"))


def test_votes_on_one_message_are_all_kept(inbox: Inbox) -> None:
    for number in range(3):
        assert inbox.put(Received(event_id=f"Ev{number}", kind="reaction", team="T1"))


def test_a_row_is_claimed_by_one_of_many(engine: sa.Engine) -> None:
    inbox = Inbox(engine)
    for number in range(20):
        inbox.put(question(f"{number}.0"))
    claims: list[int] = []

    def claims_all() -> None:
        while (lease := inbox.claim(["question"])) is not None:
            claims.append(lease.id)

    threads = [threading.Thread(target=claims_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == sorted(set(claims))
    assert len(claims) == 20


def test_a_lease_that_ended_is_taken_up_by_another_who_shuts_the_first_out(
    engine: sa.Engine, inbox: Inbox, clock: Clock
) -> None:
    inbox.put(question("1.0"))
    first = claimed(inbox)
    assert inbox.claim(["question"]) is None
    clock.advance(11)
    second = claimed(inbox)
    assert (second.id, second.attempt) == (first.id, 2)
    with writing(engine) as connection, pytest.raises(LeaseLostError):
        inbox.hold(connection, first)
    with pytest.raises(LeaseLostError):
        finish(engine, inbox, first)
    inbox.give_back(first)
    finish(engine, inbox, second)


def test_a_renewed_lease_lasts(inbox: Inbox, clock: Clock) -> None:
    inbox.put(question("1.0"))
    lease = claimed(inbox)
    for _ in range(3):
        clock.advance(8)
        inbox.renew([lease])
    assert inbox.claim(["question"]) is None


def test_a_conversation_is_worked_on_one_question_at_a_time(engine: sa.Engine, inbox: Inbox) -> None:
    inbox.put(question("1.0"))
    inbox.put(question("2.0", thread="1.0"))
    first = claimed(inbox)
    assert inbox.claim(["question"]) is None
    finish(engine, inbox, first)
    assert claimed(inbox).payload["ts"] == "2.0"


def test_a_person_who_asks_a_lot_does_not_keep_others_waiting(engine: sa.Engine, inbox: Inbox) -> None:
    for number in range(5):
        inbox.put(question(f"1.{number}", user="many"))
    finish(engine, inbox, claimed(inbox))
    inbox.put(question("2.0", user="few"))
    assert claimed(inbox).payload["ts"] == "2.0"


def test_what_is_given_back_waits_its_delay_and_does_not_count_as_a_try(inbox: Inbox, clock: Clock) -> None:
    inbox.put(question("1.0"))
    inbox.give_back(claimed(inbox), delay_seconds=30)
    assert inbox.claim(["question"]) is None
    clock.advance(31)
    assert claimed(inbox).attempt == 1


def test_a_finished_row_keeps_no_text(engine: sa.Engine, inbox: Inbox) -> None:
    inbox.put(question("1.0"))
    finish(engine, inbox, claimed(inbox))
    with reading(engine) as connection:
        assert connection.scalar(sa.select(tables.inbox.c.payload)) == {}


def test_a_waiting_question_that_is_withdrawn_is_never_claimed(inbox: Inbox) -> None:
    inbox.put(question("1.0"))
    inbox.withdraw(inbox.open_questions(channel="C1", ts="1.0"))
    assert inbox.claim(["question"]) is None


def test_a_question_withdrawn_under_work_stops_its_worker(engine: sa.Engine, inbox: Inbox) -> None:
    inbox.put(question("1.0"))
    lease = claimed(inbox)
    inbox.withdraw(inbox.open_questions(channel="C1", ts="1.0"))
    with writing(engine) as connection, pytest.raises(WithdrawnError):
        inbox.hold(connection, lease)


def test_a_worker_that_died_leaves_the_withdrawal_to_the_next(inbox: Inbox, clock: Clock) -> None:
    inbox.put(question("1.0"))
    claimed(inbox)
    inbox.withdraw(inbox.open_questions(channel="C1"))
    clock.advance(11)
    assert claimed(inbox).withdrawn


def test_an_edit_reaches_a_question_that_nobody_began(inbox: Inbox) -> None:
    inbox.put(question("1.0"))
    assert inbox.amend(channel="C1", ts="1.0", text="how")
    lease = claimed(inbox)
    assert lease.payload["text"] == "how"
    assert not inbox.amend(channel="C1", ts="1.0", text="when")


def test_the_line_counts_who_comes_first(inbox: Inbox) -> None:
    for number in range(3):
        inbox.put(question(f"{number}.0", user=f"U{number}"))
    claimed(inbox)
    assert [waiting.ahead for waiting in inbox.waiting_line()] == [1, 2]


def test_old_finished_rows_are_pruned_and_open_ones_stay(engine: sa.Engine, inbox: Inbox, clock: Clock) -> None:
    inbox.put(question("1.0"))
    inbox.put(question("2.0"))
    finish(engine, inbox, claimed(inbox))
    clock.advance(15 * 24 * 3600)
    assert inbox.prune() == 1
    assert claimed(inbox).payload["ts"] == "2.0"


def test_waiting_ends_when_something_arrives(engine: sa.Engine) -> None:
    inbox = Inbox(engine)
    seen = inbox.news
    thread = threading.Thread(target=inbox.put, args=(question("1.0"),))
    thread.start()
    inbox.wait(seen, 10.0)
    thread.join()
    assert inbox.claim(["question"]) is not None
