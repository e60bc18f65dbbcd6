"""Answers that grow in Slack's own stream, whatever happens to it: every dialogue ends with one complete message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    HELP,
    LONG,
    ScriptedAnswering,
    Workspace,
    is_finished,
    link,
    options,
    wait_until,
)

SLOW = "word " * 60 + "end"


@pytest.fixture
def workspace(playground: PlaygroundProcess) -> Workspace:
    workspace = Workspace(playground)
    workspace.begin(streaming=True, agent=True, feedback_buttons=True)
    return workspace


@pytest.fixture
def ask(playground: PlaygroundProcess, engine: sa.Engine, workspace: Workspace) -> Iterator[Any]:
    """Asks a question of a bot that answers with this text, and gives the one message that stands at the end."""
    bots: list[SlackBot] = []

    def ask(
        text: str,
        *,
        seconds_per_word: float = 0.04,
        finished: Callable[[dict[str, Any]], bool] = is_finished,
        **changes: Any,
    ) -> dict[str, Any]:
        answering = ScriptedAnswering(reply=lambda *_: text, seconds_per_word=seconds_per_word)
        changed = options(playground, **changes)
        bot = SlackBot(engine, answering, changed, link=link, version=lambda: "scripted-1")
        bots.append(bot)
        bot.start()
        ts = workspace.say(BEN, HELP, f"{BOT} tell me")
        wait_until(lambda: any(map(finished, workspace.bot_messages(HELP, ts))), 30)
        wait_until(lambda: "" in statuses(workspace, ts), 30)
        (message,) = workspace.bot_messages(HELP, ts)
        return message

    yield ask
    for bot in bots:
        bot.stop()


def statuses(workspace: Workspace, thread_ts: str) -> list[str]:
    calls = workspace.ledger("call", "assistant.threads.setStatus")
    return [call["request"]["status"] for call in calls if call["request"]["thread_ts"] == thread_ts]


def calls(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    return workspace.ledger("call", name)


def words_of(message: dict[str, Any]) -> str:
    """All that a reader sees."""
    return repr([message["text"], message["blocks"]])


def test_an_answer_grows_in_one_stream_and_needs_no_update_at_its_end(workspace: Workspace, ask: Any) -> None:
    """M7: opened at the first text, appended, ended with sources and feedback below it."""
    message = ask(SLOW)
    (start,) = calls(workspace, "chat.startStream")
    assert start["request"]["recipient_user_id"] == BEN
    assert start["request"]["recipient_team_id"]
    assert len(calls(workspace, "chat.appendStream")) > 1
    assert calls(workspace, "chat.postMessage") == calls(workspace, "chat.update") == []
    assert message["text"].strip() == SLOW
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds[0] == "markdown"
    assert {"context", "context_actions"} <= set(kinds)
    assert message["metadata"]["event_payload"]["part"] == 0


def test_a_direct_message_streams_without_naming_a_recipient(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    answering = ScriptedAnswering(reply=lambda *_: SLOW, seconds_per_word=0.02)
    with SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1"):
        ts = workspace.say(ADA, ADAS_DM, "tell me")
        workspace.answers(ADAS_DM, ts)
    (start,) = calls(workspace, "chat.startStream")
    assert "recipient_user_id" not in start["request"]


def test_every_call_of_a_stream_uses_only_what_slack_knows(workspace: Workspace, ask: Any) -> None:
    ask(SLOW)
    made = workspace.ledger("call")
    assert [(call["name"], call["unknown_arguments"]) for call in made if call["unknown_arguments"]] == []
    assert [(call["name"], call["response"]) for call in made if call["status"] != "ok"] == []


def test_what_the_model_makes_of_links_and_mentions_is_inert_in_the_stream_too(workspace: Workspace, ask: Any) -> None:
    """M12: what goes out is broken, and the finished message takes its place."""
    message = ask("look at [this](https://evil.example/x) <!channel> now " + SLOW)
    sent = "".join(
        call["request"].get("markdown_text", "")
        for name in ("chat.startStream", "chat.appendStream", "chat.stopStream")
        for call in calls(workspace, name)
    )
    assert "https:" not in sent
    assert "<!" not in sent
    assert "](" not in sent
    assert "this" in words_of(message)
    assert len(calls(workspace, "chat.update")) == 1


def test_appends_keep_their_distance(workspace: Workspace, ask: Any) -> None:
    ask(SLOW, stream_seconds=0.8)
    times = [call["time"] for call in calls(workspace, "chat.appendStream")]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.75


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_reply_leaves_one_complete_message(workspace: Workspace, ask: Any, method: str, lost: int) -> None:
    """M1, M7: nobody knows whether the call happened; the message is whole in either case."""
    workspace.act("faults", lost_replies={method: lost})
    message = ask(SLOW)
    assert "word end" in words_of(message)
    assert len(calls(workspace, "chat.startStream")) == 1


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
def test_a_rate_limit_is_kept_and_nothing_is_lost(workspace: Workspace, ask: Any, method: str) -> None:
    """M16: no call before Retry-After is over."""
    workspace.act("faults", rate_limit={method: {"after_calls": 0, "retry_after": 1}})
    message = ask(SLOW)
    assert "word end" in words_of(message)
    made = calls(workspace, method)
    limited = next(call for call in made if call["status"] == "ratelimited")
    assert all(call["time"] >= limited["time"] + 1 for call in made if call["id"] > limited["id"])


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("chat.startStream", "channel_type_not_supported"),
        ("chat.appendStream", "message_not_in_streaming_state"),
        ("chat.appendStream", "msg_blocks_too_long"),
        ("chat.stopStream", "message_not_in_streaming_state"),
    ],
)
def test_a_refusal_on_the_way_ends_in_a_complete_message(
    workspace: Workspace, ask: Any, method: str, code: str
) -> None:
    workspace.act("faults", error={method: {"code": code, "count": 1}})
    message = ask(SLOW)
    assert "word end" in words_of(message)


def test_a_stream_that_slack_ended_goes_on_by_updates(workspace: Workspace, ask: Any) -> None:
    """M7: five minutes are five seconds here, and the bot does not roll over in time."""
    message = ask("word " * 130 + "end", seconds_per_word=0.05, roll_seconds=1000.0)
    assert "message_not_in_streaming_state" in [call["status"] for call in calls(workspace, "chat.appendStream")]
    assert "word end" in words_of(message)


def test_a_long_answer_rolls_over_before_its_stream_ends_and_is_one_message_again_at_the_end(
    workspace: Workspace, ask: Any
) -> None:
    """M7: five minutes are five seconds here."""
    text = "```py\n" + "x = 1\n" * 130 + "```\nend"
    message = ask(text.replace("\n", "\n "), seconds_per_word=0.02, roll_seconds=3.0)
    starts = calls(workspace, "chat.startStream")
    assert len(starts) > 1
    assert [call["status"] for call in calls(workspace, "chat.appendStream") if call["status"] != "ok"] == []
    assert starts[1]["request"]["markdown_text"].startswith("```py\n")
    first = calls(workspace, "chat.stopStream")[0]["request"]["markdown_text"]
    assert first.endswith("```")
    assert "end" in words_of(message)


def test_a_long_text_streams_over_several_messages(workspace: Workspace, engine: sa.Engine, playground: Any) -> None:
    answering = ScriptedAnswering(reply=lambda *_: LONG, seconds_per_word=0.0005)
    with SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1"):
        ts = workspace.say(BEN, HELP, f"{BOT} at length")
        wait_until(lambda: "" in statuses(workspace, ts), 30)
        messages = workspace.bot_messages(HELP, ts)
    assert [message["metadata"]["event_payload"]["part"] for message in messages] == [0, 1]
    assert "context_actions" in [block["type"] for block in messages[0]["blocks"]]


def test_a_workspace_without_streaming_is_asked_once_and_then_left_alone(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    workspace.act("features", streaming=False)
    answering = ScriptedAnswering(reply=lambda *_: SLOW, seconds_per_word=0.01)
    with SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1"):
        for _ in range(2):
            ts = workspace.say(BEN, HELP, f"{BOT} tell me")
            assert "word end" in workspace.answers(HELP, ts)[0]
    assert [call["status"] for call in calls(workspace, "chat.startStream")] == ["unknown_method"]


def test_the_stop_button_frees_the_model_long_before_the_last_word(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    """M9: Slack halts the stream itself and tells us."""
    ended = threading.Event()
    answering = ScriptedAnswering(reply=lambda *_: "word " * 400, seconds_per_word=0.05)
    with SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1"):
        ts = workspace.say(BEN, HELP, f"{BOT} tell me everything")
        wait_until(lambda: any("word" in message["text"] for message in workspace.bot_messages(HELP, ts)))
        assert sessions(workspace, ts) == ["processing"]
        workspace.act("stop_session", user=BEN, channel=HELP, thread_ts=ts)
        workspace.answers(HELP, ts)
        wait_until(lambda: sessions(workspace, ts) == ["processing", "active"])
        ended.set()
    (message,) = workspace.bot_messages(HELP, ts)
    assert "Stopped" in repr(message["blocks"])
    # All of them would take 20 seconds.
    assert 0 < message["text"].count("word") < 350


def sessions(workspace: Workspace, thread_ts: str) -> list[str]:
    made = calls(workspace, "agents.sessions.setStatus")
    return [call["request"]["status"] for call in made if call["request"]["thread_ts"] == thread_ts]


def test_a_question_that_waits_is_told_how_long_and_its_status_goes_when_it_is_stopped(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    """M8: nothing about time before there are measurements; then from them."""
    answering = ScriptedAnswering(reply=lambda *_: "word " * 400, seconds_per_word=0.05)
    with SlackBot(engine, answering, options(playground, workers=1), link=link, version=lambda: "scripted-1"):
        first = workspace.say(BEN, HELP, f"{BOT} first")
        wait_until(lambda: len(answering.asked) == 1)
        second = workspace.say(ADA, HELP, f"{BOT} second")
        wait_until(lambda: any("ahead" in text for text in statuses(workspace, second)))
        assert not any("minute" in text for text in statuses(workspace, second))
        wait_until(lambda: sessions(workspace, second) == ["processing"])
        workspace.act("stop_session", user=ADA, channel=HELP, thread_ts=second)
        wait_until(lambda: statuses(workspace, second)[-1] == "")
        wait_until(lambda: sessions(workspace, second) == ["processing", "closed"])
        workspace.say(BEN, HELP, "stop", thread_ts=first)
        workspace.answers(HELP, first)
    assert workspace.bot_messages(HELP, second) == []


def says_end(workspace: Workspace, ts: str) -> bool:
    return any("end" in message["text"] for message in workspace.bot_messages(HELP, ts))


def test_more_answers_at_once_than_streams_allowed_are_posted(
    workspace: Workspace, playground: PlaygroundProcess, engine: sa.Engine
) -> None:
    """M7: twenty streams may be opened in a minute; the other answers come by post and update."""
    answering = ScriptedAnswering(reply=lambda *_: "word word word word word end", seconds_per_word=0.1)
    with SlackBot(engine, answering, options(playground, workers=8), link=link, version=lambda: "scripted-1"):
        asked = [workspace.say(BEN, HELP, f"{BOT} question {number}") for number in range(20)]
        # What is posted and updated looks finished before its last words are there.
        for ts in asked:
            wait_until(partial(says_end, workspace, ts), 60)
    assert len(calls(workspace, "chat.startStream")) == 14
    assert {call["status"] for call in calls(workspace, "chat.startStream")} == {"ok"}


def test_where_slack_has_no_feedback_buttons_there_are_plain_ones(workspace: Workspace, ask: Any) -> None:
    """M13: streamed or not, every answer asks how it was."""
    workspace.act("features", feedback_buttons=False)
    bot_message = ask(SLOW, finished=lambda message: "answer_feedback_good" in repr(message["blocks"]))
    assert "word end" in words_of(bot_message)
