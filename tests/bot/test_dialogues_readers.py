"""Dialogues in which who may read what changes while an answer is made: it is made anew, or there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.answer import Answering
from knowledge.audience import channel_audience, person_audience, usergroup_audience
from knowledge.database import reading, writing
from knowledge.tables import document
from models.generator import ChatMessage
from tests.bot.answer_dialogue import BADGES, answering, shelve
from tests.bot.dialogue import ADA, ADAS_DM, BOT, HELP, LEADS, StartBot, Workspace
from tests.fakes import ScriptedGenerator

SECRET = "Badges of the leads are golden and open the roof."
QUESTION = "What are badges of the leads like, and who issues badges?"


def told(parts: Answering, happens: Callable[[], None]) -> Answering:
    """The same, with a model that repeats its text; the first time something happens meanwhile."""
    happened: list[bool] = []

    def says(messages: Sequence[ChatMessage]) -> str:
        if not happened:
            happened.append(True)
            happens()
        return messages[-1].content.partition("Text: ")[2].partition("\n\nQuestion:")[0]

    return replace(parts, generator=ScriptedGenerator(says))


def _leave(workspace: Workspace) -> None:
    workspace.act("leave", user=ADA, channel=LEADS)


@pytest.fixture
def parts(engine: sa.Engine) -> Answering:
    """ANSWER over one public document and one of the leads."""
    passages = shelve(engine, ("Badges", BADGES, "everyone"), ("Leads", SECRET, channel_audience(LEADS)))
    return answering(passages, "")


def test_who_leaves_a_channel_while_their_question_is_answered_is_not_told_its_documents(
    workspace: Workspace, start_bot: StartBot, parts: Answering, engine: sa.Engine
) -> None:
    start_bot(told(parts, lambda: _leave(workspace)))
    ts = workspace.say(ADA, ADAS_DM, QUESTION)
    (text,) = workspace.answers(ADAS_DM, ts)
    assert "Maria Lopez" in text
    assert "golden" not in text
    with reading(engine) as connection:
        for kept in (tables.answer, tables.turn, tables.citation):
            assert "golden" not in str(connection.execute(sa.select(kept)).all())


@pytest.mark.parametrize(
    "change",
    [
        sa.update(document).where(document.c.id == 1).values(audience=person_audience("U0SOMEBODY")),
        sa.delete(document).where(document.c.id == 1),
    ],
)
def test_where_a_document_is_taken_away_and_nothing_else_is_found_that_is_said(
    workspace: Workspace, start_bot: StartBot, parts: Answering, engine: sa.Engine, change: sa.Executable
) -> None:
    """The library of this test does not notice the change, as if it came again with each try."""

    def happens() -> None:
        with writing(engine) as connection:
            connection.execute(change)

    start_bot(told(parts, happens))
    ts = workspace.say(ADA, HELP, f"{BOT} {QUESTION}")
    (text,) = workspace.answers(HELP, ts)
    assert text == words.READERS_CHANGED
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.answer)).one()
    assert row.outcome == "refused"


def test_a_change_that_does_not_matter_changes_nothing(
    workspace: Workspace, start_bot: StartBot, parts: Answering, engine: sa.Engine
) -> None:
    def happens() -> None:
        with writing(engine) as connection:
            connection.execute(sa.delete(document).where(document.c.id == 2))

    start_bot(told(parts, happens))
    ts = workspace.say(ADA, HELP, f"{BOT} {QUESTION}")
    (text,) = workspace.answers(HELP, ts)
    assert "Maria Lopez" in text


def test_documents_of_a_user_group_are_for_its_members_in_direct_messages(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    group = str(workspace.act("set_usergroup", user=ADA, members=[ADA])["usergroup"])
    passages = shelve(engine, ("Badges", BADGES, "everyone"), ("Leads", SECRET, usergroup_audience(group)))
    start_bot(told(answering(passages, ""), lambda: None))
    (own,) = workspace.answers(ADAS_DM, workspace.say(ADA, ADAS_DM, QUESTION))
    (public,) = workspace.answers(HELP, workspace.say(ADA, HELP, f"{BOT} {QUESTION}"))
    assert ("golden" in own, "golden" in public) == (True, False)


def test_who_is_taken_out_of_a_user_group_meanwhile_is_not_told_its_documents(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    group = str(workspace.act("set_usergroup", user=ADA, members=[ADA])["usergroup"])
    passages = shelve(engine, ("Badges", BADGES, "everyone"), ("Leads", SECRET, usergroup_audience(group)))

    def happens() -> None:
        workspace.act("set_usergroup", user=ADA, usergroup=group, members=[])

    start_bot(told(answering(passages, ""), happens))
    (text,) = workspace.answers(ADAS_DM, workspace.say(ADA, ADAS_DM, QUESTION))
    assert "Maria Lopez" in text
    assert "golden" not in text
