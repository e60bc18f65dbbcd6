"""Dialogues over several threads: what was said before, what the bot was asked to remember, what it must not tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.earlier.recollect import recollect
from bot.earlier.search import Earlier, EarlierOptions
from bot.equipment import Equipment
from bot.people import Preferences, save_preferences
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from bot.worker import Answering as AnsweringProtocol
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE
from knowledge.database import writing
from knowledge.document import Passage
from tests.bot.answer_dialogue import answering, rows, shelve
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    GENERAL,
    HELP,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.pages import Pages, said
from tests.knowledge.fake_embedder import FakeEmbedder

TEAM = "T0PLAYGROUND"
BENS_DM = "D0BENORTIZ"
TOLD = "remember that our staging cluster is called blue"
ASKED = "what is our staging cluster called"
# Words decide in these tests: their embedder knows no meaning.
MEMORY = EarlierOptions(most=2, least_cosine=0.15)


class PatientWorkspace(Workspace):
    """Waits for what is kept as well: an answer is visible a moment before it can be remembered."""

    def __init__(self, playground: PlaygroundProcess, engine: sa.Engine) -> None:
        super().__init__(playground)
        self._engine = engine

    def answers(self, channel: str, thread_ts: str, count: int = 1, seconds: float = 20.0) -> list[str]:
        shown = super().answers(channel, thread_ts, count, seconds)
        wait_until(lambda: set(rows(self._engine, tables.answer.c.state)) <= {"final_sent", "withdrawn"})
        return shown


@pytest.fixture
def workspace(playground: PlaygroundProcess, engine: sa.Engine) -> Workspace:
    """As everywhere, on a day without faults."""
    workspace = PatientWorkspace(playground, engine)
    workspace.begin()
    return workspace


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(answering: AnsweringProtocol, *, most: int = 2, **changes: Any) -> SlackBot:
            embedder = FakeEmbedder(dim=256)
            earlier = Earlier(engine, embedder, replace(MEMORY, most=most)) if most else None
            slack = options(playground, **changes)
            equipment = Equipment(embedder=embedder, earlier=earlier)
            bot = SlackBot(engine, answering, slack, link=shown_link, version=lambda: "scripted-1", equipment=equipment)
            stack.enter_context(bot)
            wait_until(lambda: bot.ready)
            return bot

        yield start


def shown_link(uri: str) -> str:
    """Messages in Slack have an address already."""
    return uri if uri.startswith("http") else link(uri)


def earlier_of(answering: ScriptedAnswering, number: int = -1) -> list[Passage]:
    return list(answering.briefs[number].earlier)


def tell(workspace: Workspace, user: str, channel: str, text: str) -> tuple[str, str]:
    """Say something in a new thread; returns its ts and the answer."""
    ts = workspace.say(user, channel, text if channel.startswith("D") else f"{BOT} {text}")
    return ts, workspace.answers(channel, ts)[-1]


def shelve_what_is_cited(engine: sa.Engine) -> None:
    """Put the document that scripted answers cite into the library."""
    shelve(engine, ("Guide", "Lost badges cost 15 euros.", EVERYONE))
    with writing(engine) as connection:
        connection.execute(sa.update(knowledge_tables.document).values(uri="file:///guide.md"))
        connection.execute(sa.update(knowledge_tables.chunk).values(text_hash="h"))


def blocks_of(workspace: Workspace, channel: str, ts: str) -> str:
    return repr([message["blocks"] for message in workspace.bot_messages(channel, ts)])


# What a person asks to be remembered


def test_what_a_person_asked_to_be_remembered_answers_their_next_question_with_a_link(
    workspace: Workspace, start_bot: StartBot
) -> None:
    """M4, M5: told in one thread, asked in another."""
    start_bot(answering([], "The staging cluster is called blue."))
    told, confirmation = tell(workspace, ADA, ADAS_DM, TOLD)
    assert confirmation == words.REMEMBER_ALONE
    ts, answer = tell(workspace, ADA, ADAS_DM, f"{ASKED}?")
    assert "staging cluster is called blue" in answer
    assert words.REMEMBERED_OWN in answer
    shown = blocks_of(workspace, ADAS_DM, ts)
    assert f"/archives/{ADAS_DM}/p{told.replace('.', '')}" in shown


def test_what_is_said_in_a_direct_message_stays_there(workspace: Workspace, start_bot: StartBot) -> None:
    """M6."""
    scripted = ScriptedAnswering()
    start_bot(scripted)
    tell(workspace, ADA, ADAS_DM, TOLD)
    for user, channel in ((ADA, HELP), (BEN, HELP), (BEN, BENS_DM)):
        tell(workspace, user, channel, f"{ASKED}?")
        assert earlier_of(scripted) == []
    tell(workspace, ADA, ADAS_DM, f"{ASKED}?")
    assert [one.text for one in earlier_of(scripted)] == ["our staging cluster is called blue."]


def test_what_a_channel_is_to_remember_is_for_its_members(workspace: Workspace, start_bot: StartBot) -> None:
    """M6."""
    scripted = ScriptedAnswering()
    start_bot(scripted)
    _, confirmation = tell(workspace, ADA, HELP, TOLD)
    assert confirmation == words.REMEMBER_HERE
    tell(workspace, BEN, HELP, f"{ASKED}?")
    (passage,) = earlier_of(scripted)
    assert (passage.title, passage.audience) == (words.REMEMBERED_HERE, f"channel:{HELP}")
    tell(workspace, BEN, GENERAL, f"{ASKED}?")
    assert earlier_of(scripted) == []
    tell(workspace, BEN, BENS_DM, f"{ASKED}?")
    assert [one.title for one in earlier_of(scripted)] == [words.REMEMBERED_CHANNEL]


def test_it_is_listed_on_the_home_page_and_forgotten_there_by_a_button(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M18."""
    scripted = ScriptedAnswering()
    start_bot(scripted)
    tell(workspace, ADA, ADAS_DM, TOLD)
    ada = Pages(workspace, ADA)
    ada.open_home()
    ada.use("home_data_see")
    view = ada.opened()
    assert "our staging cluster is called blue" in said(view)
    (row,) = [block for block in view["blocks"] if block.get("accessory")]
    action = {"type": "button", "block_id": row["block_id"], **row["accessory"]}
    workspace.act("block_action", user=ADA, container={"type": "view", "view_id": view["id"]}, action=action)
    wait_until(lambda: workspace.ledger("call", "views.update") != [])
    (update,) = workspace.ledger("call", "views.update")
    assert update["status"] == "ok"
    assert not any("accessory" in block for block in update["response"]["view"]["blocks"])
    assert "remember" not in rows(engine, tables.turn.c.role)
    tell(workspace, ADA, ADAS_DM, f"{ASKED}?")
    assert earlier_of(scripted) == []


