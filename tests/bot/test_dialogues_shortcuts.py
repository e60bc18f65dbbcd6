"""Dialogues with shortcuts: answer a message, sum a thread up, save it as knowledge, ask from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.equipment import Equipment
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge.database import reading, writing
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
from tests.fakes import ScriptedGenerator


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
            wait_until(lambda: bot.ready)
            return bot

        yield start


def replies(workspace: Workspace) -> list[str]:
    return [str(call["request"]["text"]) for call in workspace.ledger("call", "response_url")]


def wait_for_reply(workspace: Workspace, text: str) -> None:
    wait_until(lambda: any(text in said for said in replies(workspace)))


def use(workspace: Workspace, user: str, name: str, channel: str | None = None, ts: str | None = None) -> None:
    place = {"channel": channel, "ts": ts} if channel else {}
    workspace.act("shortcut", user=user, callback_id=name, **place)


def opened_view(workspace: Workspace) -> dict[str, Any]:
    wait_until(lambda: bool(workspace.ledger("call", "views.open")))
    (call,) = workspace.ledger("call", "views.open")
    assert call["status"] == "ok", call
    view: dict[str, Any] = call["response"]["view"]
    return view


def submit(workspace: Workspace, user: str, view: dict[str, Any], **values: str) -> None:
    state = {name: {name: {"type": "plain_text_input", "value": value}} for name, value in values.items()}
    workspace.act("view_submit", user=user, view_id=view["id"], values=state)


def test_a_colleague_s_message_is_answered_in_its_thread_once(workspace: Workspace, start_bot: StartBot) -> None:
    """S1: Answer this."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(CHLOE, HELP, "who gives out badges")
    use(workspace, BEN, "answer_this", HELP, ts)
    assert "who gives out badges" in workspace.answers(HELP, ts)[0]
    wait_for_reply(workspace, words.SHORTCUT_ANSWERING)
    use(workspace, ADA, "answer_this", HELP, ts)
    wait_for_reply(workspace, words.SHORTCUT_KNOWN)
    assert len(answering.asked) == 1


def test_what_a_bot_said_is_no_question(workspace: Workspace, start_bot: StartBot) -> None:
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} who gives out badges?")
    workspace.answers(HELP, ts)
    (message,) = workspace.bot_messages(HELP, ts)
    use(workspace, BEN, "answer_this", HELP, message["ts"])
    wait_for_reply(workspace, words.SHORTCUT_BOTS)
    assert len(answering.asked) == 1


def test_what_was_asked_for_is_not_lost_while_slack_is_silent(workspace: Workspace, start_bot: StartBot) -> None:
    """M1: also commands and shortcuts."""
    answering = ScriptedAnswering()
    start_bot(answering)
    use(workspace, ADA, "ask_lorekeeper")
    view = opened_view(workspace)
    workspace.act("faults", error={"chat.postMessage": "internal_error"})
    submit(workspace, ADA, view, question="who gives out badges?")
    wait_until(lambda: bool(workspace.ledger("call", "chat.postMessage")))
    workspace.act("faults", clear=True)
    wait_until(lambda: len(answering.asked) == 1)


def test_where_the_bot_is_not_the_answer_to_a_message_is_for_the_asker_alone(
    workspace: Workspace, start_bot: StartBot
) -> None:
    """S1, M6."""
    answering = ScriptedAnswering()
    start_bot(answering)
    channel = workspace.act("create_channel", user=ADA, name="no-bot-in-here", private=True)["channel"]["id"]
    ts = workspace.say(ADA, channel, "who gives out badges?")
    use(workspace, ADA, "answer_this", channel, ts)
    wait_for_reply(workspace, words.COMMAND_ASKING_DIRECTLY)
    wait_until(lambda: len(answering.asked) == 1)
    root = workspace.ledger("call", "chat.postMessage")[0]
    workspace.answers(ADAS_DM, root["response"]["ts"])


def test_a_thread_is_summed_up_for_who_asked_alone(workspace: Workspace, start_bot: StartBot) -> None:
    """S1: Summarise this thread; nobody is pinged and nobody else sees it."""
    generator = ScriptedGenerator("Ben said the printer is broken. Ada bought a <!channel> rocket.")
    start_bot(ScriptedAnswering(), Equipment(generator=generator))
    ts = workspace.say(BEN, HELP, "the printer is broken")
    last = workspace.say(ADA, HELP, "@ben support comes on Tuesday <!channel>", thread_ts=ts)
    use(workspace, CHLOE, "summarise_thread", HELP, last)
    wait_for_reply(workspace, "Ben said the printer is broken.")
    (said,) = replies(workspace)
    assert "rocket" not in said
    assert workspace.bot_messages(HELP, ts) == []
    assert "ada: @ben support comes on Tuesday" in generator.calls[0][-1].content


