"""Dialogues about a request that says too little: the bot asks back once, and understands the reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.answer import Answering, AnswerOptions
from bot.clarify import clarification
from bot.overview import unanswered
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge.audience import EVERYONE
from tests.bot.answer_dialogue import press, rows, shelve
from tests.bot.answer_parts import FixedLibrary
from tests.bot.dialogue import BEN, BOT, CHLOE, HELP, Workspace, link, options, wait_until
from tests.fakes import ScriptedGenerator

TEAM = "T0PLAYGROUND"
VAGUE = "How do I reset it?"
DOCUMENTS = (
    ("Reset your password", "Open the portal to reset it. It takes a minute.", EVERYONE),
    ("Reset the router", "Hold the button to reset it. It takes a minute.", EVERYONE),
    ("Reset MFA", "Call the desk to reset it. It takes a minute.", EVERYONE),
)
Start = Callable[[], None]


@pytest.fixture
def start(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[Start]:
    with ExitStack() as stack:

        def start() -> None:
            answering = Answering(
                library=FixedLibrary(shelve(engine, *DOCUMENTS)),
                generator=ScriptedGenerator("Hold the button to reset it."),
                options=AnswerOptions(minimum_support=0.9),
            )
            bot = SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1")
            stack.enter_context(bot)

        yield start


def texts(workspace: Workspace, ts: str) -> list[str]:
    return [repr(message["blocks"]) for message in workspace.bot_messages(HELP, ts)]


def test_it_asks_back_once_and_takes_a_number_for_an_answer(
    workspace: Workspace, start: Start, engine: sa.Engine
) -> None:
    start()
    ts = workspace.say(BEN, HELP, f"{BOT} {VAGUE}")
    workspace.answers(HELP, ts)
    (asked,) = texts(workspace, ts)
    assert words.CLARIFY in asked
    assert all(title in asked for title, _, _ in DOCUMENTS)
    (row,) = rows(engine, tables.answer)
    assert row.outcome == "asked_back"
    listed = [line for line in row.text.splitlines() if line[:1].isdigit()]
    number = next(line[0] for line in listed if "router" in line)
    workspace.say(BEN, HELP, number, thread_ts=ts)
    workspace.answers(HELP, ts, 2)
    second = texts(workspace, ts)[1]
    assert words.CLARIFY not in second
    understood = rows(engine, tables.answer)[1].understood or rows(engine, tables.answer)[1].text
    assert "Reset the router" in f"{second} {understood}"


def test_a_pressed_button_is_answered_in_the_same_place(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    start()
    ts = workspace.say(BEN, HELP, f"{BOT} {VAGUE}")
    workspace.answers(HELP, ts)
    (asked,) = workspace.bot_messages(HELP, ts)
    labels = {one["text"]["text"]: one["action_id"] for one in buttons(asked)}
    assert {label.split(". ", 1)[1] for label in labels} == {title for title, _, _ in DOCUMENTS}
    button = next(action for label, action in labels.items() if "router" in label)
    press(workspace, CHLOE, HELP, asked, button)
    wait_until(lambda: words.NOT_YOURS in workspace.whispers(CHLOE))
    press(workspace, BEN, HELP, asked, button)
    wait_until(lambda: words.CLARIFY not in texts(workspace, ts)[0] and "context_actions" in texts(workspace, ts)[0])
    (answered,) = workspace.bot_messages(HELP, ts)
    assert answered["ts"] == asked["ts"]
    assert not buttons(answered)
    (row,) = rows(engine, tables.answer)
    assert row.outcome != "asked_back"
    assert row.understood == f"{VAGUE} Reset the router"
    assert [one.purpose for one in rows(engine, tables.answer_revision)] == ["choose"]


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    elements = [one for block in message["blocks"] if block["type"] == "actions" for one in block["elements"]]
    return [one for one in elements if one["type"] == "button"]


def test_a_question_back_is_no_question_that_failed(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    start()
    ts = workspace.say(BEN, HELP, f"{BOT} {VAGUE}")
    workspace.answers(HELP, ts)
    assert unanswered(engine, TEAM, without=(), limit=10) == ()
    assert rows(engine, tables.turn.c.text)[-1].startswith(clarification(()).split("\n", 1)[0])
