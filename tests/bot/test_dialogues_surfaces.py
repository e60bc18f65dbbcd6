"""Dialogues at every surface besides mentions and direct messages: greeting, prompts, /lore, policies, leaving."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk import WebClient

from bot import tables, words
from bot.channels import ChannelSettings, save_channel
from bot.database import open_database
from bot.equipment import Equipment
from bot.inbox import Inbox, Received
from bot.playground.process import PlaygroundProcess, start_playground
from bot.reading_wishes import Outcome, Watch
from bot.slack.directory import Directory
from bot.slack.gateway import SlackBot
from bot.slack.manifest import build_manifest
from bot.slack.parse import ReactionChange
from knowledge import tables as knowledge_tables
from knowledge.database import reading
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    HELP,
    LEADS,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.test_suggestions import add

TEAM = "T0PLAYGROUND"
PROMPTS = "assistant.threads.setSuggestedPrompts"


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, ack_seconds=5.0, time_scale=60.0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture
def workspace(playground: PlaygroundProcess) -> Iterator[Workspace]:
    workspace = Workspace(playground)
    workspace.begin()
    yield workspace
    workspace.act("features", agent=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def start_bot(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(answering: ScriptedAnswering, equipment: Equipment | None = None, **changes: Any) -> SlackBot:
            bot = SlackBot(
                engine,
                answering,
                options(playground, **changes),
                link=link,
                version=lambda: "scripted-1",
                equipment=equipment or Equipment(),
            )
            stack.enter_context(bot)
            # A command that nobody hears is lost at once, unlike an event.
            wait_until(lambda: bot.ready)
            return bot

        yield start


def rows(engine: sa.Engine, kind: str) -> list[Any]:
    table = tables.inbox
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table).where(table.c.kind == kind).order_by(table.c.id)))


def is_worked_off(engine: sa.Engine, kind: str, count: int) -> bool:
    return [row.state for row in rows(engine, kind)] == ["done"] * count


def posts(workspace: Workspace) -> list[dict[str, Any]]:
    return [call["request"] for call in workspace.ledger("call", "chat.postMessage")]


def replies(workspace: Workspace) -> list[str]:
    """What was said by the addresses that came with commands."""
    return [str(call["request"]["text"]) for call in workspace.ledger("call", "response_url")]


def lore(workspace: Workspace, user: str, text: str, channel: str = HELP) -> None:
    workspace.act("slash", user=user, channel=channel, command="/lore", text=text)


def wait_for_reply(workspace: Workspace, text: str) -> None:
    wait_until(lambda: any(text in said for said in replies(workspace)))


# Greeting and prompts


def test_whoever_opens_the_messages_is_greeted_once_and_offered_questions(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M18, M3: the agent's messages tab."""
    add(engine, "handbook", "Handbook", ["Parental leave"])
    add(engine, "handbook", "Expenses", ["How do I claim a taxi?"])
    start_bot(ScriptedAnswering())
    for _ in range(2):
        workspace.act("open_home", user=ADA, tab="messages")
    wait_until(lambda: is_worked_off(engine, "greeting", 2))
    (greeting,) = posts(workspace)
    assert greeting["channel"] == ADAS_DM
    assert "thread_ts" not in greeting
    assert "2 documents from handbook" in greeting["text"]
    first, second = (call["request"] for call in workspace.ledger("call", PROMPTS))
    assert {prompt["message"] for prompt in first["prompts"][:2]} == {
        "How do I claim a taxi?",
        "What does “Handbook” say about parental leave?",
    }
    assert len(first["prompts"]) <= 4
    assert (first["channel_id"], "thread_ts" in first, second["prompts"]) == (ADAS_DM, False, first["prompts"])
    assert [call["unknown_arguments"] for call in workspace.ledger("call", PROMPTS)] == [[], []]


