"""Killed at any edge between two states and started again: one answer per question, and it is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.inbox import Inbox, Received
from bot.playground.process import PlaygroundProcess, start_playground
from bot.slack.gateway import SlackBot
from bot.slack.manifest import build_manifest
from bot.turn import Revision
from knowledge.database import reading
from tests.bot.dialogue import BEN, BOT, HELP, LONG, ScriptedAnswering, Workspace, link, options, wait_until

STREAM_EDGES = (
    "claimed",
    "stream_intent",
    "stream_open",
    "stream_known",
    "roll_intent",
    "roll_open",
    "roll_known",
    "final_ready",
    "final_shown",
    "final_sent",
)
POST_EDGES = (
    "received",
    "placeholder_intent",
    "placeholder_sent",
    "posted",
    "final_ready",
    "part_intent",
    "part_sent",
)


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    """With clocks that let a stream live for half a minute: on a busy machine an answer takes its time."""
    with start_playground(port=0, ack_seconds=1.0, time_scale=10.0, manifest=build_manifest()) as process:
        yield process


@pytest.mark.parametrize("edge", STREAM_EDGES)
def test_a_streaming_bot_killed_at_an_edge_gives_exactly_one_answer(
    playground: PlaygroundProcess, tmp_path: Path, edge: str
) -> None:
    """M1, M7: also between the opening of a stream, which carries no mark, and the note of where it stands."""
    Workspace(playground).act("features", streaming=True)
    answer_after_a_crash(playground, tmp_path, edge)


@pytest.mark.parametrize("edge", POST_EDGES)
def test_a_bot_killed_at_an_edge_gives_exactly_one_answer(
    playground: PlaygroundProcess, tmp_path: Path, edge: str
) -> None:
    """M1: where the workspace has no streaming."""
    Workspace(playground).act("features", streaming=False)
    answer_after_a_crash(playground, tmp_path, edge)


def answer_after_a_crash(playground: PlaygroundProcess, tmp_path: Path, edge: str) -> None:
    workspace = Workspace(playground)
    database_url = f"sqlite:///{tmp_path / 'lorekeeper.db'}"
    with started_child(playground, database_url, edge) as child:
        thread_ts = workspace.say(BEN, HELP, f"{BOT} tell me at length")
        assert child.wait(60) == -9
    engine = open_database(database_url)
    answering = ScriptedAnswering(reply=lambda *_: LONG)
    bot = SlackBot(engine, answering, options(playground, lease_seconds=1.0), link=link, version=lambda: "scripted-1")
    with bot:
        wait_until(lambda: states(engine, thread_ts) == ["done"], 30)
        messages = workspace.bot_messages(HELP, thread_ts)
    engine.dispose()
    parts = [message["metadata"]["event_payload"]["part"] for message in messages]
    assert parts == list(range(len(parts)))
    assert len(parts) == 2
    assert "context_actions" in [block["type"] for block in messages[0]["blocks"]]


@pytest.mark.parametrize("edge", ["revision_begun", "revision_ready", "final_shown", "part_sent", "revision_sent"])
def test_a_bot_killed_while_it_makes_an_answer_again_leaves_one_answer(
    playground: PlaygroundProcess, tmp_path: Path, edge: str
) -> None:
    """N1, S2: the new text stands in the old message, and the old text is kept once."""
    workspace = Workspace(playground)
    workspace.act("features", streaming=True)
    database_url = f"sqlite:///{tmp_path / 'lorekeeper.db'}"
    engine = open_database(database_url)
    slack = options(playground, lease_seconds=1.0)
    with SlackBot(engine, ScriptedAnswering(), slack, link=link, version=lambda: "scripted-1"):
        thread_ts = workspace.say(BEN, HELP, f"{BOT} tell me at length")
        wait_until(lambda: states(engine, thread_ts) == ["done"], 30)
    (before,) = workspace.bot_messages(HELP, thread_ts)
    wish_for_detail(engine, thread_ts)
    with started_child(playground, database_url, edge) as child:
        assert child.wait(60) == -9
    answering = ScriptedAnswering(reply=lambda *_: LONG)
    with SlackBot(engine, answering, slack, link=link, version=lambda: "scripted-1"):
        wait_until(lambda: states(engine, thread_ts) == ["done", "done"], 30)
        messages = workspace.bot_messages(HELP, thread_ts)
    with reading(engine) as connection:
        earlier = list(connection.scalars(sa.select(tables.answer_revision.c.text)))
    engine.dispose()
    assert messages[0]["ts"] == before["ts"]
    assert [message["metadata"]["event_payload"]["part"] for message in messages] == [0, 1]
    assert "A sentence of some length" in messages[0]["text"]
    assert earlier == ["You asked: tell me at length [1]"]


def wish_for_detail(engine: sa.Engine, question_ts: str) -> None:
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.answer).where(tables.answer.c.question_ts == question_ts)).one()
    Inbox(engine).put(
        Received(
            event_id="Wish",
            kind="revision",
            team=row.team,
            channel=row.channel,
            ts=row.question_ts,
            conversation=row.conversation,
            user=BEN,
            payload=asdict(Revision(answer_id=row.id, purpose="detail", user=BEN)),
        )
    )


@contextmanager
def started_child(playground: PlaygroundProcess, database_url: str, edge: str) -> Iterator[subprocess.Popen[str]]:
    """A bot in a process of its own that ends itself at the edge; at the latest it is gone after the block."""
    order = {
        "edge": edge,
        "database_url": database_url,
        "bot_token": playground.bot_token,
        "app_token": playground.app_token,
        "api_url": playground.api_url,
    }
    command = [sys.executable, "-m", "tests.bot.crash_child", json.dumps(order)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        with child.stdout:
            # Where work waits already, the edge may come before that line.
            assert child.stdout.readline() in ("ready\n", "")
        yield child
    finally:
        child.kill()
        child.wait()


def states(engine: sa.Engine, thread_ts: str) -> list[str]:
    """Of one question: a bot that was away for long fetches what others asked meanwhile, also in earlier tests."""
    inbox = tables.inbox
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(inbox.c.state).where(inbox.c.ts == thread_ts).order_by(inbox.c.id)))
