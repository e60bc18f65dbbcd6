"""Votes, reasons and better answers are rows tied to their answer: one live vote per person and answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.feedback import (
    export_feedback,
    find_answer,
    list_feedback,
    live_vote,
    record_reason,
    record_vote,
    withdraw_vote,
)
from knowledge.database import open_engine, reading, writing

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    with writing(engine) as connection:
        tables.create_all(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def answer_id(engine: sa.Engine) -> int:
    return add_answer(engine)


def add_answer(engine: sa.Engine, ts: str = "10.1") -> int:
    place: dict[str, object] = {
        "team": "T1",
        "channel": "C1",
        "thread_ts": ts,
        "conversation": f"T1:C1:{ts}",
        "user": "U1",
    }
    passages = [{"chunk_id": 5, "score": 0.9}]
    answer = place | {"question_ts": ts, "message_ts": f"{ts}5", "nonce": ts, "state": "final_sent"}
    answer |= {"text": "By train.", "version": "v1", "audience": "everyone", "created_at": NOW, "state_at": NOW}
    question = place | {"ts": ts, "role": "user", "text": "How do we travel?", "created_at": NOW}
    citation: dict[str, object] = {
        "kind": "cited",
        "n": 1,
        "uri": "https://d/1",
        "title": "Travel",
        "header": "",
        "source": "docs",
    }
    citation |= {"chunk_id": 5, "text_hash": "h", "quote": "Take the train."}
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.turn).values(question))
        key = connection.execute(sa.insert(tables.answer).values(answer | {"passages": passages})).inserted_primary_key
        assert key is not None
        connection.execute(sa.insert(tables.citation).values(citation | {"answer_id": key[0]}))
        return int(key[0])


def rows(engine: sa.Engine) -> list[tuple[int, bool]]:
    with reading(engine) as connection:
        found = connection.execute(sa.select(tables.feedback).order_by(tables.feedback.c.id)).all()
    return [(row.vote, row.removed_at is None) for row in found]


def test_an_answer_is_found_by_the_message_that_shows_it_or_a_part_of_it(engine: sa.Engine, answer_id: int) -> None:
    with writing(engine) as connection:
        part = {"answer_id": answer_id, "part": 1, "channel": "C1", "message_ts": "11.0", "intent_at": NOW}
        connection.execute(sa.insert(tables.answer_part).values(part))
    assert find_answer(engine, "C1", "10.15") == answer_id
    assert find_answer(engine, "C1", "11.0") == answer_id
    assert find_answer(engine, "C2", "10.15") is None


def test_a_vote_counts_once_however_often_it_is_delivered(engine: sa.Engine, answer_id: int) -> None:
    assert all(record_vote(engine, answer_id, "U2", 1, "reaction") for _ in range(3))
    assert rows(engine) == [(1, True)]


def test_another_vote_takes_the_place_of_the_first(engine: sa.Engine, answer_id: int) -> None:
    record_vote(engine, answer_id, "U2", 1, "reaction")
    record_vote(engine, answer_id, "U2", -1, "button")
    record_vote(engine, answer_id, "U3", 1, "button")
    assert rows(engine) == [(1, False), (-1, True), (1, True)]
    assert live_vote(engine, answer_id, "U2") == -1


def test_a_vote_can_be_taken_back_and_given_again(engine: sa.Engine, answer_id: int) -> None:
    record_vote(engine, answer_id, "U2", 1, "reaction")
    assert withdraw_vote(engine, answer_id, "U2")
    assert not withdraw_vote(engine, answer_id, "U2")
    assert live_vote(engine, answer_id, "U2") is None
    record_vote(engine, answer_id, "U2", 1, "reaction")
    assert rows(engine) == [(1, False), (1, True)]


def test_taking_the_old_thumb_off_leaves_the_new_one(engine: sa.Engine, answer_id: int) -> None:
    record_vote(engine, answer_id, "U2", -1, "reaction")
    record_vote(engine, answer_id, "U2", 1, "reaction")
    assert not withdraw_vote(engine, answer_id, "U2", -1)
    assert live_vote(engine, answer_id, "U2") == 1


def test_a_vote_for_an_answer_that_is_gone_is_refused(engine: sa.Engine) -> None:
    assert not record_vote(engine, 99, "U2", 1, "button")
    assert not record_reason(engine, 99, "U2", "wrong")


def test_a_reason_comes_with_its_vote(engine: sa.Engine, answer_id: int) -> None:
    record_vote(engine, answer_id, "U2", 1, "reaction")
    assert record_reason(engine, answer_id, "U2", "outdated", "  By plane now. ")
    (feedback,) = list_feedback(engine)
    assert (feedback.vote, feedback.reason, feedback.correction) == (-1, "outdated", "By plane now.")
    assert (feedback.question, feedback.answer, feedback.version) == ("How do we travel?", "By train.", "v1")
    assert feedback.created_at.tzinfo is not None


def test_an_unknown_reason_is_a_mistake(engine: sa.Engine, answer_id: int) -> None:
    with pytest.raises(ValueError, match="reason is 'bored', expected one of wrong"):
        record_reason(engine, answer_id, "U2", "bored")


def test_the_list_is_newest_first_and_can_be_narrowed(engine: sa.Engine, answer_id: int) -> None:
    other = add_answer(engine, "20.1")
    record_vote(engine, answer_id, "U2", 1, "button")
    record_vote(engine, other, "U2", -1, "button")
    assert [feedback.answer_id for feedback in list_feedback(engine)] == [other, answer_id]
    assert [feedback.answer_id for feedback in list_feedback(engine, vote=1)] == [answer_id]
    assert len(list_feedback(engine, limit=1)) == 1


def test_the_export_is_json_with_what_the_answer_stood_on(engine: sa.Engine, answer_id: int) -> None:
    record_vote(engine, answer_id, "U2", 1, "button")
    record_vote(engine, answer_id, "U3", 1, "button")
    withdraw_vote(engine, answer_id, "U3")
    (row,) = [json.loads(json.dumps(row)) for row in export_feedback(engine)]
    assert row["user"] == "U2"
    assert row["passages"] == [{"chunk_id": 5, "score": 0.9}]
    assert row["citations"][0]["uri"] == "https://d/1"
    assert row["created_at"].endswith("+00:00")


def test_an_export_of_many_rows_repeats_and_loses_none(engine: sa.Engine, answer_id: int) -> None:
    with writing(engine) as connection:
        votes = [
            {"answer_id": answer_id, "user": f"U{n}", "vote": 1, "via": "button", "created_at": NOW}
            for n in range(1_203)
        ]
        connection.execute(sa.insert(tables.feedback), votes)
    exported = [row["user"] for row in export_feedback(engine)]
    assert exported == [f"U{n}" for n in range(1_203)]


def test_votes_at_the_same_moment_leave_one(engine: sa.Engine, answer_id: int) -> None:
    def vote(number: int) -> None:
        record_vote(engine, answer_id, "U2", 1 if number % 2 else -1, "button")

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(live for _, live in rows(engine)) == 1
