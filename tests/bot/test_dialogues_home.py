"""The home page with the app as its manifest describes it, and the way of a saved note into answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import words
from bot.app import open_parser
from bot.database import open_database
from bot.equipment import Equipment
from bot.notes import pending_notes
from bot.playground.process import PlaygroundProcess, start_playground
from bot.settings import FileSettings
from bot.slack.gateway import SlackBot
from bot.slack.home_review import note_value
from bot.slack.manifest import OPTIONAL_SCOPES, build_manifest
from bot.sync import sync_source
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.ingest import IngestParts
from knowledge.library import Library
from knowledge.store import find_source
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    HELP,
    LEADS,
    ScriptedAnswering,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.pages import Pages
from tests.knowledge.fake_embedder import FakeEmbedder

TEAM = "T0PLAYGROUND"


def bare_manifest() -> dict[str, Any]:
    """The app where whoever installed it left all out that may be left out."""
    manifest = build_manifest()
    scopes = manifest["oauth_config"]["scopes"]
    scopes["bot"] = [scope for scope in scopes["bot"] if scope not in OPTIONAL_SCOPES]
    scopes.pop("bot_optional", None)
    return manifest


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, ack_seconds=10.0, time_scale=60.0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture(scope="module")
def bare_playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, ack_seconds=10.0, time_scale=60.0, manifest=bare_manifest()) as process:
        yield process


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


Start = Callable[..., Workspace]


@pytest.fixture
def start(engine: sa.Engine, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(playground: PlaygroundProcess, **changes: Any) -> Workspace:
            workspace = Workspace(playground)
            workspace.act("clear_traffic")
            answering = ScriptedAnswering()
            slack = options(playground, home=tmp_path / "home")
            bot = SlackBot(engine, answering, slack, link=link, version=lambda: "scripted-1", **changes)
            stack.enter_context(bot)
            # Slack repeats events, but not what people press.
            wait_until(lambda: bot.ready)
            return workspace

        yield start


def refusals(workspace: Workspace) -> set[tuple[str, str]]:
    return {(call["name"], call["status"]) for call in workspace.ledger("call") if call["status"] != "ok"}


def test_everything_on_both_sides_works_with_the_scopes_of_the_manifest(
    start: Start, playground: PlaygroundProcess
) -> None:
    """M18."""
    workspace = start(playground)
    ts = workspace.say(ADA, HELP, f"{BOT} hello")
    workspace.answers(HELP, ts)
    answer = workspace.bot_messages(HELP, ts)[0]["ts"]
    workspace.act("react", user=ADA, channel=HELP, ts=answer, name="+1", add=True)
    wait_until(lambda: workspace.whispers(ADA) != [])
    ada = Pages(workspace, ADA)
    ada.open_home()
    assert words.SETTINGS_SAVED in ada.choose("home_length", "detailed")
    assert words.DATA_EXPORTED in ada.use_and_see("home_data_export")
    ada.use("home_data_see")
    ada.opened()
    ada.use_and_see("home_admin")
    ada.use_and_see("home_part_answers")
    assert [block["type"] for block in ada.home_blocks].count("image") == 1
    assert refusals(workspace) == set()
    unknown = [call for call in workspace.ledger("call") if call["unknown_arguments"]]
    assert unknown == []


def test_without_what_may_be_left_out_the_page_still_serves(start: Start, bare_playground: PlaygroundProcess) -> None:
    """M18."""
    workspace = start(bare_playground)
    ada = Pages(workspace, ADA)
    ada.open_home()
    assert f"lorekeeper export {ADA}" in ada.use_and_see("home_data_export")
    ada.use_and_see("home_admin")
    assert words.ADMIN_VOTES_TITLE in ada.use_and_see("home_part_answers")
    assert [block["type"] for block in ada.home_blocks].count("image") == 0
    assert refusals(workspace) == {("files.getUploadURLExternal", "missing_scope")}


def test_what_somebody_saved_is_known_once_an_admin_approved_it(
    start: Start, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    """S1: saved, reviewed, read, and found by whoever could read the message."""

    def sync(name: str | None) -> str:
        source = find_source(engine, str(name))
        assert source is not None
        with open_parser(FileSettings()) as parser:
            parts = IngestParts(engine=engine, parser=parser, embedder=FakeEmbedder(), chunk_tokens=200)
            return f"{sync_source(source, parts).added} added"

    workspace = start(playground, equipment=Equipment(sync=sync))
    for channel, text in (
        (HELP, "The espresso machine is descaled on Fridays."),
        (LEADS, "The espresso budget is 900."),
    ):
        ts = workspace.say(ADA, channel, text)
        workspace.act("shortcut", user=ADA, callback_id="save_as_knowledge", channel=channel, ts=ts)
        view = Pages(workspace, ADA).opened(1 if channel == HELP else 2)
        Pages(workspace, ADA).submit(view, title={"value": "Espresso"}, text={"value": text})
    wait_until(lambda: len(pending_notes(engine, TEAM)) == 2)
    ada = Pages(workspace, ADA)
    ada.open_home()
    ada.use_and_see("home_admin")
    ada.use_and_see("home_part_review")
    for note in pending_notes(engine, TEAM):
        assert words.ADMIN_NOTE_APPROVED in ada.use_and_see("home_note_approve", value=note_value(note))
    with Library.open(engine, FakeEmbedder(), None) as library:

        def found(audience: Audience) -> list[str]:
            passages = library.retrieve(Question(text="espresso machine budget"), audience, 5).passages
            return sorted(passage.text for passage in passages)

        wait_until(lambda: len(found(Audience.of_channel(LEADS))) == 2)
        assert found(Audience.of_person(BEN)) == ["The espresso machine is descaled on Fridays."]
        saved = library.retrieve(Question(text="espresso"), Audience.of_channel(LEADS), 5).passages
        # Whoever saved it answers for it.
        assert {passage.owner for passage in saved} == {"Ada Park"}
    # Whoever approved it hears when it counts, once for each of the two sources.
    wait_until(lambda: len(direct_messages(workspace, ADAS_DM)) == 2)
    assert all(": 1 added, " in said for said in direct_messages(workspace, ADAS_DM))


def direct_messages(workspace: Workspace, channel: str) -> list[str]:
    calls = workspace.ledger("call", "chat.postMessage")
    return [call["request"]["text"] for call in calls if call["request"]["channel"] == channel]
