"""Killed at any edge between two states and started again: one answer per question, and it is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.playground.process import PlaygroundProcess, start_playground
from bot.slack.gateway import SlackBot
from knowledge.database import reading
from tests.bot.dialogue import BEN, BOT, HELP, LONG, ScriptedAnswering, Workspace, link, options, wait_until

EDGES = (
    "claimed",
    "received",
    "placeholder_intent",
    "placeholder_sent",
    "posted",
    "final_ready",
    "final_shown",
    "part_intent",
    "part_sent",
    "final_sent",
)


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, ack_seconds=1.0, time_scale=60.0) as process:
        yield process


@pytest.mark.parametrize("edge", EDGES)
def test_a_bot_killed_at_an_edge_gives_exactly_one_answer(
    playground: PlaygroundProcess, tmp_path: Path, edge: str
) -> None:
    workspace = Workspace(playground)
    database_url = f"sqlite:///{tmp_path / 'lorekeeper.db'}"
    child = start_child(playground, database_url, edge)
    thread_ts = workspace.say(BEN, HELP, f"{BOT} tell me at length")
    assert child.wait(30) == -9
    engine = open_database(database_url)
    answering = ScriptedAnswering(reply=lambda *_: LONG)
    bot = SlackBot(engine, answering, options(playground, lease_seconds=1.0), link=link, version=lambda: "scripted-1")
    with bot:
        wait_until(lambda: states(engine) == ["done"], 30)
        messages = workspace.bot_messages(HELP, thread_ts)
    engine.dispose()
    parts = [message["metadata"]["event_payload"]["part"] for message in messages]
    assert parts == list(range(len(parts)))
    assert len(parts) == 2
    assert "context_actions" in [block["type"] for block in messages[0]["blocks"]]


def start_child(playground: PlaygroundProcess, database_url: str, edge: str) -> subprocess.Popen[str]:
    order = {
        "edge": edge,
        "database_url": database_url,
        "bot_token": playground.bot_token,
        "app_token": playground.app_token,
        "api_url": playground.api_url,
    }
    command = [sys.executable, "-m", "tests.bot.crash_child", json.dumps(order)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "ready\n"
    return child


def states(engine: sa.Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(tables.inbox.c.state)))
