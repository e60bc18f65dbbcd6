"""Whoever asked for a source to be read hears how it goes: one direct message, which becomes the outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.app import open_parser
from bot.equipment import Equipment
from bot.jobs import Job, run_due
from bot.privacy import forget
from bot.reading_wishes import Outcome, Watch
from bot.settings import FileSettings
from bot.slack.gateway import SlackBot
from bot.sync import sync_source
from bot.timetable import Timetable
from knowledge.database import reading, writing
from knowledge.errors import KnowledgeError
from knowledge.ingest import IngestParts
from knowledge.store import StoredSource, add_source, remove_source
from tests.bot.dialogue import ADA, BEN, HELP, ScriptedAnswering, Workspace, link, options, wait_until
from tests.bot.pages import Pages
from tests.bot.slack_oracle import read_message
from tests.knowledge.fake_embedder import FakeEmbedder

Start = Callable[..., SlackBot]


@pytest.fixture
def handbook(engine: sa.Engine, tmp_path: Path) -> StoredSource:
    folder = tmp_path / "handbook"
    folder.mkdir()
    for number in range(3):
        (folder / f"page-{number}.md").write_text(f"# Page {number}\n\nWhat stands on page {number}.\n")
    return add_source(engine, kind="files", location=str(folder), name="Handbook")


@pytest.fixture
def start(workspace: Workspace, engine: sa.Engine, tmp_path: Path) -> Iterator[Start]:
    """Starts a bot; two of the workspace are admins."""
    with ExitStack() as stack:

        def start(**changes: Any) -> SlackBot:
            slack = options(workspace.playground, home=tmp_path / "home", admins=frozenset({BEN}))
            bot = SlackBot(engine, ScriptedAnswering(), slack, link=link, version=lambda: "scripted-1", **changes)
            stack.enter_context(bot)
            wait_until(lambda: bot.ready)
            return bot

        yield start


def read(engine: sa.Engine, source: StoredSource) -> str:
    with open_parser(FileSettings()) as parser:
        parts = IngestParts(engine=engine, parser=parser, embedder=FakeEmbedder(), chunk_tokens=200)
        return f"{sync_source(source, parts).added} added"


def run_schedule(engine: sa.Engine, source: StoredSource) -> None:
    """What the schedule does at its next tick, here or in another process."""
    job = Job(name=f"sync:{source.id}", times=Timetable(every=timedelta(days=1)), work=lambda: read(engine, source))
    assert run_due(engine, (job,)) == (job.name,)


def press(workspace: Workspace, user: str, source: StoredSource) -> Pages:
    pages = Pages(workspace, user)
    pages.open_home()
    pages.use_and_see("home_admin")
    assert words.READING_TOLD in pages.use_and_see("home_sync", value=source.id)
    return pages


def told(workspace: Workspace, user: str) -> list[str]:
    """What the direct messages of a person say now, of those that were posted in this test."""
    calls = workspace.ledger("call", "chat.postMessage")
    posted = [call for call in calls if call["status"] == "ok" and call["request"]["channel"] == f"D{user[1:]}"]
    says = {str(call["response"]["ts"]): str(call["request"]["text"]) for call in posted}
    for call in workspace.ledger("call", "chat.update"):
        if str(call["request"]["ts"]) in says and call["status"] == "ok":
            says[str(call["request"]["ts"])] = str(call["request"]["text"])
    return list(says.values())


def wishes(engine: sa.Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(tables.reading_wish).order_by(tables.reading_wish.c.id)))


def all_told(engine: sa.Engine, count: int) -> bool:
    with reading(engine) as connection:
        states = connection.scalars(sa.select(tables.inbox.c.state).where(tables.inbox.c.kind == "reading")).all()
    return states == ["done"] * count


def test_who_pressed_read_now_is_told_what_came_of_it_and_sees_it_on_the_page(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    start()
    ada = press(workspace, ADA, handbook)
    assert "3 documents" not in ada.home
    run_schedule(engine, handbook)
    wait_until(lambda: all_told(engine, 1))
    (said,) = told(workspace, ADA)
    assert said.startswith("Handbook was read: 3 added, ")
    wait_until(lambda: "3 documents" in ada.home)
    assert words.ADMIN_SYNC_TITLE in ada.home


def test_a_long_reading_says_how_far_it_is_and_its_message_becomes_the_outcome(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    """The reading is another process's: all that the bot knows of it is in the database."""
    start()
    press(workspace, ADA, handbook)
    watch = Watch(engine, handbook.id)
    watch.begun()
    watch.progress("Page 120", 120, 400)
    wait_until(lambda: told(workspace, ADA) == ["Reading Handbook… 120 of 400"])
    # Nothing new is nothing to edit.
    threading.Event().wait(3.5)
    assert workspace.ledger("call", "chat.update") == []
    watch.ended(Outcome(added=3, changed=1, failed=2, seconds=0.84))
    wait_until(lambda: all_told(engine, 1))
    assert told(workspace, ADA) == [
        "Handbook was read: 3 added, 1 changed, 2 could not be read (lorekeeper sources list tells why), 0.8 s."
    ]