def test_without_a_model_the_thread_speaks_itself(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, "the printer is broken")
    workspace.say(ADA, HELP, "support comes on Tuesday <https://evil.example|here>", thread_ts=ts)
    use(workspace, CHLOE, "summarise_thread", HELP, ts)
    wait_for_reply(workspace, words.SUMMARY_QUOTES_TITLE)
    assert "https://evil.example" not in replies(workspace)[0]


def test_a_thread_is_not_read_for_a_guest(workspace: Workspace, start_bot: StartBot) -> None:
    """M14."""
    start_bot(ScriptedAnswering())
    guest = workspace.act("create_person", name="Gus Guest", guest="multi")["user"]["id"]
    workspace.act("invite", user=ADA, channel=HELP, invitee=guest)
    ts = workspace.say(BEN, HELP, "the printer is broken")
    use(workspace, guest, "summarise_thread", HELP, ts)
    wait_until(lambda: len(replies(workspace)) == 1)
    assert "printer" not in replies(workspace)[0]
    assert workspace.ledger("call", "conversations.replies") == []


def test_a_message_is_suggested_as_knowledge_with_its_readers(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S1: Save as knowledge."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(ADA, LEADS, "Badges are issued by Maria.\nAt the front desk.")
    use(workspace, ADA, "save_as_knowledge", LEADS, ts)
    view = opened_view(workspace)
    elements = {block["block_id"]: block["element"] for block in view["blocks"]}
    assert elements.pop("readers")["initial_option"]["value"] == f"channel:{LEADS}"
    prefilled = {name: element["initial_value"] for name, element in elements.items()}
    assert prefilled == {
        "title": "Badges are issued by Maria.",
        "text": "Badges are issued by Maria.\nAt the front desk.",
    }
    assert json.loads(view["private_metadata"])["channel"] == LEADS
    submit(workspace, ADA, view, title="Badges", text="Badges come from Maria.")
    wait_for_reply(workspace, words.SAVE_DONE.format(title="Badges"))
    with reading(engine) as connection:
        (note,) = connection.execute(sa.select(tables.saved_note)).all()
    assert (note.title, note.text, note.user, note.state) == ("Badges", "Badges come from Maria.", ADA, "pending")
    assert note.audience == f"channel:{LEADS}"
    assert note.permalink.endswith(f"/archives/{LEADS}/p{ts.replace('.', '')}")


def test_a_note_that_an_admin_decided_about_stays_as_it_is(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(ADA, HELP, "Badges are issued by Maria.")
    for title, reply in (("One", "One"), ("Two", "Two"), ("Three", words.SAVE_KNOWN)):
        workspace.act("clear_traffic")
        use(workspace, ADA, "save_as_knowledge", HELP, ts)
        submit(workspace, ADA, opened_view(workspace), title=title, text="Badges come from Maria.")
        wait_for_reply(workspace, reply)
        if title == "Two":
            with writing(engine) as connection:
                connection.execute(sa.update(tables.saved_note).values(state="approved"))
    with reading(engine) as connection:
        (note,) = connection.execute(sa.select(tables.saved_note)).all()
    assert (note.title, note.audience) == ("Two", "everyone")


def test_a_question_from_anywhere_is_answered_in_a_direct_message(workspace: Workspace, start_bot: StartBot) -> None:
    """S1: the global shortcut."""
    answering = ScriptedAnswering()
    start_bot(answering)
    use(workspace, ADA, "ask_lorekeeper")
    submit(workspace, ADA, opened_view(workspace), question="who gives out badges?")
    wait_until(lambda: len(answering.asked) == 1)
    root = workspace.ledger("call", "chat.postMessage")[0]
    assert "You asked: who gives out badges?" in root["request"]["text"]
    workspace.answers(ADAS_DM, root["response"]["ts"])
    workspace.say(ADA, ADAS_DM, "and who takes them back?", thread_ts=root["response"]["ts"])
    wait_until(lambda: len(answering.asked) == 2)
    assert answering.asked[1].history[0].text == "who gives out badges?"


def test_an_answer_to_a_mention_needs_no_shortcut(workspace: Workspace, start_bot: StartBot) -> None:
    """M2: one message, one answer, whichever way it was asked for."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} who gives out badges?")
    workspace.answers(HELP, ts)
    use(workspace, BEN, "answer_this", HELP, ts)
    wait_for_reply(workspace, words.SHORTCUT_KNOWN)
    assert len(answering.asked) == 1