def test_the_home_tab_refreshes_the_prompts_and_greets_nobody(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    add(engine, "handbook", "Handbook", ["Parental leave"])
    start_bot(ScriptedAnswering())
    workspace.act("open_home", user=ADA, tab="home")
    wait_until(lambda: is_worked_off(engine, "greeting", 1))
    assert posts(workspace) == []
    assert len(workspace.ledger("call", PROMPTS)) == 1


def test_without_the_agent_feature_the_greeting_has_the_examples_and_nobody_asks_twice(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M18: falls back where the workspace has no agents."""
    add(engine, "handbook", "Handbook", ["Parental leave"])
    workspace.act("features", agent=False)
    start_bot(ScriptedAnswering())
    for user in (ADA, BEN):
        workspace.act("open_home", user=user, tab="messages")
    wait_until(lambda: is_worked_off(engine, "greeting", 2))
    assert all("parental leave" in post["text"] for post in posts(workspace))
    assert len(posts(workspace)) == 2
    assert len(workspace.ledger("call", PROMPTS)) == 1


def test_the_older_assistant_pane_is_greeted_prompted_and_named(engine: sa.Engine) -> None:
    """M3: the container of workspaces that have no agents yet, with the manifest for it."""
    add(engine, "handbook", "Handbook", ["Parental leave"])
    manifest = build_manifest(surface="assistant")
    with start_playground(port=0, ack_seconds=5.0, surface="assistant", manifest=manifest) as process:
        workspace, answering = Workspace(process), ScriptedAnswering()
        with SlackBot(engine, answering, options(process), link=link, version=lambda: "scripted-1") as bot:
            wait_until(lambda: bot.ready)
            thread_ts = workspace.act("open_home", user=ADA, tab="messages")["thread_ts"]
            wait_until(lambda: is_worked_off(engine, "greeting", 1))
            (greeting,) = posts(workspace)
            assert greeting["thread_ts"] == thread_ts
            (prompts,) = workspace.ledger("call", PROMPTS)
            assert prompts["request"]["thread_ts"] == thread_ts
            workspace.act("context", user=ADA, channel=LEADS)
            workspace.say(ADA, ADAS_DM, "how long is parental leave?", thread_ts=thread_ts)
            workspace.answers(ADAS_DM, thread_ts)
            # The greeting, new prompts for what Ada looks at now, and the title.
            wait_until(lambda: is_worked_off(engine, "greeting", 3))
            (title,) = workspace.ledger("call", "assistant.threads.setTitle")
            assert (title["request"]["title"], title["status"]) == ("how long is parental leave?", "ok")
            assert [question.text for question in answering.asked] == ["how long is parental leave?"]


def test_a_guest_hears_of_no_source_by_any_way(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    """M14: the gate stands before greetings, prompts and lists as well."""
    add(engine, "handbook", "Handbook", ["Parental leave"])
    start_bot(ScriptedAnswering())
    guest = workspace.act("create_person", name="Gus Guest", guest="multi")["user"]["id"]
    workspace.act("invite", user=ADA, channel=HELP, invitee=guest)
    workspace.act("open_home", user=guest, tab="messages")
    wait_until(lambda: is_worked_off(engine, "greeting", 1))
    assert posts(workspace) == []
    assert workspace.ledger("call", PROMPTS) == []
    lore(workspace, guest, "sources")
    wait_until(lambda: len(replies(workspace)) == 1)
    assert "handbook" not in replies(workspace)[0]


# Follow-ups and leaving


def test_anyone_may_go_on_where_the_channel_says_so(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M3: the follow-up policy of a channel."""
    save_channel(engine, TEAM, HELP, ChannelSettings(follow_ups="anyone"), changed_by=ADA)
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} who pays for lunch?")
    workspace.answers(HELP, ts)
    workspace.say(ADA, HELP, "and for dinner?", thread_ts=ts)
    assert "and for dinner?" in workspace.answers(HELP, ts, count=2)[1]


def test_told_to_leave_it_says_goodbye_once_and_is_silent_until_it_is_mentioned(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M3: a word to leave."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} who pays for lunch?")
    workspace.answers(HELP, ts)
    workspace.say(BEN, HELP, "That's all, thank you!", thread_ts=ts)
    wait_until(lambda: is_worked_off(engine, "greeting", 1))
    workspace.say(BEN, HELP, "so we two meet at noon?", thread_ts=ts)
    workspace.say(BEN, HELP, f"{BOT} who pays for dinner?", thread_ts=ts)
    wait_until(lambda: len(answering.asked) == 2)
    assert answering.asked[1].text == "who pays for dinner?"
    said = [post["text"] for post in posts(workspace)]
    assert said.count(words.GOODBYE) == 1


def test_a_group_message_is_answered_when_the_bot_is_named(workspace: Workspace, start_bot: StartBot) -> None:
    """M3: group messages."""
    answering = ScriptedAnswering()
    start_bot(answering)
    group = workspace.act("open_group", user=ADA, **{"with": [BEN]})["channel"]["id"]
    workspace.say(BEN, group, "shall we meet at noon?")
    ts = workspace.say(ADA, group, f"{BOT} who pays?")
    workspace.answers(group, ts)
    assert [question.text for question in answering.asked] == ["who pays?"]


def test_bots_reactions_are_no_votes(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    """M13: people vote."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} who pays?")
    workspace.answers(HELP, ts)
    (message,) = workspace.bot_messages(HELP, ts)
    change = ReactionChange(team=TEAM, channel=HELP, message_ts=message["ts"], user=message["user"], vote=1, added=True)
    Inbox(engine).put(Received(event_id="Ev1", kind="reaction", team=TEAM, payload=asdict(change)))
    workspace.act("react", user=BEN, channel=HELP, ts=message["ts"], name="-1")
    wait_until(lambda: is_worked_off(engine, "reaction", 2))
    with reading(engine) as connection:
        assert list(connection.scalars(sa.select(tables.feedback.c.user))) == [BEN]


def test_places_and_people_are_told_apart_and_the_unknown_is_private(
    playground: PlaygroundProcess, workspace: Workspace
) -> None:
    client = WebClient(token=playground.bot_token, base_url=playground.api_url, retry_handlers=[])
    directory = Directory(client, stopping=threading.Event())
    group = workspace.act("open_group", user=ADA, **{"with": [BEN]})["channel"]["id"]
    for _ in range(2):
        kinds = [directory.kind_of(channel) for channel in (HELP, LEADS, ADAS_DM, group, "C0NOWHERE")]
        assert kinds == ["public", "private", "im", "mpim", "private"]
    assert [directory.is_member(channel) for channel in (HELP, "C0NOWHERE")] == [True, False]
    assert [directory.is_bot(user) for user in (BEN, "U0NOBODY")] == [False, False]
    assert len(workspace.ledger("call", "conversations.info")) == 7  # of what is unknown it asks again


# The slash command


def test_help_comes_at_once_and_for_unknown_words_too(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    for text in ("", "frobnicate"):
        workspace.act("clear_traffic")
        lore(workspace, BEN, text)
        assert "`/lore sources`" in repr(workspace.ledger("ack"))
    assert posts(workspace) == []


def test_sources_and_status_tell_what_this_person_may_know(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    add(engine, "handbook", "Handbook")
    add(engine, "leads", "Layoffs", audience="channel:C0PRIVATELEADS")
    start_bot(ScriptedAnswering())
    lore(workspace, BEN, "sources")
    wait_for_reply(workspace, "handbook: 1 document")
    lore(workspace, BEN, "status")
    wait_for_reply(workspace, words.STATUS_WORKING)
    assert not any("leads" in said for said in replies(workspace))
    lore(workspace, ADA, "sources")
    wait_for_reply(workspace, "leads: 1 document")


def test_an_admin_has_a_source_read_and_hears_what_came_of_it(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S11, M19."""
    add(engine, "Handbook", "Handbook")
    read: list[str | None] = []

    def sync(name: str | None) -> str:
        read.append(name)
        with reading(engine) as connection:
            (source_id,) = connection.scalars(sa.select(knowledge_tables.source.c.id))
        Watch(engine, source_id).ended(Outcome(added=3, seconds=0.1))
        return "3 added"

    def told() -> list[str]:
        return [request["text"] for request in posts(workspace) if request["channel"] == ADAS_DM]

    start_bot(ScriptedAnswering(), Equipment(sync=sync))
    lore(workspace, BEN, "sync")
    wait_for_reply(workspace, words.COMMAND_SYNC_ADMINS)
    lore(workspace, ADA, "sync nonsense")
    wait_for_reply(workspace, "no source named “nonsense”")
    assert read == []
    lore(workspace, ADA, "sync handbook")
    wait_for_reply(workspace, words.COMMAND_SYNC_BEGUN.format(what="Handbook"))
    wait_until(lambda: told() == ["Handbook was read: 3 added, 0.1 s."])
    lore(workspace, ADA, "sync")
    wait_until(lambda: read == ["Handbook", None])
    wait_until(lambda: len(told()) == 2)


def test_a_person_is_forgotten_after_a_second_word(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M15: /lore forget me."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} who pays?")
    workspace.answers(HELP, ts)
    lore(workspace, BEN, "forget me")
    wait_until(lambda: bool(workspace.ledger("call", "views.open")))
    (opened,) = workspace.ledger("call", "views.open")
    assert opened["status"] == "ok"
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.turn)) == 2
    workspace.act("view_submit", user=BEN, view_id=opened["response"]["view"]["id"], values={})
    wait_for_reply(workspace, "I have forgotten you (2 things that were said)")
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.turn)) == 0


