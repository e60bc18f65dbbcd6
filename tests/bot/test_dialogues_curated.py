"""Dialogues about standing answers: approved by an admin, served first, marked, and only while their sources hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.curated import CuratedAnswers, list_curated, remove_curated
from bot.playground.process import PlaygroundProcess
from bot.privacy import forget
from bot.slack.gateway import SlackBot
from bot.turn import Answer
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, Audience, channel_audience
from knowledge.database import writing
from knowledge.document import HistoryTurn, Question
from tests.bot.answer_dialogue import BADGES, answering, choose, opened_view, press_in_view, rows, shelve, view_calls
from tests.bot.dialogue import ADA, ADAS_DM, BEN, BOT, GENERAL, HELP, LEADS, Workspace, link, options, wait_until

StartBot = Callable[..., CuratedAnswers]
SAID = "Badges are issued by Maria Lopez."
STANDING = "Maria Lopez at the front desk, every day from 9. [1]"


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(audience: str = EVERYONE) -> CuratedAnswers:
            plain = answering(shelve(engine, ("Badges", BADGES, audience)), SAID)
            curated = CuratedAnswers(engine=engine, embedder=plain.library.embedder)
            answers = replace(plain, approved=curated)
            changed = options(playground)
            bot = SlackBot(engine, answers, changed, link=link, version=lambda: "scripted-1")
            stack.enter_context(bot)
            return curated

        yield start


def ask(workspace: Workspace, user: str, channel: str, text: str) -> dict[str, Any]:
    """Ask, wait, and return the message of the answer."""
    ts = workspace.say(user, channel, text)
    workspace.answers(channel, ts)
    return workspace.bot_messages(channel, ts)[0]


def approve(workspace: Workspace, message: dict[str, Any], channel: str, question: str, text: str = STANDING) -> None:
    """Approve an answer, as an admin does it."""
    choose(workspace, ADA, channel, message, "why")
    press_in_view(workspace, ADA, opened_view(workspace, saying=words.CURATE_OPEN), "curate_open")
    view = opened_view(workspace, saying=words.CURATE_QUESTION)
    values = {
        key: {key: {"type": "plain_text_input", "value": value}}
        for key, value in (("question", question), ("text", text))
    }
    workspace.act("view_submit", user=ADA, view_id=view["id"], values=values)
    wait_until(lambda: words.CURATE_DONE in workspace.whispers(ADA))


def find(curated: CuratedAnswers, text: str, audience: Audience | None = None, **more: Any) -> Answer | None:
    question = Question(text=text, history=more.pop("history", ()))
    return curated.find(question, audience or Audience.everyone(), more.pop("sources", None))


def test_an_approved_answer_comes_first_and_is_marked(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S4."""
    start_bot()
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    approve(workspace, message, HELP, "Who issues badges?")
    again = ask(workspace, BEN, GENERAL, f"{BOT} Who issues the badges?")
    shown = repr(again["blocks"])
    assert "every day from 9." in shown
    assert "✅ Approved by Ada Park on " in shown
    assert f"<@{ADA}>" not in shown
    assert "'user_id'" not in shown
    assert "https://docs.example/handbook/1.md" in shown
    (row,) = list_curated(engine)
    assert (row.approved_by, row.uses, row.stale) == (ADA, 1, False)
    choose(workspace, BEN, GENERAL, again, "why")
    why = repr(opened_view(workspace, saying=words.WHY_APPROVED))
    assert "used in the answer as [1]" in why
    assert "score" not in why


