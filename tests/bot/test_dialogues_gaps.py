"""The weekly report in its channel: posted once, quoting what all may read, with a form for what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.database import open_database
from bot.equipment import Equipment
from bot.inbox import Inbox
from bot.learn import gap_words
from bot.learn.gaps import GapFinder, gaps_job
from bot.people import Preferences, save_preferences
from bot.slack.gateway import SlackBot
from bot.timetable import Timetable
from knowledge.audience import channel_audience
from knowledge.database import reading, writing
from tests.bot.answer_parts import FixedLibrary, passage
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    CHLOE,
    GENERAL,
    HELP,
    LEADS,
    ScriptedAnswering,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.gap_world import NOW, ask
from tests.bot.slack_oracle import read_message
from tests.bot.terminal import Terminal

Start = Callable[[], SlackBot]
_weeks = [NOW + timedelta(hours=1)]
BICYCLE = "Where can I park my bicycle at the office?"


@pytest.fixture
def start(workspace: Workspace, engine: sa.Engine) -> Iterator[Start]:
    pages = (
        replace(passage("Parking is in the yard.", title="Handbook > Parking"), owner=ADA),
        passage("The yard is closed at night.", number=2, title="Leads only", audience=channel_audience(LEADS)),
    )
    finder = GapFinder(engine=engine, library=FixedLibrary(pages), minimum_support=lambda: 1.0)
    with ExitStack() as stack:

        def run() -> SlackBot:
            bot = SlackBot(
                engine,
                ScriptedAnswering(),
                options(workspace.playground),
                link=link,
                version=lambda: "scripted-1",
                equipment=Equipment(gaps=finder),
            )
            stack.enter_context(bot)
            wait_until(lambda: bot.ready)
            return bot

        yield run


@pytest.fixture(autouse=True)
def monday() -> None:
    """Each test has a week of its own: the channel still shows what the others' bots told there."""
    _weeks.append(_weeks[-1] + timedelta(minutes=1))


def put(engine: sa.Engine, channel: str = GENERAL) -> None:
    gaps_job(engine, channel, Timetable(cron="* * * * *"), now=lambda: _weeks[-1]).work()


def is_done(engine: sa.Engine) -> bool:
    inbox = tables.inbox.c
    with reading(engine) as connection:
        states = connection.scalars(sa.select(inbox.state).where(inbox.kind == "gaps")).all()
    return bool(states) and set(states) == {"done"}


def posts(workspace: Workspace, channel: str = GENERAL) -> list[dict[str, Any]]:
    calls = workspace.ledger("call", "chat.postMessage")
    return [call for call in calls if call["request"]["channel"] == channel]


def told(workspace: Workspace, engine: sa.Engine, channel: str = GENERAL) -> dict[str, Any]:
    """Wait until the report stands there; returns what was posted."""
    put(engine, channel)
    wait_until(lambda: is_done(engine))
    (post,) = posts(workspace, channel)
    request: dict[str, Any] = post["request"]
    return request


def press(workspace: Workspace, user: str, message: dict[str, Any], ts: str) -> None:
    block = next(block for block in message["blocks"] if block["type"] == "actions")
    found = block["elements"][0]
    action = {"type": "button", "block_id": block["block_id"], "action_id": found["action_id"], "value": found["value"]}
    container = {"type": "message", "channel": GENERAL, "ts": ts}
    workspace.act("block_action", user=user, container=container, action=action)


def test_the_report_is_posted_once_and_quotes_open_channels_alone(
    workspace: Workspace, start: Start, engine: sa.Engine
) -> None:
    """M6, M15: private channels, direct messages, and people who are not remembered."""
    ask(engine, BICYCLE)
    ask(engine, "May I park a bicycle zanzibar at the office?", channel=LEADS, user=ADA)
    ask(engine, "When is my surgery?", channel=ADAS_DM, user=ADA)
    ask(engine, "Why is the sauna closed?", user=CHLOE)
    save_preferences(engine, "T0PLAYGROUND", CHLOE, Preferences(memory=False))
    start()
    message = told(workspace, engine)
    said = f"{message['text']}\n{json.dumps(message['blocks'])}"
    assert BICYCLE in said
    for word in ("zanzibar", "surgery", "sauna", "Leads only", "<@", ADA, BEN):
        assert word not in said.replace("U0LOREKEEPER", "")
    assert "Ask Ada Park, who answers for \\u201cHandbook > Parking\\u201d." in said
    assert "asked twice by 2 people" in said
    read = read_message({"text": message["text"], "blocks": message["blocks"]})
    assert (read.links, read.mentions, read.hidden) == ([], [], [])
    # As after a crash between posting and noting, and with another process.
    with writing(engine) as connection:
        connection.execute(sa.update(tables.inbox).where(tables.inbox.c.kind == "gaps").values(event_id="lost"))
    put(engine)
    wait_until(lambda: is_done(engine))
    assert len(posts(workspace)) == 1


