"""A person's whole first day with the bot, as one story: everything is real but the two models.

Ben's company installs the app as its manifest says; Ben is greeted, asks, follows up, reacts, corrects, edits, deletes,
takes his data along and is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.app import Application, build
from bot.cli.serving import connected, slack_options
from bot.playground.process import PlaygroundProcess, start_playground
from bot.settings import AnswerSettings, FileSettings, SlackSettings, load_settings
from bot.slack.manifest import build_manifest
from bot.slack.render import FEEDBACK_ACTION
from bot.sync import ingest_parts, sync_source
from knowledge.database import reading
from knowledge.secret import Secret
from knowledge.store import add_source
from models.generator import ChatMessage
from tests.bot.answer_dialogue import rows
from tests.bot.dialogue import BEN, BOT, HELP, Workspace, link, wait_until
from tests.bot.pages import Pages
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

BENS_DM = "D0BENORTIZ"
DUE = "Expense reports are due on the fifth working day of the month."
RECEIPTS = "Receipts are needed for everything above 20 euros."
# What Slack reads out where blocks are not shown: notifications, screen readers.
SPOKEN = {"chat.postMessage", "chat.update", "chat.postEphemeral"}
CARDS = "Company cards are ordered from the finance team."
HANDBOOK = f"""# Expenses

## When are expense reports due?

{DUE}

## Receipts

{RECEIPTS}

## Who orders company cards?

{CARDS}
"""


def reply(messages: Sequence[ChatMessage]) -> str:
    """What the model says, by the last line of what it is asked."""
    asked = messages[-1].content.lower().rsplit("\n", 1)[-1]
    return RECEIPTS if "receipts" in asked else CARDS if "cards" in asked else DUE


@pytest.fixture
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, ack_seconds=2.0, time_scale=60.0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture
def application(tmp_path: Path, playground: PlaygroundProcess) -> Iterator[Application]:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "expenses.md").write_text(HANDBOOK)
    home = tmp_path / "home"
    home.mkdir()
    # A threshold for an embedder that only counts words.
    file = FileSettings(answer=AnswerSettings(minimum_support=0.03), slack=SlackSettings(update_seconds=0.2))
    settings = replace(load_settings({}, home), file=file)
    with build(settings, generator=ScriptedGenerator(reply), embedder=FakeEmbedder(dim=256)) as built:
        with ingest_parts(built.engine, built.library.embedder, settings) as parts:
            sync_source(add_source(built.engine, kind="files", location=str(tmp_path / "handbook")), parts)
        options = slack_options(
            settings, Secret(playground.bot_token), Secret(playground.app_token), playground.api_url
        )
        with connected(built, options, link) as bot:
            wait_until(lambda: bot.ready)
            yield built


def names_in(engine: sa.Engine, user: str) -> list[str]:
    """The tables in which this person still is."""
    found = []
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            if user in repr(connection.execute(sa.select(table)).all()):
                found.append(table.name)
    return found


def test_bens_first_day(playground: PlaygroundProcess, application: Application) -> None:
    workspace, engine = Workspace(playground), application.engine
    home = Pages(workspace, BEN)

    # He opens the bot: it says hello once, and offers questions that it can answer.
    workspace.act("open_home", user=BEN, tab="messages")
    wait_until(lambda: bool(workspace.ledger("call", "assistant.threads.setSuggestedPrompts")))
    (prompts,) = workspace.ledger("call", "assistant.threads.setSuggestedPrompts")
    offered = [prompt["message"] for prompt in prompts["request"]["prompts"]]
    assert "When are expense reports due?" in offered
    wait_until(lambda: bool(workspace.ledger("call", "chat.postMessage")))
    assert words.HOME_GREETING in workspace.ledger("call", "chat.postMessage")[0]["request"]["text"]

    # He asks in a channel, and the answer says where it comes from.
    first = workspace.say(BEN, HELP, f"{BOT} When are expense reports due?")
    (text,) = workspace.answers(HELP, first)
    assert DUE in text
    assert "expenses.md" in repr(workspace.bot_messages(HELP, first)[0]["blocks"])

    # He follows up without a mention.
    second = workspace.say(BEN, HELP, "And what about receipts?", thread_ts=first)
    assert RECEIPTS in workspace.answers(HELP, first, count=2)[1]

    # 👍 for the first answer; the second one he corrects.
    wait_until(lambda: set(rows(engine, tables.inbox.c.state)) == {"done"})
    one, two = workspace.bot_messages(HELP, first)
    workspace.act("react", user=BEN, channel=HELP, ts=one["ts"], name="+1", add=True)
    wait_until(lambda: any(words.RECEIPT_GOOD in whisper for whisper in workspace.whispers(BEN)))
    block = next(block for block in two["blocks"] if block["type"] == "context_actions")
    bad = block["elements"][0]["negative_button"]["value"]
    workspace.act(
        "block_action",
        user=BEN,
        container={"type": "message", "channel": HELP, "ts": two["ts"]},
        action={"block_id": block["block_id"], "action_id": FEEDBACK_ACTION, "value": bad},
    )
    form = home.opened()
    outdated = {"selected_option": {"value": "outdated", "text": {"type": "plain_text", "text": "x"}}}
    assert home.submit(form, reason=outdated, correction={"value": "Above 50 euros."}) == {}
    wait_until(lambda: (-1, "Above 50 euros.") in feedback(engine))
    assert (1, None) in feedback(engine)

    # He meant something else and edits his question: the same message answers anew.
    workspace.act("edit", user=BEN, channel=HELP, ts=second, text="And who orders company cards?")
    wait_until(lambda: CARDS in workspace.bot_messages(HELP, first)[1]["text"])
    assert [message["ts"] for message in workspace.bot_messages(HELP, first)] == [one["ts"], two["ts"]]

    # He deletes it: the answer goes along, and he gets a receipt.
    workspace.act("delete", user=BEN, channel=HELP, ts=second)
    wait_until(lambda: len(workspace.bot_messages(HELP, first)) == 1)
    wait_until(lambda: [receipt.reason for receipt in rows(engine, tables.receipt)] == ["question"])
    assert CARDS not in repr(rows(engine, tables.turn))

    # He takes his data along, and is forgotten.
    assert words.HOME_FOR_ADMINS not in home.open_home()
    assert words.DATA_EXPORTED in home.use_and_see("home_data_export")
    home.use("home_data_delete")
    assert home.submit(home.opened(2)) == {}
    wait_until(lambda: names_in(engine, BEN) == [])

    # All day long nothing was refused, nothing was sent that Slack does not know, and nothing unfurled.
    refused = [call for call in workspace.ledger("call") if call["status"] != "ok" or call["unknown_arguments"]]
    assert [(call["name"], call["status"], call["unknown_arguments"]) for call in refused] == []
    said = [call["request"] for call in workspace.ledger("call") if call["name"] in SPOKEN]
    assert [request for request in said if not str(request.get("text") or "").strip()] == []
    assert all(request.get("unfurl_links") is False for request in said if "unfurl_links" in request)


def feedback(engine: sa.Engine) -> list[tuple[int, str | None]]:
    """The votes that count now, with their corrections."""
    table = tables.feedback
    with reading(engine) as connection:
        found = connection.execute(sa.select(table.c.vote, table.c.correction).where(table.c.removed_at.is_(None)))
        return [(row.vote, row.correction) for row in found]
