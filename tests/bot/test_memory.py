"""What is removed of people who switched their memory off, and what stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.conversation import load_history, load_saved, save_answer, save_user_turn
from bot.database import open_database
from bot.feedback import export_feedback, record_vote
from bot.inbox import Inbox, Received
from bot.jobs import run_due
from bot.memory import drop_unremembered, memory_job, people_without_memory
from bot.overview import unanswered
from bot.people import Preferences, save_preferences
from bot.turn import Incoming
from knowledge.database import reading, writing
from tests.bot.dialogue import make_answer

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=25)
ASKED = Incoming(
    team="T1", channel="C1", channel_kind="public", user="U1", ts="1.1", thread_ts=None, text="secret", mentioned=True
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    save_preferences(engine, "T1", "U1", Preferences(memory=False))
    yield engine
    engine.dispose()


def converse(engine: sa.Engine, incoming: Incoming = ASKED) -> int:
    save_user_turn(engine, incoming)
    return save_answer(engine, incoming, make_answer(f"the answer to {incoming.text}"))


def words_of(engine: sa.Engine) -> str:
    """All text that any row holds."""
    with reading(engine) as connection:
        kept = [tables.turn, tables.answer, tables.citation, tables.answer_revision]
        return repr([row for table in kept for row in connection.execute(sa.select(table))])


def test_a_finished_conversation_is_gone_after_a_day(engine: sa.Engine) -> None:
    answer_id = converse(engine)
    revision: dict[str, Any] = {"answer_id": answer_id, "revision": 1, "purpose": "edit", "user": "U1"}
    revision |= {"question": "secret", "text": "the secret", "version": "v", "replaced_at": NOW}
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.answer_revision).values(revision))
    assert drop_unremembered(engine, NOW + timedelta(hours=23)) == 0
    assert "secret" in words_of(engine)
    assert load_history(engine, ASKED.conversation, 12) != ()
    assert drop_unremembered(engine, LATER) == 2
    assert "secret" not in words_of(engine)
    assert load_history(engine, ASKED.conversation, 12) == ()
    # How long it took stays, for the statistics.
    assert load_saved(engine, answer_id).answer is not None
    assert drop_unremembered(engine, LATER) == 0


def test_a_conversation_that_goes_on_is_kept_whole(engine: sa.Engine) -> None:
    converse(engine)
    follow_up = replace(ASKED, ts="1.2", thread_ts="1.1", text="and then?")
    save_user_turn(engine, follow_up)
    with writing(engine) as connection:
        late = sa.update(tables.turn).where(tables.turn.c.ts == "1.2")
        connection.execute(late.values(created_at=NOW + timedelta(hours=20)))
    assert drop_unremembered(engine, LATER) == 0
    assert drop_unremembered(engine, NOW + timedelta(hours=45)) == 3


def test_a_conversation_with_a_question_that_waits_is_kept(engine: sa.Engine) -> None:
    converse(engine)
    row = Received(event_id="E1", kind="question", team="T1", ts="1.3", conversation=ASKED.conversation, user="U1")
    Inbox(engine).put(row)
    assert drop_unremembered(engine, LATER) == 0


def test_others_are_remembered(engine: sa.Engine) -> None:
    converse(engine, replace(ASKED, user="U2", ts="2.1"))
    converse(engine, replace(ASKED, team="T2", ts="3.1"))
    save_preferences(engine, "T1", "U2", Preferences(memory=True))
    assert drop_unremembered(engine, LATER) == 0
    assert people_without_memory(engine, "T1") == {"U1"}
    assert people_without_memory(engine, "T2") == frozenset()


def test_the_schedule_does_it(engine: sa.Engine) -> None:
    converse(engine)
    job = memory_job(engine, lambda: LATER)
    assert run_due(engine, (job,)) == ("memory",)
    assert "secret" not in words_of(engine)
    assert job.work() == "nothing to remove"


def test_the_words_are_not_used_outside_their_thread_before_that_either(engine: sa.Engine) -> None:
    forgetful, other = converse(engine), converse(engine, replace(ASKED, user="U2", ts="2.1"))
    for answer_id in (forgetful, other):
        record_vote(engine, answer_id, "U3", -1, "button")
    exported = {row["answer_id"]: (row["question"], row["answer"]) for row in export_feedback(engine)}
    assert exported == {forgetful: ("", ""), other: ("secret", "the answer to secret")}
    assert unanswered(engine, "T1", without=people_without_memory(engine, "T1"), limit=9)[0].answer_id == other
