"""What dialogues stand on: a playground for each file, with the app installed as its manifest says, and a bot in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.playground.process import PlaygroundProcess, start_playground
from bot.slack.gateway import SlackBot
from bot.slack.manifest import build_manifest
from tests.bot.dialogue import StartBot, Workspace, link, options


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    """Slack, with quick clocks, that lets the app do what its manifest asks for and nothing else."""
    # Where tests share two cores an acknowledgement may take longer than Slack would wait.
    with start_playground(port=0, ack_seconds=5.0, time_scale=60.0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture
def workspace(playground: PlaygroundProcess) -> Workspace:
    """Its people, on a day without faults."""
    workspace = Workspace(playground)
    workspace.begin()
    return workspace


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    """Starts bots that are stopped at the end."""
    with ExitStack() as stack:

        def start(answering: Any, **changes: Any) -> SlackBot:
            bot = SlackBot(engine, answering, options(playground, **changes), link=link, version=lambda: "scripted-1")
            return stack.enter_context(bot)

        yield start
