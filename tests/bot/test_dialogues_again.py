"""Answers that are made again in their place, and answers that not everybody sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.channels import ChannelSettings, save_channel
from bot.feedback import live_vote, record_vote
from bot.inbox import Inbox, Received
from bot.overview import votes_by_week
from bot.playground.process import PlaygroundProcess
from bot.turn import AnswerEvent, Done, Incoming, Purpose, Revision
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Question
from models.errors import ModelProcessDiedError
from tests.bot.dialogue import BEN, BOT, HELP, LONG, ScriptedAnswering, StartBot, Workspace, wait_until


@pytest.fixture
def workspace(playground: PlaygroundProcess) -> Workspace:
    workspace = Workspace(playground)
    workspace.begin(streaming=True, agent=True)
    return workspace


def rows(engine: sa.Engine, column: sa.Column[Any]) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(column)))


def is_done(engine: sa.Engine, count: int = 1) -> bool:
    """All work is finished, and there was as much."""
    states = rows(engine, tables.inbox.c.state)
    return len(states) >= count and set(states) <= {"done", "dropped"}


def wish(engine: sa.Engine, purpose: Purpose, text: str | None = None, event_id: str = "Wish1") -> None:
    """What the menu of an answer, or an edited question, puts into the inbox."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.answer)).one()
    Inbox(engine).put(
        Received(
            event_id=event_id,
            kind="revision",
            team=row.team,
            channel=row.channel,
            ts=row.question_ts,
            conversation=row.conversation,
            user=BEN,
            payload=asdict(Revision(answer_id=row.id, purpose=purpose, user=BEN, text=text)),
        )
    )


def asked_once(workspace: Workspace, engine: sa.Engine) -> str:
    ts = workspace.say(BEN, HELP, f"{BOT} how?")
    workspace.answers(HELP, ts)
    wait_until(lambda: is_done(engine))
    return ts


class Numbered(ScriptedAnswering):
    """Says another thing every time."""

    def __init__(self, *texts: str, seconds_per_word: float = 0.0) -> None:
        said = iter(texts)
        super().__init__(reply=lambda _q, _a: next(said), seconds_per_word=seconds_per_word)


@pytest.mark.parametrize(
    ("purpose", "length"), [("regenerate", "normal"), ("shorter", "short"), ("detail", "detailed")]
)
def test_an_answer_is_made_again_in_the_same_message(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, purpose: Purpose, length: str
) -> None:
    """S2: the earlier text is kept, and the answering turn is the new one."""
    answering = Numbered("the first [1]", "the second [1]")
    start_bot(answering)
    ts = asked_once(workspace, engine)
    (before,) = workspace.bot_messages(HELP, ts)
    wish(engine, purpose)
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert message["ts"] == before["ts"]
    assert "the second" in message["text"]
    assert "context_actions" in [block["type"] for block in message["blocks"]]
    assert answering.briefs[1].replaces == "the first [1]"
    assert answering.briefs[1].style.length == length
    assert rows(engine, tables.answer_revision.c.text) == ["the first [1]"]
    assert rows(engine, tables.answer.c.revision) == [1]
    assert sorted(rows(engine, tables.turn.c.text)) == ["how?", "the second [1]"]
    assert rows(engine, tables.signal.c.kind) == (["asked_again"] if purpose == "regenerate" else [])
    assert rows(engine, tables.tombstone.c.subject) == []