def test_a_week_without_gaps_is_told_nothing(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    ask(engine, BICYCLE, abstained=False)
    start()
    put(engine)
    wait_until(lambda: is_done(engine))
    assert posts(workspace) == []


def test_where_another_organisation_reads_along_nothing_is_told(
    workspace: Workspace, start: Start, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """M14."""
    channel = workspace.act("create_channel", user=ADA, name="gaps-with-others", private=False)["channel"]["id"]
    workspace.act("invite", user=ADA, channel=channel, invitee="U0LOREKEEPER")
    workspace.act("share", user=ADA, channel=channel, shared=True)
    ask(engine, BICYCLE)
    start()
    put(engine, channel)
    wait_until(lambda: is_done(engine))
    assert posts(workspace, channel) == []
    assert "others may read along" in caplog.text


def test_a_channel_that_is_not_there_is_told_nothing(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    """And is not asked for again and again, as a silent Slack is."""
    ask(engine, BICYCLE)
    start()
    put(engine, "C0NOWHERE")
    wait_until(lambda: is_done(engine))
    assert workspace.ledger("call", "chat.postMessage") == []


def test_the_command_asks_slack_which_channels_are_open(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """M6."""
    place = workspace.playground
    environment = {"SLACK_BOT_TOKEN": place.bot_token, "SLACK_API_URL": place.api_url}
    terminal = Terminal(home=tmp_path / "home", capsys=capsys, environment=environment)
    terminal.type("history")
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'lorekeeper.db'}")
    ask(engine, BICYCLE)
    ask(engine, "When is the merger?", channel=LEADS)
    engine.dispose()
    shown = terminal.type("gaps")
    assert "bicycle" in shown.out
    assert "merger" not in shown.out
    assert "1 more question without a good answer (1 topic) came from private places" in shown.out


def test_what_is_missing_is_written_down_and_waits_for_an_admin(
    workspace: Workspace, start: Start, engine: sa.Engine
) -> None:
    """S1: it names its author and counts once it is reviewed."""
    ts = workspace.say(BEN, HELP, BICYCLE)
    ask(engine, BICYCLE, ts=ts)
    start()
    message = told(workspace, engine)
    report_ts = posts(workspace)[0]["response"]["ts"]
    press(workspace, CHLOE, message, report_ts)
    wait_until(lambda: bool(workspace.ledger("call", "views.open")))
    (call,) = workspace.ledger("call", "views.open")
    assert call["status"] == "ok", call
    view = call["response"]["view"]
    assert view["blocks"][0]["element"]["initial_value"] == BICYCLE
    assert "initial_value" not in view["blocks"][1]["element"]
    state = {
        name: {name: {"type": "plain_text_input", "value": value}}
        for name, value in (("title", "Bicycles"), ("text", "Bicycles are parked in the yard."))
    }
    workspace.act("view_submit", user=CHLOE, view_id=view["id"], values=state)
    done = words.SAVE_DONE.format(title="Bicycles")
    wait_until(lambda: any(done in str(one["request"]["text"]) for one in workspace.ledger("call", "response_url")))
    with reading(engine) as connection:
        (note,) = connection.execute(sa.select(tables.saved_note)).all()
    assert (note.user, note.title, note.state, note.audience) == (CHLOE, "Bicycles", "pending", "everyone")
    assert (note.channel, note.ts) == (HELP, ts)


def test_a_question_that_was_deleted_since_opens_no_form(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    ask(engine, BICYCLE)
    start()
    message = told(workspace, engine)
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.turn))
    press(workspace, BEN, message, posts(workspace)[0]["response"]["ts"])
    wait_until(lambda: gap_words.GONE in workspace.whispers(BEN))
    assert workspace.ledger("call", "views.open") == []


def test_what_is_deleted_later_goes_from_the_report_as_well(
    workspace: Workspace, start: Start, engine: sa.Engine
) -> None:
    """M15: the report is made anew, and goes where nothing is left of it."""
    first, second = workspace.say(BEN, HELP, BICYCLE), workspace.say(ADA, HELP, "When does the sauna open?")
    ask(engine, BICYCLE, ts=first)
    ask(engine, "When does the sauna open?", ts=second, user=ADA)
    start()
    told(workspace, engine)
    ts = posts(workspace)[0]["response"]["ts"]

    def stands() -> str:
        return json.dumps([one["blocks"] for one in workspace.channel_messages(GENERAL) if one["ts"] == ts])

    assert BICYCLE in stands()
    workspace.act("delete", user=BEN, channel=HELP, ts=first)
    wait_until(lambda: "bicycle" not in stands())
    assert "sauna" in stands()
    workspace.act("delete", user=ADA, channel=HELP, ts=second)
    wait_until(lambda: stands() == "[]")
    assert len(posts(workspace)) == 1


def test_a_report_waits_for_a_silent_slack(workspace: Workspace, start: Start, engine: sa.Engine) -> None:
    """M1: nothing accepted is lost."""
    ask(engine, BICYCLE)
    start()
    workspace.act("faults", error={"chat.postMessage": "internal_error"})
    put(engine)
    wait_until(lambda: bool(workspace.ledger("call", "chat.postMessage")))
    workspace.act("faults", clear=True)
    wait_until(lambda: is_done(engine))
    assert BICYCLE in json.dumps(posts(workspace)[-1]["request"]["blocks"])
    assert Inbox(engine).claim(["gaps"]) is None
