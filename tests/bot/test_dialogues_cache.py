"""Dialogues about answers that are given again: said openly, and never instead of a new try."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bot.answer_cache import AnswerCache
from knowledge.audience import EVERYONE
from tests.bot.answer_dialogue import BADGES, answering, choose, opened_view, shelve
from tests.bot.dialogue import ADA, BEN, BOT, HELP, StartBot, Workspace, wait_until

GIVEN_BEFORE = "From my answer of"


def ask(workspace: Workspace, user: str, text: str) -> dict[str, Any]:
    """Ask, wait, and return the message of the answer."""
    ts = workspace.say(user, HELP, text)
    workspace.answers(HELP, ts)
    return workspace.bot_messages(HELP, ts)[0]


def test_the_second_who_asks_gets_the_same_answer_and_is_told_so(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    plain = answering(shelve(engine, ("Badges", BADGES, EVERYONE)), "Badges are issued by Maria Lopez.")
    start_bot(replace(plain, earlier=AnswerCache(engine=engine)))
    first = ask(workspace, BEN, f"{BOT} who issues badges?")
    assert GIVEN_BEFORE not in repr(first["blocks"])
    second = ask(workspace, ADA, f"{BOT} Who issues badges?")
    assert "Maria Lopez" in second["text"]
    assert GIVEN_BEFORE in repr(second["blocks"])
    choose(workspace, ADA, HELP, second, "why")
    opened_view(workspace, saying="I wrote this text on")
    choose(workspace, ADA, HELP, second, "regenerate")
    wait_until(lambda: GIVEN_BEFORE not in repr(workspace.bot_messages(HELP, second["thread_ts"])[0]["blocks"]))
