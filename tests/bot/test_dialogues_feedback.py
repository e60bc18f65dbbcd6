"""Feedback in one dialogue: buttons, reactions, the reason behind a 👎, receipts, and what was taken back."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.feedback import list_feedback
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from tests.bot.answer_dialogue import rows
from tests.bot.dialogue import (
    ADA,
    BEN,
    BOT,
    CHLOE,
    HELP,
    LONG,
    ScriptedAnswering,
    Workspace,
    is_finished,
    link,
    options,
    wait_until,
)


def finished(workspace: Workspace, thread_ts: str) -> dict[str, Any]:
    """The message that asks how the answer was."""
    return next(message for message in workspace.bot_messages(HELP, thread_ts) if is_finished(message))


def vote(workspace: Workspace, user: str, thread_ts: str, button: str) -> None:
    """Press 👍 or 👎 below the answer, as it is shown now."""
    message = finished(workspace, thread_ts)
    block = next(block for block in message["blocks"] if block["type"] == "context_actions")
    element = block["elements"][0]
    action = {"type": "feedback_buttons", "block_id": block["block_id"], "action_id": element["action_id"]}
    container = {"type": "message", "channel": HELP, "ts": message["ts"]}
    workspace.act("block_action", user=user, container=container, action=action | {"value": element[button]["value"]})


@pytest.mark.parametrize("text", ["Short and good. [1]", LONG])
def test_everybody_can_say_how_an_answer_was_and_see_that_it_was_heard(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine, text: str
) -> None:
    """M13."""
    answers = ScriptedAnswering(reply=lambda *_: text)
    with SlackBot(engine, answers, options(playground), link=link, version=lambda: "scripted-1"):
        ts = workspace.say(BEN, HELP, f"{BOT} how was it?")
        workspace.answers(HELP, ts)
        answer = finished(workspace, ts)

        vote(workspace, BEN, ts, "positive_button")
        wait_until(lambda: words.RECEIPT_GOOD in repr(workspace.bot_messages(HELP, ts)))

        place = {"channel": HELP, "ts": answer["ts"], "name": "-1"}
        workspace.act("react", user=CHLOE, add=True, **place)
        wait_until(lambda: words.ASK_REASON in workspace.whispers(CHLOE))

        vote(workspace, ADA, ts, "negative_button")
        wait_until(lambda: workspace.ledger("call", "views.open") != [])
        view_id = workspace.ledger("call", "views.open")[-1]["response"]["view"]["id"]
        values = {
            "reason": {"reason": {"type": "radio_buttons", "selected_option": {"value": "incomplete"}}},
            "correction": {"correction": {"type": "plain_text_input", "value": "Name the month."}},
        }
        workspace.act("view_submit", user=ADA, view_id=view_id, values=values)
        wait_until(lambda: words.RECEIPT_REASON in workspace.whispers(ADA))

        found = {row.user: row for row in list_feedback(engine)}
        assert {user: row.vote for user, row in found.items()} == {BEN: 1, CHLOE: -1, ADA: -1}
        assert (found[ADA].reason, found[ADA].correction) == ("incomplete", "Name the month.")
        assert {row.answer_id for row in found.values()} == set(rows(engine, tables.answer.c.id))

        workspace.act("react", user=CHLOE, add=False, **place)
        wait_until(lambda: words.RECEIPT_WITHDRAWN in workspace.whispers(CHLOE))
        assert CHLOE not in {row.user for row in list_feedback(engine)}
        (voted,) = [one for one in workspace.bot_messages(HELP, ts) if "answer_menu" in repr(one)]
        assert is_finished(voted)
