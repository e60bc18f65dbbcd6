"""Dialogues about answers that only their asker sees: shared once, never beyond who may read them, or kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.channels import ChannelSettings, save_channel
from bot.database import open_database
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, channel_audience, person_audience
from knowledge.database import writing
from tests.bot.answer_dialogue import BADGES, answering, choose, press, rows, shelve
from tests.bot.dialogue import BEN, BOT, CHLOE, HELP, LEADS, StartBot, Workspace, link, options, wait_until

BENS_DM = "D0BENORTIZ"
SAID = "Badges are issued by Maria Lopez."


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    save_channel(engine, "T0PLAYGROUND", HELP, ChannelSettings(ephemeral=True), changed_by="U1")
    yield engine
    engine.dispose()


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(text: str = SAID, **changes: Any) -> SlackBot:
            answers = answering(shelve(engine, ("Badges", BADGES, EVERYONE)), text)
            changed = options(playground, **changes)
            bot = SlackBot(engine, answers, changed, link=link, version=lambda: "scripted-1")
            return stack.enter_context(bot)

        yield start


def seen_by(workspace: Workspace, user: str) -> list[dict[str, Any]]:
    """The answers that one person alone saw, newest last, as messages that can be pressed."""
    calls = workspace.ledger("call", "chat.postEphemeral")
    mine = [call for call in calls if call["request"]["user"] == user and "answer_share" in repr(call["request"])]
    return [{"ts": call["response"]["message_ts"], **call["request"]} for call in mine]


def ask(workspace: Workspace, text: str = f"{BOT} who issues badges?") -> tuple[str, dict[str, Any]]:
    """Ask, and return the question's ts and the answer that only its asker sees."""
    ts = workspace.say(BEN, HELP, text)
    wait_until(lambda: seen_by(workspace, BEN) != [], 20)
    return ts, seen_by(workspace, BEN)[-1]


def posts(workspace: Workspace, channel: str) -> list[dict[str, Any]]:
    """What everybody in a channel can read of the bot."""
    calls = workspace.ledger("call", "chat.postMessage")
    return [call["request"] for call in calls if call["request"]["channel"] == channel]


def test_an_answer_for_the_asker_alone_is_shared_once_and_lives_on_as_any_other(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S3."""
    start_bot()
    ts, answer = ask(workspace)
    assert workspace.bot_messages(HELP, ts) == []
    press(workspace, BEN, HELP, answer, "answer_share")
    wait_until(lambda: words.SHARED in workspace.whispers(BEN))
    press(workspace, BEN, HELP, answer, "answer_share")
    wait_until(lambda: words.SHARED_ALREADY in workspace.whispers(BEN))
    (shared,) = workspace.bot_messages(HELP, ts)
    assert SAID in repr(shared["blocks"])
    assert "who issues badges?" in repr(shared["blocks"])
    assert "answer_share" not in repr(shared["blocks"])
    assert len(posts(workspace, HELP)) == 1
    choose(workspace, CHLOE, HELP, shared, "why")
    wait_until(lambda: workspace.ledger("call", "views.open") != [])
    workspace.act("react", user=CHLOE, channel=HELP, ts=shared["ts"], name="+1", add=True)
    wait_until(lambda: rows(engine, tables.feedback.c.vote) == [1])
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait_until(lambda: rows(engine, tables.answer) == [])
    assert len(workspace.ledger("call", "chat.delete")) == 1


def test_what_not_everybody_here_may_read_is_not_shared(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M6."""
    start_bot()
    _, answer = ask(workspace)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(audience=f"everyone,{person_audience(BEN)}"))
    press(workspace, BEN, HELP, answer, "answer_share")
    wait_until(lambda: words.SHARE_PRIVATE in workspace.whispers(BEN))
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(audience="everyone"))
        connection.execute(sa.update(knowledge_tables.document).values(audience=channel_audience(LEADS)))
    press(workspace, BEN, HELP, answer, "answer_share")
    wait_until(lambda: workspace.whispers(BEN).count(words.SHARE_PRIVATE) == 2)
    assert posts(workspace, HELP) == []


def test_a_lost_reply_does_not_share_twice(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot()
    ts, answer = ask(workspace)
    workspace.act("faults", lost_replies={"chat.postMessage": 1})
    press(workspace, BEN, HELP, answer, "answer_share")
    wait_until(lambda: words.SHARED in workspace.whispers(BEN))
    assert len(workspace.bot_messages(HELP, ts)) == 1


def test_an_answer_is_kept_in_the_direct_messages_and_goes_with_its_question(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S3."""
    start_bot()
    ts, answer = ask(workspace)
    press(workspace, BEN, HELP, answer, "answer_keep")
    wait_until(lambda: words.KEPT in workspace.whispers(BEN))
    (kept,) = posts(workspace, BENS_DM)
    assert SAID in repr(kept["blocks"])
    assert rows(engine, tables.signal.c.kind) == ["copied"]
    press(workspace, BEN, HELP, answer, "answer_keep")
    wait_until(lambda: words.KEPT_ALREADY in workspace.whispers(BEN))
    assert posts(workspace, HELP) == []
    (copy,) = rows(engine, tables.answer_copy)
    workspace.act("react", user=BEN, channel=BENS_DM, ts=copy.message_ts, name="-1", add=True)
    wait_until(lambda: rows(engine, tables.feedback.c.vote) == [-1])
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait_until(lambda: rows(engine, tables.answer) == [])
    deleted = [call["request"] for call in workspace.ledger("call", "chat.delete")]
    assert [(call["channel"], call["ts"]) for call in deleted] == [(BENS_DM, copy.message_ts)]