def test_a_deleted_message_is_forgotten_and_an_edited_one_remembered_anew(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M15."""
    start_bot(ScriptedAnswering())
    told, _ = tell(workspace, ADA, ADAS_DM, TOLD)

    def kept() -> list[str]:
        return [row.text for row in rows(engine, tables.turn) if row.role == "remember"]

    assert kept() == ["our staging cluster is called blue"]
    workspace.act("edit", user=ADA, channel=ADAS_DM, ts=told, text="remember that our staging cluster is called green")
    wait_until(lambda: kept() == ["our staging cluster is called green"])
    wait_until(lambda: rows(engine, tables.answer.c.state) == ["final_sent"])
    workspace.act("delete", user=ADA, channel=ADAS_DM, ts=told)
    wait_until(lambda: kept() == [])


def test_whoever_switched_memory_off_is_told_and_not_remembered(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    scripted = ScriptedAnswering()
    start_bot(scripted)
    save_preferences(engine, TEAM, ADA, Preferences(memory=False))
    _, told = tell(workspace, ADA, ADAS_DM, TOLD)
    assert told == words.REMEMBER_OFF
    tell(workspace, ADA, ADAS_DM, f"{ASKED}?")
    assert earlier_of(scripted) == []
    assert rows(engine, tables.remembered_turn) == []


def test_a_question_about_remembering_is_a_question(workspace: Workspace, start_bot: StartBot) -> None:
    scripted = ScriptedAnswering()
    start_bot(scripted)
    tell(workspace, ADA, ADAS_DM, "do you remember that our cluster is called blue?")
    assert len(scripted.asked) == 1


def test_where_the_admin_switched_memory_off_it_is_an_ordinary_message(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    scripted = ScriptedAnswering()
    start_bot(scripted, most=0)
    tell(workspace, ADA, ADAS_DM, TOLD)
    tell(workspace, ADA, ADAS_DM, f"{ASKED}?")
    assert len(scripted.asked) == 2
    assert earlier_of(scripted) == []
    assert "remember" not in rows(engine, tables.turn.c.role)


# Earlier threads


def test_an_earlier_thread_is_named_linked_and_second_to_the_documents(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M4, M5."""
    badges = ("Badges", "Lost badges cost 15 euros. Badges are issued by Maria.", "everyone")
    start_bot(answering(shelve(engine, badges), "Lost badges cost 15 euros."))
    tell(workspace, ADA, ADAS_DM, "What do lost badges cost?")
    _, again = tell(workspace, ADA, ADAS_DM, "what do lost badges cost now?")
    # The document answers: what was answered from it before adds nothing and comes behind it.
    assert "1. Badges" in again
    assert again.find("Badges") < (again.find(words.EARLIER_OWN) if words.EARLIER_OWN in again else len(again))


def test_an_answer_that_stands_on_an_earlier_thread_alone_says_so(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M5."""
    scripted = ScriptedAnswering(reply=lambda _question, _audience: "Lost badges cost 15 euros [1]")
    shelve_what_is_cited(engine)
    first = start_bot(scripted)
    told, _ = tell(workspace, ADA, ADAS_DM, "what do lost badges cost?")
    first.stop()
    start_bot(answering([], "Lost badges cost 15 euros."))
    ts, answer = tell(workspace, ADA, ADAS_DM, "lost badges cost what?")
    assert answer.startswith("Lost badges cost 15 euros")
    assert f"1. {words.EARLIER_OWN} › what do lost badges cost?" in answer
    assert f"/archives/{ADAS_DM}/p{told.replace('.', '')}" in blocks_of(workspace, ADAS_DM, ts)
    # Second hand is remembered, third hand is not.
    assert recollect(engine, FakeEmbedder(dim=256)) == 0
    kept = {row.conversation.rpartition(":")[2] for row in rows(engine, tables.remembered_turn)}
    assert told in kept
    assert ts not in kept


def test_what_no_library_holds_any_more_is_not_told_again(workspace: Workspace, start_bot: StartBot) -> None:
    scripted = ScriptedAnswering(reply=lambda _question, _audience: "The van comes at nine [1]")
    start_bot(scripted)
    tell(workspace, ADA, ADAS_DM, "when does the removal van come?")
    tell(workspace, ADA, ADAS_DM, "removal van when?")
    assert earlier_of(scripted) == []


def test_a_channel_finds_its_own_threads_whoever_asked_and_no_other_s(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M6."""
    scripted = ScriptedAnswering(reply=lambda _question, _audience: "Lost badges cost 15 euros [1]")
    shelve_what_is_cited(engine)
    start_bot(scripted)
    ts, _ = tell(workspace, ADA, HELP, "what do lost badges cost?")
    workspace.say(BEN, HELP, f"{BOT} and what do lost badges cost today?", thread_ts=ts)
    workspace.answers(HELP, ts, count=2)
    # Its own thread is history already.
    assert earlier_of(scripted) == []
    tell(workspace, BEN, HELP, "lost badges cost what?")
    found = earlier_of(scripted)
    assert {one.title for one in found} == {words.EARLIER_HERE}
    assert {one.text for one in found} == {"Lost badges cost 15 euros"}
    assert any(f"/archives/{HELP}/p{ts.replace('.', '')}" in one.uri for one in found)
    tell(workspace, BEN, GENERAL, "lost badges cost what?")
    assert earlier_of(scripted) == []
    tell(workspace, ADA, ADAS_DM, "lost badges cost what?")
    assert {one.title for one in earlier_of(scripted)} == {words.EARLIER_OWN}


def test_a_deleted_question_is_not_found_any_more(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    """M15."""
    scripted = ScriptedAnswering(reply=lambda _question, _audience: "Lost badges cost 15 euros [1]")
    shelve_what_is_cited(engine)
    start_bot(scripted)
    tell(workspace, ADA, ADAS_DM, "what do lost badges cost?")
    tell(workspace, ADA, ADAS_DM, "lost badges cost what?")
    assert len(earlier_of(scripted)) == 1
    for asked in {row.ts for row in rows(engine, tables.turn) if row.user == ADA}:
        workspace.act("delete", user=ADA, channel=ADAS_DM, ts=asked)
    wait_until(lambda: rows(engine, tables.turn) == [])
    tell(workspace, ADA, ADAS_DM, "lost badges?")
    assert earlier_of(scripted) == []
