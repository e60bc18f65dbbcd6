"""Dialogues around an outage: what people asked while the bot was away is answered when it is back, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.channels import ChannelSettings, save_channel
from bot.database import open_database
from bot.playground.process import PlaygroundProcess, start_playground
from bot.slack.gateway import SlackBot
from bot.slack.manifest import build_manifest
from knowledge.database import reading, writing
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    GENERAL,
    HELP,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)

TEAM = "T0PLAYGROUND"


@pytest.fixture
def playground() -> Iterator[PlaygroundProcess]:
    # One for each test: what one test asked would be missed by the bot of the next.
    with start_playground(port=0, ack_seconds=1.0, time_scale=600.0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture
def workspace(playground: PlaygroundProcess) -> Workspace:
    return Workspace(playground)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(answering: ScriptedAnswering, **changes: Any) -> SlackBot:
            settings = options(playground, look_back_seconds=0.01, **changes)
            bot = SlackBot(engine, answering, settings, link=link, version=lambda: "scripted-1")
            stack.enter_context(bot)
            wait_until(lambda: bot.ready)
            return bot

        yield start


def wait_until_lost(workspace: Workspace, count: int) -> None:
    """Wait until the workspace gave up bringing so many events that nobody took."""
    wait_until(lambda: [entry["status"] for entry in workspace.ledger("event")].count("lost") >= count, 30.0)


def questions(engine: sa.Engine) -> list[Any]:
    table = tables.inbox
    query = sa.select(table).where(table.c.kind == "question").order_by(table.c.id)
    with reading(engine) as connection:
        return list(connection.execute(query))


def test_what_was_asked_while_the_bot_was_down_is_answered_when_it_is_back(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M16, M1: mentions, direct messages and follow-ups; talk between people stays between them."""
    save_channel(engine, TEAM, GENERAL, ChannelSettings(auto_answer=True), changed_by=ADA)
    first = start_bot(ScriptedAnswering())
    root = workspace.say(BEN, HELP, f"{BOT} who pays for lunch?")
    workspace.answers(HELP, root)
    first.stop()
    mention = workspace.say(BEN, GENERAL, f"{BOT} who gives out badges?")
    direct = workspace.say(ADA, ADAS_DM, "when do we move?")
    workspace.say(BEN, HELP, "and for dinner?", thread_ts=root)
    workspace.say(ADA, GENERAL, "where is the expense form?")
    workspace.say(ADA, HELP, "I always wondered", thread_ts=root)
    # A mention is two events. What Slack brings again by itself is no business of this test.
    wait_until_lost(workspace, 6)
    answering = ScriptedAnswering()
    start_bot(answering)
    workspace.answers(GENERAL, mention)
    workspace.answers(ADAS_DM, direct)
    workspace.answers(HELP, root, count=2)
    wait_until(lambda: [row.state for row in questions(engine)] == ["done"] * 4)
    assert sorted(question.text for question in answering.asked) == [
        "and for dinner?",
        "when do we move?",
        "who gives out badges?",
    ]


def test_a_bot_that_never_heard_anything_looks_for_nothing(workspace: Workspace, start_bot: StartBot) -> None:
    workspace.say(ADA, ADAS_DM, "hello?")
    wait_until_lost(workspace, 1)
    start_bot(ScriptedAnswering())
    assert workspace.ledger("call", "conversations.history") == []


def test_it_does_not_look_back_further_than_an_hour(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    first = start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} who pays?")
    workspace.answers(HELP, ts)
    first.stop()
    with writing(engine) as connection:
        connection.execute(sa.update(tables.inbox).values(received_at=datetime.now(UTC) - timedelta(days=3)))
    workspace.act("clear_traffic")
    start_bot(ScriptedAnswering())
    wait_until(lambda: len(workspace.ledger("call", "conversations.history")) >= 6)
    calls = workspace.ledger("call", "conversations.history")
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).timestamp()
    assert all(float(call["request"]["oldest"]) == pytest.approx(hour_ago, abs=60) for call in calls)
    assert [call["request"]["channel"] for call in calls][:3] == ["D0ADAPARK", "D0BENORTIZ", "D0CHLOELIND"]
    assert len(questions(engine)) == 1


def test_after_a_cut_line_it_looks_back_too_and_answers_nothing_twice(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M16."""
    answering = ScriptedAnswering()
    bot = start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} who pays?")
    workspace.answers(HELP, ts)
    workspace.act("faults", disconnect="link_disabled")
    wait_until(lambda: bool(workspace.ledger("call", "conversations.history")))
    wait_until(lambda: bot.ready)
    second = workspace.say(BEN, HELP, f"{BOT} and when?")
    workspace.answers(HELP, second)
    assert [question.text for question in answering.asked] == ["who pays?", "and when?"]


def test_where_slack_refuses_the_history_it_goes_on_without(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    first = start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} who pays?")
    workspace.answers(HELP, ts)
    first.stop()
    workspace.act("faults", error={"conversations.history": "missing_scope"})
    start_bot(ScriptedAnswering())
    wait_until(lambda: len(workspace.ledger("call", "conversations.history")) >= 6)
    ts = workspace.say(BEN, HELP, f"{BOT} and when?")
    workspace.answers(HELP, ts)
