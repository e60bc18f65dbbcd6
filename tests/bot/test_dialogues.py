"""Dialogues with the whole bot over Socket Mode: real Bolt, real rows, a local workspace that speaks Slack."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.errors import QuestionError, SlackSetupError
from bot.inbox import Inbox, Received
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from knowledge.audience import Audience, channel_audience, person_audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.secret import Secret
from models.errors import ModelProcessDiedError
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    GENERAL,
    HELP,
    LEADS,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)


@pytest.fixture(params=[True, False], ids=["streaming", "plain"])
def workspace(playground: PlaygroundProcess, request: pytest.FixtureRequest) -> Workspace:
    """A workspace with all that Slack has, and one without streaming and agents: the same dialogues, told otherwise."""
    workspace = Workspace(playground)
    workspace.begin(streaming=request.param, agent=request.param)
    return workspace


def posts(workspace: Workspace) -> int:
    return len(workspace.ledger("call", "chat.postMessage")) + len(workspace.ledger("call", "chat.startStream"))


def rows(engine: sa.Engine, column: sa.Column[Any]) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(column)))


def test_a_mention_in_a_channel_is_answered_once_in_its_thread(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M1, M2."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} how do I ask?")
    (text,) = workspace.answers(HELP, ts)
    assert "You asked: how do I ask?" in text
    # A mention arrives as two events; both were there before this is counted.
    wait_until(lambda: {"message", "app_mention"} <= {entry["name"] for entry in workspace.ledger("event")})
    assert [question.text for question in answering.asked] == ["how do I ask?"]
    assert posts(workspace) == 1
    assert answering.audiences == [Audience.of_channel(HELP)]
    wait_until(lambda: rows(engine, tables.inbox.c.state) == ["done"])
    assert rows(engine, tables.answer.c.state) == ["final_sent"]
    assert sorted(rows(engine, tables.turn.c.role)) == ["assistant", "user"]


def test_a_citation_is_a_link_and_the_message_unfurls_nothing(workspace: Workspace, start_bot: StartBot) -> None:
    """M5, M12."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} where?")
    workspace.answers(HELP, ts)
    (message,) = workspace.bot_messages(HELP, ts)
    assert "https://docs.example/guide.md" in repr(message["blocks"])
    (post,) = workspace.ledger("call", "chat.postMessage")
    assert (post["request"]["unfurl_links"], post["request"]["unfurl_media"]) == (False, False)


def test_every_call_uses_only_arguments_that_slack_knows(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(ADA, ADAS_DM, "hello")
    workspace.answers(ADAS_DM, ts)
    calls = workspace.ledger("call")
    assert [(call["name"], call["unknown_arguments"]) for call in calls if call["unknown_arguments"]] == []
    refused = [(call["name"], call["status"]) for call in calls if call["status"] != "ok"]
    # What a workspace does not have is tried once and then left alone.
    unsupported = {("assistant.threads.setStatus", "access_denied"), ("agents.sessions.setStatus", "feature_disabled")}
    assert len(set(refused)) == len(refused)
    assert set(refused) <= unsupported


def test_a_direct_message_draws_on_what_that_person_may_read(workspace: Workspace, start_bot: StartBot) -> None:
    """M6."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(ADA, ADAS_DM, "what do the leads plan?")
    workspace.answers(ADAS_DM, ts)
    (audience,) = answering.audiences
    assert audience.may_read(person_audience(ADA))
    assert audience.may_read(channel_audience(LEADS))
    assert not audience.may_read(person_audience(BEN))


def test_where_slack_does_not_say_who_is_where_only_public_documents_count(
    workspace: Workspace, start_bot: StartBot
) -> None:
    """M6."""
    answering = ScriptedAnswering()
    start_bot(answering)
    workspace.act("faults", error={"users.conversations": "access_denied"})
    ts = workspace.say(ADA, ADAS_DM, "what do the leads plan?")
    workspace.answers(ADAS_DM, ts)
    assert answering.audiences == [Audience.of_person(ADA)]


def test_a_channel_shared_with_another_organisation_gets_a_refusal(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M14."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, "hello")
    payload: dict[str, Any] = {
        "team": "T1",
        "channel": HELP,
        "channel_kind": "public",
        "user": BEN,
        "ts": ts,
        "thread_ts": None,
    }
    payload |= {"text": "hello", "mentioned": True, "external": True}
    Inbox(engine).put(Received(event_id="Ev1", kind="question", team="T1", channel=HELP, ts=ts, payload=payload))
    assert "another organisation" in workspace.answers(HELP, ts)[0]
    assert answering.asked == []


def test_the_asker_goes_on_without_a_mention_and_others_are_left_alone(
    workspace: Workspace, start_bot: StartBot
) -> None:
    """M3."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} who pays for lunch?")
    workspace.answers(HELP, ts)
    workspace.say(ADA, HELP, "I always wondered too", thread_ts=ts)
    workspace.say(BEN, HELP, "and for dinner?", thread_ts=ts)
    workspace.answers(HELP, ts, count=2)
    workspace.say(ADA, HELP, f"{BOT} and for breakfast?", thread_ts=ts)
    workspace.answers(HELP, ts, count=3)
    assert [question.text for question in answering.asked] == [
        "who pays for lunch?",
        "and for dinner?",
        "and for breakfast?",
    ]
    assert [turn.text for turn in answering.asked[1].history] == [
        "who pays for lunch?",
        "You asked: who pays for lunch? [1]",
    ]


