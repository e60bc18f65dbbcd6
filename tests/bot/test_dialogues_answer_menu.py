"""Dialogues about the menu of an answer: who may use it, why an answer came about, and what stays after a vote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.answer import Answering
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, channel_audience, group_audience, person_audience, usergroup_audience
from knowledge.database import writing
from knowledge.document import Readers
from knowledge.readers import save_readers
from tests.bot.answer_dialogue import BADGES, answering, choose, opened_view, rows, shelve, view_calls
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    CHLOE,
    HELP,
    LEADS,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.pages import said as text_of

SAID = "Badges are issued by Maria Lopez."


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(answers: Answering | ScriptedAnswering, **changes: Any) -> SlackBot:
            bot = SlackBot(engine, answers, options(playground, **changes), link=link, version=lambda: "scripted-1")
            return stack.enter_context(bot)

        yield start


def ask(workspace: Workspace, user: str, channel: str, text: str) -> dict[str, Any]:
    """Ask, wait, and return the message of the answer."""
    ts = workspace.say(user, channel, text)
    workspace.answers(channel, ts)
    return workspace.bot_messages(channel, ts)[0]


def test_every_answer_has_its_menu_and_keeps_it_after_a_vote(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    message = ask(workspace, BEN, HELP, f"{BOT} good?")
    feedback = next(block for block in message["blocks"] if block["type"] == "context_actions")
    button = feedback["elements"][0]
    action = {"type": "feedback_buttons", "block_id": feedback["block_id"], "action_id": button["action_id"]}
    action["value"] = button["positive_button"]["value"]
    container = {"type": "message", "channel": HELP, "ts": message["ts"]}
    workspace.act("block_action", user=BEN, container=container, action=action)
    wait_until(lambda: words.RECEIPT_GOOD in repr(workspace.bot_messages(HELP, message["thread_ts"])))
    (voted,) = workspace.bot_messages(HELP, message["thread_ts"])
    assert "answer_menu" in repr(voted["blocks"])
    assert "context_actions" in repr(voted["blocks"])


def test_why_shows_the_question_the_passages_the_estimate_and_their_age(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """N7."""
    leave = ("Leave", "Parental leave is 16 weeks.", EVERYONE)
    start_bot(answering(shelve(engine, ("Badges", BADGES, EVERYONE), leave), SAID))
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    choose(workspace, CHLOE, HELP, message, "why")
    view = repr(opened_view(workspace))
    for said in (
        "who issues badges?",
        "[1] ",
        "Badges",
        "used in the answer as [1]",
        "Leave",
        "not used in the answer",
        "means something similar and has the same words",
        "score 1.00 (meaning 0.80, words 1.00)",
        "changed 3 days ago, read 2 hours ago",
        "below 0% I don't answer",
        "scripted-1",
        "Never made again",
        "Sources last read to the end 2 hours ago",
        "https://docs.example/handbook/1.md",
    ):
        assert said in view, said
    assert words.CURATE_OPEN not in view


def test_why_tells_of_a_document_only_to_those_who_may_read_it_now(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M6."""
    start_bot(answering(shelve(engine, ("Vault", BADGES, EVERYONE)), SAID))
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    with writing(engine) as connection:
        connection.execute(sa.update(knowledge_tables.document).values(audience=channel_audience(LEADS)))
    choose(workspace, BEN, HELP, message, "why")
    view = repr(opened_view(workspace))
    assert "1 passage is not shown" in view
    assert "Vault" not in view