def test_a_reading_that_fails_is_told_without_the_words_of_the_error(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    start()
    press(workspace, ADA, handbook)
    folder = Path(handbook.location)
    folder.rename(folder.with_name("elsewhere"))
    run_schedule(engine, handbook)
    wait_until(lambda: all_told(engine, 1))
    (said,) = told(workspace, ADA)
    assert said == words.reading_failed("Handbook", "away")
    assert str(folder.parent) not in repr(workspace.ledger("call"))


def test_who_asks_twice_is_told_once_and_two_admins_each(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    start()
    ada = press(workspace, ADA, handbook)
    ada.use_and_see("home_sync", value=handbook.id)
    press(workspace, BEN, handbook)
    run_schedule(engine, handbook)
    wait_until(lambda: all_told(engine, 2))
    assert [len(told(workspace, user)) for user in (ADA, BEN)] == [1, 1]
    # Once more after that is a wish of its own.
    ada.use_and_see("home_sync", value=handbook.id)
    run_schedule(engine, handbook)
    wait_until(lambda: all_told(engine, 3))
    assert [len(told(workspace, user)) for user in (ADA, BEN)] == [2, 1]
    assert "nothing has changed" in told(workspace, ADA)[1]


def test_a_crash_between_the_end_and_the_telling_loses_nothing_and_doubles_nothing(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    bot = start()
    press(workspace, ADA, handbook)
    bot.stop()
    run_schedule(engine, handbook)
    assert told(workspace, ADA) == []
    bot = start()
    wait_until(lambda: all_told(engine, 1))
    bot.stop()
    # As where the process ended after Slack had taken the message, before that was noted.
    inbox, wish = tables.inbox, tables.reading_wish
    with writing(engine) as connection:
        connection.execute(sa.update(wish).values(told_at=None, message_ts="", channel=""))
        row = {"state": "working", "lease_until": datetime.now(UTC), "lease_token": "gone"}
        payload = {"request": wishes(engine)[0].request}
        connection.execute(sa.update(inbox).where(inbox.c.kind == "reading").values(row | {"payload": payload}))
    start()
    wait_until(lambda: all_told(engine, 1))
    assert len(told(workspace, ADA)) == 1


def test_while_slack_is_away_the_outcome_waits(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    start()
    press(workspace, ADA, handbook)
    workspace.act("faults", error={"conversations.open": {"status": 503, "count": 99}})
    run_schedule(engine, handbook)
    wait_until(lambda: len(workspace.ledger("call", "conversations.open")) > 1)
    assert told(workspace, ADA) == []
    workspace.act("faults", clear=True)
    wait_until(lambda: all_told(engine, 1))
    assert len(told(workspace, ADA)) == 1


def lore(workspace: Workspace, user: str, text: str) -> None:
    workspace.act("slash", user=user, channel=HELP, command="/lore", text=text)


def test_lore_sync_tells_of_all_sources_in_one_message(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource, tmp_path: Path
) -> None:
    secret = add_source(engine, kind="files", location=str(tmp_path / "gone"), name="Ben's", audience=f"person:{BEN}")
    evil = add_source(
        engine, kind="files", location=str(tmp_path / "evil"), name="<!channel> https://evil.example @here"
    )
    asked: list[str | None] = []

    def sync(name: str | None) -> str:
        asked.append(name)
        read(engine, handbook)
        for source in (secret, evil):
            with pytest.raises(KnowledgeError):
                read(engine, source)
        return ""

    start(equipment=Equipment(sync=sync))
    lore(workspace, ADA, "sync")
    wait_until(lambda: all_told(engine, 1))
    (said,) = told(workspace, ADA)
    assert said.startswith("Handbook was read: 3 added, ")
    assert words.readings_hidden(1, ended=True) in said
    assert "Ben" not in said
    (post,) = (call["request"] for call in workspace.ledger("call", "chat.postMessage"))
    shown = read_message({"text": post["text"], "blocks": post["blocks"]})
    assert (shown.links, shown.mentions, shown.hidden) == ([], [], [])
    assert asked == [None]


def test_a_source_that_went_meanwhile_and_a_person_who_was_forgotten(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    start()
    press(workspace, ADA, handbook)
    press(workspace, BEN, handbook)
    forget(engine, BEN)
    assert [row.user for row in wishes(engine)] == [ADA]
    remove_source(engine, handbook.id)
    wait_until(lambda: all_told(engine, 2))
    assert told(workspace, ADA) == [words.READING_GONE]
    assert told(workspace, BEN) == []


def test_the_schedule_is_reminded_where_nobody_is_heard_to_read(
    start: Start, workspace: Workspace, engine: sa.Engine, handbook: StoredSource
) -> None:
    """As where the wish came just after the reading's last word, or its process died."""
    start()
    press(workspace, ADA, handbook)
    long_ago = datetime.now(UTC) - timedelta(minutes=2)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.job_run).values(asked=False))
        connection.execute(sa.update(tables.reading_wish).values(noted_at=long_ago))
    wait_until(lambda: wishes(engine)[0].noted_at > long_ago)
    run_schedule(engine, handbook)
    wait_until(lambda: all_told(engine, 1))
    assert len(told(workspace, ADA)) == 1