def test_a_vote_ends_with_the_text_that_it_was_about(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M13."""
    start_bot(Numbered("the first [1]", "the second [1]"))
    ts = asked_once(workspace, engine)
    (answer_id,) = rows(engine, tables.answer.c.id)
    record_vote(engine, answer_id, BEN, -1, "button")
    wish(engine, "regenerate")
    wait_until(lambda: "the second" in workspace.bot_messages(HELP, ts)[0]["text"])
    assert live_vote(engine, answer_id, BEN) is None
    today = datetime.now(UTC).date()
    assert sum(week.bad for week in votes_by_week(engine, "T0PLAYGROUND", today)) == 1


def test_an_edited_question_is_answered_as_it_reads_now(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """N1."""
    answering = ScriptedAnswering(reply=lambda question, _: f"You asked: {question.text} [1]")
    start_bot(answering)
    ts = asked_once(workspace, engine)
    workspace.act("edit", user=BEN, channel=HELP, ts=ts, text=f"{BOT} when?")
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert "You asked: when?" in message["text"]
    assert answering.briefs[1].replaces == ""
    assert sorted(rows(engine, tables.turn.c.text)) == ["You asked: when? [1]", "when?"]
    assert rows(engine, tables.answer_revision.c.question) == ["how?"]
    assert rows(engine, tables.tombstone.c.reason) == ["edited"]


def test_a_shorter_answer_takes_the_further_messages_of_the_long_one_away(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(Numbered(LONG, "short now"))
    ts = asked_once(workspace, engine)
    assert len(workspace.bot_messages(HELP, ts)) == 2
    wish(engine, "shorter")
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert "short now" in message["text"]
    assert rows(engine, tables.answer_part.c.part) == []


def test_a_longer_answer_gets_further_messages(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(Numbered("short", LONG))
    ts = asked_once(workspace, engine)
    wish(engine, "detail")
    wait_until(lambda: is_done(engine, 2))
    assert len(workspace.bot_messages(HELP, ts)) == 2


def test_a_wish_that_is_stopped_puts_the_answer_back(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(Numbered("the first [1]", "word " * 400, seconds_per_word=0.05))
    ts = asked_once(workspace, engine)
    wish(engine, "regenerate")
    wait_until(lambda: "word word" in workspace.bot_messages(HELP, ts)[0]["text"])
    workspace.say(BEN, HELP, "stop", thread_ts=ts)
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert "the first" in message["text"]
    assert rows(engine, tables.answer.c.text) == ["the first [1]"]
    assert rows(engine, tables.answer_revision.c.text) == []


def test_a_wish_that_fails_puts_the_answer_back_and_says_so_to_who_wished(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    tries = iter(["the first [1]"])

    def reply(_question: Question, _audience: Audience) -> str:
        text = next(tries, None)
        if text is None:
            raise ModelProcessDiedError("child 7 ended with signal 6")
        return text

    start_bot(ScriptedAnswering(reply=reply))
    ts = asked_once(workspace, engine)
    wish(engine, "detail")
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert "the first" in message["text"]
    wait_until(lambda: any("Reference" in text for text in workspace.whispers(BEN)))


def test_a_question_deleted_while_its_answer_is_made_again_leaves_nothing(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M15."""
    start_bot(Numbered("the first [1]", "word " * 400, seconds_per_word=0.05))
    thread = workspace.say(BEN, HELP, "about nothing")
    ts = workspace.say(BEN, HELP, f"{BOT} how?", thread_ts=thread)
    workspace.answers(HELP, thread)
    wait_until(lambda: is_done(engine))
    wish(engine, "regenerate")
    wait_until(lambda: "word word" in workspace.bot_messages(HELP, thread)[0]["text"])
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait_until(lambda: workspace.bot_messages(HELP, thread) == [])
    wait_until(lambda: is_done(engine, 3))
    assert rows(engine, tables.turn.c.text) == []


def test_a_bot_that_is_stopped_while_it_makes_an_answer_again_goes_on_later(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    first = start_bot(Numbered("the first [1]", "word " * 400, seconds_per_word=0.05))
    ts = asked_once(workspace, engine)
    wish(engine, "regenerate")
    wait_until(lambda: "word word" in workspace.bot_messages(HELP, ts)[0]["text"])
    first.stop()
    start_bot(Numbered("the second [1]"))
    wait_until(lambda: is_done(engine, 2))
    (message,) = workspace.bot_messages(HELP, ts)
    assert "the second" in message["text"]
    assert rows(engine, tables.answer_revision.c.text) == ["the first [1]"]


def quiet(engine: sa.Engine, team: str) -> None:
    save_channel(engine, team, HELP, ChannelSettings(ephemeral=True), changed_by="U0")


def team_of(workspace: Workspace) -> str:
    return str(workspace.ledger("call", "auth.test")[0]["response"]["team_id"])


def test_in_a_quiet_channel_only_the_asker_sees_the_answer(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S3, M17: and can share or keep it."""
    start_bot(ScriptedAnswering())
    quiet(engine, team_of(workspace))
    ts = workspace.say(BEN, HELP, f"{BOT} how?")
    wait_until(lambda: is_done(engine))
    assert workspace.bot_messages(HELP, ts) == []
    (call,) = workspace.ledger("call", "chat.postEphemeral")
    assert call["request"]["user"] == BEN
    assert "thread_ts" not in call["request"]
    assert "You asked: how?" in call["request"]["text"]
    assert "answer_share" in repr(call["request"]["blocks"])
    assert workspace.ledger("call", "assistant.threads.setStatus") == []
    assert rows(engine, tables.answer.c.delivered_by) == ["ephemeral"]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_quiet_answer_is_shown_at_least_once_and_not_for_ever(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, lost: int
) -> None:
    start_bot(ScriptedAnswering())
    quiet(engine, team_of(workspace))
    workspace.act("faults", lost_replies={"chat.postEphemeral": lost})
    workspace.say(BEN, HELP, f"{BOT} how?")
    wait_until(lambda: is_done(engine))
    assert len(workspace.whispers(BEN)) == lost + 1


def test_a_quiet_answer_made_again_is_a_new_one(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(Numbered("the first [1]", "the second [1]"))
    quiet(engine, team_of(workspace))
    workspace.say(BEN, HELP, f"{BOT} how?")
    wait_until(lambda: is_done(engine))
    wish(engine, "regenerate")
    wait_until(lambda: is_done(engine, 2))
    assert [text.split(" [1]")[0] for text in workspace.whispers(BEN)] == ["the first", "the second"]


class Unsure(ScriptedAnswering):
    """Answers without being sure."""

    def answer(self, question: Question, audience: Audience, **more: Any) -> Iterator[AnswerEvent]:
        for event in super().answer(question, audience, **more):
            yield Done(answer=replace(event.answer, support=0.3)) if isinstance(event, Done) else event


def overheard(workspace: Workspace, engine: sa.Engine) -> str:
    """A question that nobody put to the bot."""
    ts = workspace.say(BEN, HELP, "does anybody know the way?")
    incoming = Incoming(
        team=team_of(workspace),
        channel=HELP,
        channel_kind="public",
        user=BEN,
        ts=ts,
        thread_ts=None,
        text="does anybody know the way?",
        mentioned=False,
        visibility="if_sure",
    )
    Inbox(engine).put(
        Received(
            event_id="EvOverheard",
            kind="question",
            team=incoming.team,
            channel=HELP,
            ts=ts,
            conversation=incoming.conversation,
            user=BEN,
            payload=asdict(incoming),
        )
    )
    return ts


def heard(workspace: Workspace, engine: sa.Engine, confidence: float) -> None:
    settings = ChannelSettings(auto_answer=True, auto_answer_confidence=confidence)
    save_channel(engine, team_of(workspace), HELP, settings, changed_by="U0")


def test_an_overheard_question_is_answered_where_the_answer_is_sure(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S14: nothing is seen before it is finished."""
    start_bot(ScriptedAnswering(seconds_per_word=0.1))
    heard(workspace, engine, 0.8)
    ts = overheard(workspace, engine)
    (text,) = workspace.answers(HELP, ts)
    assert "You asked: does anybody know the way?" in text
    assert len(workspace.ledger("call", "chat.postMessage")) == 1
    assert workspace.ledger("call", "chat.startStream") == []


def test_an_overheard_question_gets_silence_where_the_answer_is_not_sure(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """S14."""
    start_bot(Unsure())
    heard(workspace, engine, 0.8)
    ts = overheard(workspace, engine)
    wait_until(lambda: "dropped" in rows(engine, tables.inbox.c.state))
    assert workspace.bot_messages(HELP, ts) == []
    assert workspace.ledger("call", "assistant.threads.setStatus") == []
    assert rows(engine, tables.turn.c.text) == []
