"""Dialogues in which a person is asked for: once, by whoever wishes it, of whom an admin named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.channels import ChannelSettings, save_channel
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from tests.bot.answer_dialogue import choose, press, rows
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    CHLOE,
    GENERAL,
    HELP,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(**changes: Any) -> SlackBot:
            changed = options(playground, **changes)
            bot = SlackBot(engine, ScriptedAnswering(), changed, link=link, version=lambda: "scripted-1")
            return stack.enter_context(bot)

        yield start


def ask(workspace: Workspace, user: str, channel: str, text: str) -> dict[str, Any]:
    """Ask, wait, and return the message of the answer."""
    ts = workspace.say(user, channel, text)
    workspace.answers(channel, ts)
    return workspace.bot_messages(channel, ts)[0]


def request_in(workspace: Workspace, channel: str, thread_ts: str) -> dict[str, Any]:
    """Wait for the request for a person and return its message."""

    def found() -> list[dict[str, Any]]:
        return [one for one in workspace.bot_messages(channel, thread_ts) if "escalation_resolve" in repr(one)]

    wait_until(lambda: found() != [])
    return found()[0]


def posted_in(workspace: Workspace, channel: str) -> list[dict[str, Any]]:
    """What the bot posted into a channel."""
    calls = workspace.ledger("call", "chat.postMessage")
    return [call["request"] for call in calls if call["request"]["channel"] == channel]


def test_a_person_is_asked_in_the_thread_once_and_it_can_be_resolved(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S5."""
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, BEN, HELP, f"{BOT} who <!channel> pays for *lunch*?")
    choose(workspace, BEN, HELP, message, "escalate")
    asked = request_in(workspace, HELP, message["thread_ts"])
    assert asked["text"].startswith(f"<@{CHLOE}> was asked to help")
    assert "pays for *lunch*?" in repr(asked["blocks"])
    assert "<!channel>" not in asked["text"]
    wait_until(lambda: workspace.whispers(BEN) == [words.ASKED_A_PERSON])
    choose(workspace, ADA, HELP, message, "escalate")
    wait_until(lambda: workspace.whispers(ADA) == [words.ASKED_ALREADY])
    press(workspace, CHLOE, HELP, asked, "escalation_resolve")
    wait_until(lambda: "Resolved by Chloe Lind" in repr(workspace.bot_messages(HELP, message["thread_ts"])))
    assert rows(engine, tables.escalation.c.state) == ["resolved"]
    assert rows(engine, tables.escalation.c.resolved_by) == [CHLOE]
    assert len(posted_in(workspace, HELP)) <= 2


def test_the_channels_own_settings_come_first_and_may_name_a_channel(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    team = rows(engine, tables.answer.c.team)[0]
    save_channel(engine, team, HELP, ChannelSettings(escalate_to=GENERAL), changed_by=ADA)
    choose(workspace, BEN, HELP, message, "escalate")
    wait_until(lambda: posted_in(workspace, GENERAL) != [])
    (posted,) = posted_in(workspace, GENERAL)
    assert posted["text"].startswith(f"<@{BEN}> would like a person's help")
    assert "You asked:" not in repr(posted)
    assert "thread_ts" not in posted
    assert words.ESCALATION_THREAD in repr(posted["blocks"])


def test_where_nobody_is_named_the_asker_hears_how_an_admin_does_that(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot()
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    choose(workspace, BEN, HELP, message, "escalate")
    wait_until(lambda: workspace.whispers(BEN) == [words.NOBODY_TO_ASK])
    assert rows(engine, tables.escalation) == []


def test_a_reaction_asks_for_a_person_too(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    workspace.act("react", user=BEN, channel=HELP, ts=message["ts"], name="sos", add=True)
    assert request_in(workspace, HELP, message["thread_ts"])["text"].startswith(f"<@{CHLOE}>")


def test_from_a_direct_message_the_person_is_asked_in_theirs(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, ADA, ADAS_DM, "who pays?")
    choose(workspace, ADA, ADAS_DM, message, "escalate")
    wait_until(lambda: posted_in(workspace, "D0CHLOELIND") != [])
    (posted,) = posted_in(workspace, "D0CHLOELIND")
    assert posted["text"].startswith(f"<@{ADA}> would like a person's help")
    assert "who pays?" in repr(posted["blocks"])


def test_a_lost_reply_does_not_ask_twice(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    workspace.act("faults", lost_replies={"chat.postMessage": 1})
    choose(workspace, BEN, HELP, message, "escalate")
    wait_until(lambda: workspace.whispers(BEN) == [words.ASKED_A_PERSON])
    asked = [one for one in workspace.bot_messages(HELP, message["thread_ts"]) if "escalation_resolve" in repr(one)]
    assert len(asked) == 1


def test_a_bystander_cannot_resolve_it(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(escalate_to=ADA)
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    choose(workspace, BEN, HELP, message, "escalate")
    asked = request_in(workspace, HELP, message["thread_ts"])
    press(workspace, CHLOE, HELP, asked, "escalation_resolve")
    wait_until(lambda: workspace.whispers(CHLOE) == [words.ESCALATION_NOT_YOURS])
    assert rows(engine, tables.escalation.c.state) == ["open"]


def test_the_request_goes_with_the_question(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    """M15."""
    start_bot(escalate_to=CHLOE)
    message = ask(workspace, BEN, HELP, f"{BOT} who pays?")
    choose(workspace, BEN, HELP, message, "escalate")
    request_in(workspace, HELP, message["thread_ts"])
    wait_until(lambda: workspace.whispers(BEN) == [words.ASKED_A_PERSON])
    workspace.act("delete", user=BEN, channel=HELP, ts=message["thread_ts"])
    wait_until(lambda: rows(engine, tables.receipt) != [])
    assert rows(engine, tables.receipt.c.removed)[0]["requests"] == 1
    wait_until(lambda: len(workspace.ledger("call", "chat.delete")) == 2)
    wait_until(lambda: rows(engine, tables.escalation) == [])