def test_a_question_after_lore_is_answered_for_the_asker_alone(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S11: nothing of it stands in the channel."""
    answering = ScriptedAnswering()
    start_bot(answering)
    lore(workspace, BEN, "ask who pays for lunch?")
    wait_until(lambda: len(answering.asked) == 1)
    wait_until(lambda: any("You asked: who pays for lunch?" in said for said in workspace.whispers(BEN)))
    assert posts(workspace) == []
    wait_until(lambda: is_worked_off(engine, "question", 1))


def test_where_the_bot_is_not_the_answer_is_a_direct_message(workspace: Workspace, start_bot: StartBot) -> None:
    answering = ScriptedAnswering()
    start_bot(answering)
    channel = workspace.act("create_channel", user=ADA, name="without-the-bot")["channel"]["id"]
    lore(workspace, ADA, "who pays for <lunch>?", channel=channel)
    wait_for_reply(workspace, words.COMMAND_ASKING_DIRECTLY)
    wait_until(lambda: len(answering.asked) == 1)
    assert answering.asked[0].text == "who pays for <lunch>?"
    root = posts(workspace)[0]
    assert root["channel"] == ADA
    (call,) = workspace.ledger("call", "chat.postMessage")[:1]
    workspace.answers(ADAS_DM, call["response"]["ts"])
