"""Dialogues with the embedded language model and embedder themselves: several people at once, one model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import Application, build
from bot.cli.serving import connected, slack_options
from bot.playground.process import PlaygroundProcess
from bot.settings import FileSettings, SlackSettings, load_settings
from bot.sync import ingest_parts, sync_source
from bot.words import NOT_FOUND
from knowledge.secret import Secret
from knowledge.store import add_source
from tests.bot.dialogue import ADA, BEN, BOT, CHLOE, HELP, Workspace, link, wait_until

pytestmark = pytest.mark.slow

HANDBOOK = """# Expenses

Expense reports are due on the fifth working day of the month. Receipts are needed for everything above 20 euros.

# Parental leave

Parental leave is 16 weeks at full pay. The leave begins on the day that the parent chooses.
"""


@pytest.fixture
def application(tmp_path: Path, playground: PlaygroundProcess) -> Iterator[Application]:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "handbook.md").write_text(HANDBOOK)
    home = tmp_path / "home"
    home.mkdir()
    settings = replace(load_settings({}, home), file=FileSettings(slack=SlackSettings(workers=3)))
    with build(settings) as built:
        with ingest_parts(built.engine, built.library.embedder, settings) as parts:
            sync_source(add_source(built.engine, kind="files", location=str(tmp_path / "handbook")), parts)
        options = slack_options(
            settings, Secret(playground.bot_token), Secret(playground.app_token), playground.api_url
        )
        with connected(built, options, link) as bot:
            wait_until(lambda: bot.ready)
            yield built


def test_people_who_ask_at_once_are_all_answered_by_one_model(workspace: Workspace, application: Application) -> None:
    """M4, M5, M10: three workers share one llama.cpp context, which serves one call after the other."""
    assert application.generator is not None
    asked = {
        workspace.say(ADA, HELP, f"{BOT} When are expense reports due?"): "fifth working day",
        workspace.say(BEN, HELP, f"{BOT} How many weeks is parental leave?"): "16 weeks",
        workspace.say(CHLOE, HELP, f"{BOT} Who won the football world cup in 2018?"): NOT_FOUND,
    }
    for ts, expected in asked.items():
        (text,) = workspace.answers(HELP, ts, seconds=90.0)
        assert expected in text
        assert "handbook.md" in repr(workspace.bot_messages(HELP, ts)[0]["blocks"])

    # The follow-up names no topic: it is understood from what was said before.
    leave = list(asked)[1]
    workspace.say(BEN, HELP, "And who chooses the day on which it begins?", thread_ts=leave)
    assert "the parent chooses" in workspace.answers(HELP, leave, count=2, seconds=90.0)[1]