def test_talk_between_people_is_not_answered_or_kept(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    workspace.say(BEN, GENERAL, "lunch?")
    ts = workspace.say(ADA, GENERAL, f"{BOT} hello")
    workspace.answers(GENERAL, ts)
    assert rows(engine, tables.turn.c.user) == [ADA, ADA]
    assert len(rows(engine, tables.inbox.c.id)) == 1


def test_stop_ends_an_answer_long_before_its_last_word(workspace: Workspace, start_bot: StartBot) -> None:
    """M9."""
    start_bot(ScriptedAnswering(reply=lambda *_: "word " * 500, seconds_per_word=0.05))
    ts = workspace.say(BEN, HELP, f"{BOT} tell me everything")
    wait_until(lambda: any("word" in message["text"] for message in workspace.bot_messages(HELP, ts)))
    workspace.say(BEN, HELP, "Stop.", thread_ts=ts)
    (text,) = workspace.answers(HELP, ts)
    # All of them would take 25 seconds.
    assert 0 < text.count("word") < 400
    (message,) = workspace.bot_messages(HELP, ts)
    assert "Stopped" in repr(message["blocks"])


def test_stop_straight_in_a_direct_message_ends_what_is_under_way_there(
    workspace: Workspace, start_bot: StartBot
) -> None:
    start_bot(ScriptedAnswering(reply=lambda *_: "word " * 500, seconds_per_word=0.05))
    ts = workspace.say(ADA, ADAS_DM, "tell me everything")
    wait_until(lambda: any("word" in message["text"] for message in workspace.bot_messages(ADAS_DM, ts)))
    workspace.say(ADA, ADAS_DM, "stop please")
    workspace.answers(ADAS_DM, ts)
    # All of them would take 25 seconds.
    said = "".join(message["text"] for message in workspace.bot_messages(ADAS_DM, ts))
    assert 0 < said.count("word") < 400


def test_a_question_that_waits_is_told_its_place_and_can_be_stopped(workspace: Workspace, start_bot: StartBot) -> None:
    """M8, M9."""
    answering = ScriptedAnswering(reply=lambda *_: "word " * 400, seconds_per_word=0.05)
    start_bot(answering, workers=1)
    first = workspace.say(BEN, HELP, f"{BOT} first")
    wait_until(lambda: len(answering.asked) == 1)
    second = workspace.say(ADA, HELP, f"{BOT} second")
    wait_until(lambda: any("1 question ahead" in text for text in told(workspace, ADA, second)))
    stop = workspace.say(ADA, HELP, "stop", thread_ts=second)
    # Two lines to Slack have no order between them: the second question is gone once its stop is acknowledged.
    wait_until(lambda: is_acknowledged(workspace, stop))
    workspace.say(BEN, HELP, "stop", thread_ts=first)
    workspace.answers(HELP, first)
    assert workspace.bot_messages(HELP, second) == []
    assert len(answering.asked) == 1


def is_acknowledged(workspace: Workspace, ts: str, *, edit: bool = False) -> bool:
    """Whether the bot has confirmed all events of a message, or of its edit: they have taken effect then."""
    envelopes = set()
    for entry in workspace.ledger("event"):
        event = entry["request"].get("payload", {}).get("event", {})
        of_edit = event.get("subtype") == "message_changed"
        if of_edit == edit and ts == (event["message"]["ts"] if of_edit else event.get("ts")):
            envelopes.add(entry["request"]["envelope_id"])
    return bool(envelopes) and envelopes <= {entry["request"]["envelope_id"] for entry in workspace.ledger("ack")}


def told(workspace: Workspace, user: str, thread_ts: str) -> list[str]:
    """What a person who waits was told: below the thread, or where there is no such place, in a word to them alone."""
    calls = workspace.ledger("call", "assistant.threads.setStatus")
    shown = [call["request"]["status"] for call in calls if call["request"]["thread_ts"] == thread_ts]
    return [*shown, *workspace.whispers(user)]


def test_events_that_slack_delivers_twice_are_answered_once(workspace: Workspace, start_bot: StartBot) -> None:
    """M2."""
    answering = ScriptedAnswering()
    start_bot(answering)
    workspace.act("faults", duplicates=4)
    ts = workspace.say(BEN, HELP, f"{BOT} twice?")
    workspace.answers(HELP, ts)
    time.sleep(0.5)
    assert (len(answering.asked), posts(workspace)) == (1, 1)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_post_whose_reply_was_lost_is_seen_once(workspace: Workspace, start_bot: StartBot, lost: int) -> None:
    start_bot(ScriptedAnswering())
    workspace.act("faults", lost_replies={"chat.postMessage": lost, "chat.update": 1})
    ts = workspace.say(BEN, HELP, f"{BOT} are you there?")
    assert len(workspace.answers(HELP, ts)) == 1
    assert posts(workspace) == 1


def test_nothing_is_sent_before_slack_allows_it_again(workspace: Workspace, start_bot: StartBot) -> None:
    """M16."""
    workspace.act("features", streaming=False)
    start_bot(ScriptedAnswering(reply=lambda *_: "word " * 20, seconds_per_word=0.05))
    workspace.act("faults", rate_limit={"chat.update": {"after_calls": 1, "retry_after": 2}})
    ts = workspace.say(BEN, HELP, f"{BOT} slowly")
    workspace.answers(HELP, ts)
    updates = workspace.ledger("call", "chat.update")
    assert [call["status"] for call in updates].count("ratelimited") == 1
    limited = next(call for call in updates if call["status"] == "ratelimited")
    assert all(call["time"] >= limited["time"] + 2 for call in updates if call["id"] > limited["id"])


def test_updates_keep_their_distance(workspace: Workspace, start_bot: StartBot) -> None:
    workspace.act("features", streaming=False)
    start_bot(ScriptedAnswering(reply=lambda *_: "word " * 60, seconds_per_word=0.02), update_seconds=0.4)
    ts = workspace.say(BEN, HELP, f"{BOT} steadily")
    workspace.answers(HELP, ts)
    times = [call["time"] for call in workspace.ledger("call", "chat.update")][:-1]
    assert len(times) > 1
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.35


def test_a_question_deleted_while_it_is_answered_leaves_nothing_behind(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering(reply=lambda *_: "word " * 200, seconds_per_word=0.05))
    workspace.say(BEN, HELP, "a thread")
    thread = workspace.say(BEN, HELP, "about nothing")
    ts = workspace.say(BEN, HELP, f"{BOT} oh, never mind", thread_ts=thread)
    wait_until(lambda: workspace.bot_messages(HELP, thread) != [])
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait_until(lambda: workspace.bot_messages(HELP, thread) == [])
    wait_until(lambda: rows(engine, tables.inbox.c.state) == ["dropped"])
    assert rows(engine, tables.turn.c.id) == []


def test_a_question_edited_while_it_waits_is_answered_as_it_reads_now(
    workspace: Workspace, start_bot: StartBot
) -> None:
    go_on = threading.Event()
    answering = ScriptedAnswering(reply=lambda question, _: question.text if go_on.wait(10) else "")
    start_bot(answering, workers=1)
    workspace.say(ADA, HELP, f"{BOT} first")
    wait_until(lambda: len(answering.asked) == 1)
    ts = workspace.say(BEN, HELP, f"{BOT} lunhc?")
    wait_until(lambda: is_acknowledged(workspace, ts))
    workspace.act("edit", user=BEN, channel=HELP, ts=ts, text=f"{BOT} lunch?")
    wait_until(lambda: is_acknowledged(workspace, ts, edit=True))
    go_on.set()
    workspace.answers(HELP, ts)
    assert [question.text for question in answering.asked] == ["first", "lunch?"]


def test_a_model_that_died_once_is_tried_again(workspace: Workspace, start_bot: StartBot) -> None:
    tries = iter([ModelProcessDiedError("child 7 ended with signal 6"), None])

    def reply(question: Question, _audience: Audience) -> str:
        if (error := next(tries)) is not None:
            raise error
        return question.text

    start_bot(ScriptedAnswering(reply=reply))
    ts = workspace.say(BEN, HELP, f"{BOT} still there?")
    assert "still there?" in workspace.answers(HELP, ts)[0]


@pytest.mark.parametrize("error", [ModelProcessDiedError("/models/x.gguf: signal 6"), ZeroDivisionError("secret")])
def test_a_failure_is_an_honest_sentence_with_a_reference(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, error: Exception
) -> None:
    """M8."""

    def reply(_question: Question, _audience: Audience) -> str:
        raise error

    start_bot(ScriptedAnswering(reply=reply))
    ts = workspace.say(BEN, HELP, f"{BOT} does it work?")
    (text,) = workspace.answers(HELP, ts)
    assert str(error) not in text
    wait_until(lambda: rows(engine, tables.answer.c.state) == ["final_sent"])
    (kept,) = rows(engine, tables.answer.c.error)
    assert kept.split()[0] in text
    assert rows(engine, tables.turn.c.role) == ["user"]


def test_a_question_that_cannot_be_answered_as_it_stands_gets_the_reason(
    workspace: Workspace, start_bot: StartBot
) -> None:
    def reply(_question: Question, _audience: Audience) -> str:
        raise QuestionError("What would you like to know?")

    start_bot(ScriptedAnswering(reply=reply))
    ts = workspace.say(BEN, HELP, BOT)
    assert workspace.answers(HELP, ts) == ["What would you like to know?"]


def test_a_very_long_answer_goes_on_in_further_messages_each_posted_once(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M11."""
    start_bot(ScriptedAnswering(reply=lambda *_: "A sentence of some length, said once more. " * 500))
    workspace.act("faults", lost_replies={"chat.postMessage": 2})
    ts = workspace.say(BEN, HELP, f"{BOT} at length")
    workspace.answers(HELP, ts)
    wait_until(lambda: rows(engine, tables.inbox.c.state) == ["done"], 30)
    messages = workspace.bot_messages(HELP, ts)
    parts = [message["metadata"]["event_payload"]["part"] for message in messages]
    assert parts == list(range(len(parts)))
    assert len(parts) > 1


def test_an_event_that_could_not_be_kept_is_not_acknowledged_and_comes_again(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M1."""
    answering = ScriptedAnswering()
    start_bot(answering)
    rename(engine, "inbox", "inbox_away")
    ts = workspace.say(BEN, HELP, f"{BOT} can you hear me?")
    time.sleep(0.5)
    rename(engine, "inbox_away", "inbox")
    workspace.answers(HELP, ts, seconds=30)
    assert len(answering.asked) == 1


def rename(engine: sa.Engine, name: str, new_name: str) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {new_name}")


def test_a_bot_that_is_stopped_puts_its_question_back_and_the_next_one_answers(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    first = start_bot(ScriptedAnswering(reply=lambda *_: "word " * 500, seconds_per_word=0.05))
    ts = workspace.say(BEN, HELP, f"{BOT} tell me")
    wait_until(lambda: any("word" in message["text"] for message in workspace.bot_messages(HELP, ts)))
    began = time.monotonic()
    first.stop()
    assert time.monotonic() - began < 5
    assert rows(engine, tables.inbox.c.state) == ["waiting"]
    start_bot(ScriptedAnswering())
    (text,) = workspace.answers(HELP, ts)
    assert "You asked: tell me" in text
    assert posts(workspace) == 1


def test_the_connection_comes_back_after_slack_cut_it(workspace: Workspace, start_bot: StartBot) -> None:
    """M16."""
    start_bot(ScriptedAnswering())
    workspace.act("faults", disconnect="abrupt")
    ts = workspace.say(BEN, HELP, f"{BOT} still there?")
    workspace.answers(HELP, ts, seconds=30)
    assert posts(workspace) == 1


def test_a_reaction_is_a_vote_with_a_receipt_and_can_be_taken_back(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M13."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} good?")
    workspace.answers(HELP, ts)
    (message,) = workspace.bot_messages(HELP, ts)
    place = {"user": ADA, "channel": HELP, "ts": message["ts"], "name": "+1"}
    workspace.act("react", **place, add=True)
    wait_until(lambda: len(workspace.whispers(ADA)) == 1)
    assert rows(engine, tables.feedback.c.vote) == [1]
    workspace.act("react", **place, add=False)
    wait_until(lambda: len(workspace.whispers(ADA)) == 2)
    assert None not in rows(engine, tables.feedback.c.removed_at)


def test_a_press_on_the_button_shows_a_receipt_on_the_answer(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} good?")
    workspace.answers(HELP, ts)
    press(workspace, ts, "positive_button")
    wait_until(lambda: "Thanks" in repr(workspace.bot_messages(HELP, ts)))
    assert rows(engine, tables.feedback.c.vote) == [1]


def test_thumbs_down_asks_for_the_reason_and_keeps_it(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M13."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} bad?")
    workspace.answers(HELP, ts)
    press(workspace, ts, "negative_button")
    wait_until(lambda: workspace.ledger("call", "views.open") != [])
    view_id = workspace.ledger("call", "views.open")[-1]["response"]["view"]["id"]
    values = {
        "reason": {"reason": {"type": "radio_buttons", "selected_option": {"value": "outdated"}}},
        "correction": {"correction": {"type": "plain_text_input", "value": "It is now 7."}},
    }
    workspace.act("view_submit", user=BEN, view_id=view_id, values=values)
    wait_until(lambda: rows(engine, tables.feedback.c.reason) == ["outdated"])
    assert rows(engine, tables.feedback.c.correction) == ["It is now 7."]
    wait_until(lambda: len(workspace.whispers(BEN)) == 1)


def press(workspace: Workspace, thread_ts: str, button: str) -> None:
    (message,) = workspace.bot_messages(HELP, thread_ts)
    block = next(block for block in message["blocks"] if block["type"] == "context_actions")
    element = block["elements"][0]
    action = {
        "type": "feedback_buttons",
        "block_id": block["block_id"],
        "action_id": element["action_id"],
        "value": element[button]["value"],
    }
    container = {"type": "message", "channel": HELP, "ts": message["ts"]}
    workspace.act("block_action", user=BEN, container=container, action=action)


@pytest.mark.parametrize(("token", "name"), [("bot_token", "SLACK_BOT_TOKEN"), ("app_token", "SLACK_APP_TOKEN")])
def test_a_bad_token_is_named_at_once(playground: PlaygroundProcess, engine: sa.Engine, token: str, name: str) -> None:
    slack = options(playground, **{token: Secret("xoxb-wrong")})
    with pytest.raises(SlackSetupError, match=name):
        SlackBot(engine, ScriptedAnswering(), slack, link=link, version=lambda: "scripted-1").start()


def test_a_slack_that_is_not_there_is_named(playground: PlaygroundProcess, engine: sa.Engine) -> None:
    slack = options(playground, api_url="http://127.0.0.1:9/api/", connect_seconds=0.5)
    with pytest.raises(SlackSetupError, match=r"http://127\.0\.0\.1:9/api/"):
        SlackBot(engine, ScriptedAnswering(), slack, link=link, version=lambda: "scripted-1").start()


def test_the_home_page_is_there_when_somebody_looks(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    workspace.act("open_home", user=ADA, tab="home")
    wait_until(lambda: workspace.ledger("call", "views.publish") != [])
    (call,) = workspace.ledger("call", "views.publish")
    assert call["status"] == "ok"
    assert "scripted-1" in repr(call["request"]["view"])
