"""Dialogues about a request that says too little: the bot asks back once, and understands the reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.answer import Answering, AnswerOptions
from bot.clarify import clarification
from bot.overview import unanswered
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge.audience import EVERYONE
from tests.bot.answer_dialogue import rows, shelve
from tests.bot.answer_parts import FixedLibrary
from tests.bot.dialogue import BEN, BOT, HELP, Workspace, link, options
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


def test_a_question_back_is_no_question_that_failed(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    start()
    ts = workspace.say(BEN, HELP, f"{BOT} {VAGUE}")
    workspace.answers(HELP, ts)
    assert unanswered(engine, TEAM, without=(), limit=10) == ()
    assert rows(engine, tables.turn.c.text)[-1].startswith(clarification(()).split("\n", 1)[0])
