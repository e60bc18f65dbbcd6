"""What an event leads to before it is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk import WebClient

from bot import tables
from bot.database import open_database
from bot.inbox import Inbox
from bot.note_suggestions import Note, NoteFile, suggest_note
from bot.runs import Runs
from bot.slack.deliver import Delivery
from bot.slack.intake import Intake, storable
from bot.slack.membership import Memberships
from knowledge.database import reading

BOT_USER = "U0BOT"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def intake(engine: sa.Engine) -> Intake:
    delivery = Delivery(WebClient(retry_handlers=[]), stopping=threading.Event())
    return Intake(
        engine=engine,
        inbox=Inbox(engine),
        runs=Runs(),
        memberships=Memberships(delivery),
        bot_user_id=BOT_USER,
    )


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    message = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "ts": "1.0"}
    return {"event_id": event_id, "team_id": "T1", "event": message | fields}


def kept(engine: sa.Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(tables.inbox).order_by(tables.inbox.c.id)))


def test_a_mention_and_its_message_are_one_row(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"<@{BOT_USER}> why?"))
    intake.accept(event("Ev2", text=f"<@{BOT_USER}> why?", type="app_mention"))
    (row,) = kept(engine)
    assert (row.kind, row.payload["text"]) == ("question", "why?")


def test_a_shared_channel_is_marked(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"<@{BOT_USER}> why?") | {"is_ext_shared_channel": True})
    assert kept(engine)[0].payload["external"] is True


def test_a_follow_up_is_kept_while_the_first_question_still_waits(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"<@{BOT_USER}> why?"))
    intake.accept(event("Ev2", text="and how?", ts="2.0", thread_ts="1.0"))
    intake.accept(event("Ev3", text="me too", ts="3.0", thread_ts="1.0", user="U2"))
    assert [row.ts for row in kept(engine)] == ["1.0", "2.0"]


def test_a_deletion_drops_a_question_that_waits(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"<@{BOT_USER}> why?"))
    previous = {"user": "U1", "ts": "1.0", "text": "why?"}
    intake.accept(event("Ev2", subtype="message_deleted", deleted_ts="1.0", previous_message=previous, ts="2.0"))
    assert [row.state for row in kept(engine)] == ["dropped"]


def test_votes_and_visits_are_kept_for_the_light_lane(intake: Intake, engine: sa.Engine) -> None:
    item = {"type": "message", "channel": "C1", "ts": "1.0"}
    intake.accept(event("Ev1", type="reaction_added", reaction="+1", item=item, item_user=BOT_USER))
    intake.accept(event("Ev2", type="app_home_opened", tab="home"))
    assert [row.kind for row in kept(engine)] == ["reaction", "home", "greeting"]


def test_an_event_nobody_needs_leaves_no_row(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text="lunch?"))
    intake.accept(event("Ev2", type="team_join"))
    intake.accept(event("Ev3", type="member_left_channel"))
    assert kept(engine) == []


def test_half_a_character_does_no_harm(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"<@{BOT_USER}> a \ud83d smile \ud83d\ude00"))
    assert kept(engine)[0].payload["text"] == "a \ufffd smile 😀"
    assert storable("plain") == "plain"


def test_a_deleted_file_is_noted_once_and_only_where_it_was_saved(intake: Intake, engine: sa.Engine) -> None:
    note = Note(team="T1", channel="D1", ts="1.0", user="U1", title="t", text="", permalink="", audience="everyone")
    suggest_note(engine, note, [NoteFile(id="F1", name="a.md", stored="a.md", content=b"a", text="a")])
    for event_id, file in (("Ev1", "F2"), ("Ev2", "F1"), ("Ev2", "F1")):
        intake.accept({"event_id": event_id, "team_id": "T1", "event": {"type": "file_deleted", "file_id": file}})
    (row,) = kept(engine)
    assert (row.kind, row.team, row.payload) == ("deletion", "T1", {"team": "T1", "file": "F1"})