def test_only_admins_are_offered_to_approve(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot()
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    choose(workspace, BEN, HELP, message, "why")
    assert words.CURATE_OPEN not in repr(opened_view(workspace))
    (view,) = view_calls(workspace)
    assert "actions" not in [block["type"] for block in view["blocks"]]
    assert rows(engine, tables.curated) == []


def test_a_standing_answer_is_for_those_who_may_read_its_sources(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M6."""
    curated = start_bot(channel_audience(LEADS))
    message = ask(workspace, ADA, LEADS, f"{BOT} who issues badges?")
    approve(workspace, message, LEADS, "Who issues badges?")
    assert list_curated(engine)[0].audience == channel_audience(LEADS)
    assert find(curated, "Who issues badges?", Audience.of_channel(LEADS)) is not None
    assert find(curated, "Who issues badges?", Audience.of_channel(HELP)) is None
    with writing(engine) as connection:
        values = {"audience": channel_audience("C0OTHER")}
        connection.execute(sa.update(knowledge_tables.document).values(**values))
    assert find(curated, "Who issues badges?", Audience.of_channel(LEADS)) is None


def test_it_rests_when_a_source_changed_or_went_or_is_not_to_be_used(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    curated = start_bot()
    approve(workspace, ask(workspace, BEN, HELP, f"{BOT} who issues badges?"), HELP, "Who issues badges?")
    found = find(curated, "Who issues badges?")
    assert found is not None
    assert found.text == STANDING
    assert find(curated, "Who issues badges?", sources=frozenset({"handbook"})) is not None
    assert find(curated, "Who issues badges?", sources=frozenset({"wiki"})) is None
    with writing(engine) as connection:
        connection.execute(sa.update(knowledge_tables.document).values(title="Badges, revised"))
        connection.execute(sa.delete(knowledge_tables.chunk))
    assert find(curated, "Who issues badges?") is None
    assert list_curated(engine)[0].stale


def test_other_questions_and_follow_ups_do_not_get_it(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    curated = start_bot()
    approve(workspace, ask(workspace, BEN, HELP, f"{BOT} who issues badges?"), HELP, "Who issues badges?")
    assert find(curated, "Who does not issue badges?") is None
    assert find(curated, "Who issues 2 badges?") is None
    assert find(curated, "Who issues parking badges?") is None
    history = (HistoryTurn(role="user", text="Tell me of Lyon."),)
    assert find(curated, "Who issues badges?", history=history) is None
    (row,) = list_curated(engine)
    assert remove_curated(engine, row.id)
    assert not remove_curated(engine, row.id)
    assert find(curated, "Who issues badges?") is None


def test_try_again_gives_an_answer_of_the_models_own(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot()
    approve(workspace, ask(workspace, BEN, HELP, f"{BOT} who issues badges?"), HELP, "Who issues badges?")
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    assert "every day from 9." in repr(message["blocks"])
    choose(workspace, BEN, HELP, message, "regenerate")
    wait_until(lambda: SAID in repr(workspace.bot_messages(HELP, message["thread_ts"])))


def test_a_forgotten_admin_is_named_nowhere(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot()
    approve(workspace, ask(workspace, ADA, ADAS_DM, "who issues badges?"), ADAS_DM, "Who issues the badges?")
    ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    assert any("Ada Park" in shown for shown in rows(engine, tables.answer.c.approved_by))
    forget(engine, ADA)
    assert not any("Ada Park" in shown for shown in rows(engine, tables.answer.c.approved_by))
    (row,) = list_curated(engine)
    assert (row.approved_by, row.approved_name) == ("", "")


def test_the_form_asks_for_both_fields(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot()
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    choose(workspace, ADA, HELP, message, "why")
    press_in_view(workspace, ADA, opened_view(workspace, saying=words.CURATE_OPEN), "curate_open")
    view = opened_view(workspace, saying=words.CURATE_QUESTION)
    assert "who issues badges?" in repr(view)
    assert words.curate_audience(EVERYONE) in repr(view)
    values = {
        "question": {"question": {"type": "plain_text_input", "value": "  "}},
        "text": {"text": {"type": "plain_text_input", "value": "x"}},
    }
    reply = workspace.act("view_submit", user=ADA, view_id=view["id"], values=values)
    assert reply["errors"] == {"question": words.CURATE_MISSING}
    assert rows(engine, tables.curated) == []