def test_why_in_a_direct_message_shows_what_that_person_may_read(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(answering(shelve(engine, ("Plan", BADGES, channel_audience(LEADS))), SAID))
    message = ask(workspace, ADA, ADAS_DM, "who issues badges?")
    choose(workspace, ADA, ADAS_DM, message, "why")
    view = opened_view(workspace, saying="Plan")
    assert "used in the answer as [1]" in repr(view)
    assert words.WHY_LOADING in repr(view_calls(workspace)[0])


PEOPLE = frozenset({ADA, "ben@example.org", "chloe@example.org"})


@pytest.mark.parametrize(
    ("audience", "seen_by"),
    [
        (EVERYONE, words.SEEN_BY_EVERYONE),
        (channel_audience(LEADS), words.SEEN_BY_MEMBERS),
        (person_audience(ADA), words.SEEN_BY_YOU),
        (group_audience("handbook", PEOPLE), "3 people, you among them"),
    ],
)
def test_why_says_who_else_can_see_what_the_answer_stands_on(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, audience: str, seen_by: str
) -> None:
    leave = ("Leave", "Parental leave is 16 weeks.", EVERYONE)
    passages = shelve(engine, ("Badges", BADGES, audience), leave)
    with writing(engine) as connection:
        save_readers(connection, "handbook", [Readers(audience=audience, members=PEOPLE)])
        connection.execute(sa.update(knowledge_tables.source).values(permissions_at=datetime.now(UTC)))
    start_bot(answering(passages, SAID))
    message = ask(workspace, ADA, ADAS_DM, "who issues badges?")
    choose(workspace, ADA, ADAS_DM, message, "why")
    view = opened_view(workspace, saying=seen_by)
    # Of what the answer does not stand on it is not said.
    assert text_of(view["blocks"]).count(words.SEEN_BY) == 1
    assert (f"'channel_id': '{LEADS}'" in repr(view)) is (audience == channel_audience(LEADS))


def test_why_names_a_user_group_and_says_how_many_people_that_is(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    group = str(workspace.act("set_usergroup", user=ADA, members=[ADA, BEN])["usergroup"])
    start_bot(answering(shelve(engine, ("Badges", BADGES, usergroup_audience(group))), SAID))
    message = ask(workspace, ADA, ADAS_DM, "who issues badges?")
    choose(workspace, ADA, ADAS_DM, message, "why")
    view = opened_view(workspace, saying=words.SEEN_BY_MEMBERS)
    assert f"'usergroup_id': '{group}'" in repr(view)
    assert "(2 people, you among them)" in text_of(view["blocks"])


def test_why_says_when_a_document_changed_or_went(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(answering(shelve(engine, ("Badges", BADGES, EVERYONE)), SAID))
    message = ask(workspace, BEN, HELP, f"{BOT} who issues badges?")
    with writing(engine) as connection:
        connection.execute(sa.delete(knowledge_tables.chunk))
    choose(workspace, BEN, HELP, message, "why")
    opened_view(workspace, saying=words.WHY_SOURCE_CHANGED)
    with writing(engine) as connection:
        connection.execute(sa.delete(knowledge_tables.document))
    choose(workspace, BEN, HELP, message, "why")
    opened_view(workspace, saying=words.WHY_SOURCE_GONE)


def test_only_the_asker_or_an_admin_may_have_an_answer_made_again(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    message = ask(workspace, BEN, HELP, f"{BOT} what?")
    choose(workspace, CHLOE, HELP, message, "regenerate")
    wait_until(lambda: workspace.whispers(CHLOE) != [])
    assert workspace.whispers(CHLOE) == [words.NOT_YOURS]
    assert "revision" not in rows(engine, tables.inbox.c.kind)
    choose(workspace, BEN, HELP, message, "shorter")
    wait_until(lambda: rows(engine, tables.inbox.c.kind).count("revision") == 1)
    choose(workspace, ADA, HELP, message, "detail")
    wait_until(
        lambda: rows(engine, tables.inbox.c.kind).count("revision") == 2 or words.AT_IT in workspace.whispers(ADA)
    )


def test_a_press_on_an_answer_that_is_gone_says_so(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    message = ask(workspace, BEN, HELP, f"{BOT} what?")
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.answer))
    choose(workspace, BEN, HELP, message, "why")
    wait_until(lambda: workspace.whispers(BEN) == [words.ANSWER_GONE])


def test_whoever_asks_before_everything_was_read_learns_that_it_is_being_read(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    passages = shelve(engine, ("Badges", BADGES, EVERYONE))
    run = knowledge_tables.sync_run
    start_bot(answering(passages, "The text does not say."))
    with writing(engine) as connection:
        connection.execute(sa.update(run).values(finished_at=None))
    message = ask(workspace, BEN, HELP, f"{BOT} Who paints the fence?")
    assert f"{words.NOT_FOUND} {words.STILL_READING}" in repr(message["blocks"])
    with writing(engine) as connection:
        connection.execute(sa.update(run).values(finished_at=run.c.started_at))
    message = ask(workspace, BEN, HELP, f"{BOT} Who paints the wall?")
    assert words.NOT_FOUND in repr(message["blocks"])
    assert words.STILL_READING not in repr(message["blocks"])
