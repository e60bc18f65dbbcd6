"""Dialogues about deleted questions: nothing of them stays, in Slack or on the disk, and there is a receipt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.feedback import record_reason
from knowledge.audience import EVERYONE
from knowledge.database import writing
from tests.bot.answer_dialogue import BADGES, answering, rows, shelve
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    CHLOE,
    HELP,
    LONG,
    ScriptedAnswering,
    StartBot,
    Workspace,
)
from tests.bot.dialogue import wait_until as wait


def on_disk(engine: sa.Engine) -> bytes:
    """Everything that the database's files hold."""
    database = Path(str(engine.url.database))
    return b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


def test_a_deleted_question_takes_its_answer_and_memory_along_and_leaves_a_receipt(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M15, N2."""
    start_bot(answering(shelve(engine, ("Badges", BADGES, EVERYONE)), "Badges are issued by Maria Lopez."))
    ts = workspace.say(BEN, HELP, f"{BOT} who issues badges to zanzibarians?")
    workspace.answers(HELP, ts)
    (answer_id,) = rows(engine, tables.answer.c.id)
    record_reason(engine, answer_id, CHLOE, "wrong", "Ask the quetzal instead.")
    with writing(engine) as connection:
        earlier = {"answer_id": answer_id, "revision": 0, "purpose": "edit", "user": BEN, "version": "v"}
        words = {"question": "zanzibarians?", "text": "An okapi text."}
        dated = {"replaced_at": sa.func.now()}
        connection.execute(sa.insert(tables.answer_revision).values(**earlier, **words, **dated))
    assert b"zanzibarians" in on_disk(engine)
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait(lambda: any("went with it" in text for text in workspace.whispers(BEN)))
    assert workspace.bot_messages(HELP, ts) == []
    for table in (tables.turn, tables.answer, tables.citation, tables.feedback, tables.answer_revision):
        assert rows(engine, table) == [], table.name
    assert not any(rows(engine, tables.inbox.c.payload)[0].values())
    (receipt,) = rows(engine, tables.receipt)
    assert receipt.reason == "question"
    assert receipt.removed == {
        "messages": 1,
        "turns": 2,
        "answers": 1,
        "earlier_texts": 1,
        "citations": 1,
        "passages": 1,
        "votes": 1,
        "corrections": 1,
        "requests": 0,
        "approved": 0,
        "notes": 0,
    }
    for word in (b"zanzibarians", b"quetzal", b"okapi"):
        assert word not in on_disk(engine)
    assert "1 message of mine, 2 things that were said, 1 answer" in workspace.whispers(BEN)[-1]


def test_the_other_questions_of_the_thread_stay(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} first?")
    workspace.answers(HELP, ts)
    second = workspace.say(BEN, HELP, "second?", thread_ts=ts)
    workspace.answers(HELP, ts, count=2)
    workspace.act("delete", user=BEN, channel=HELP, ts=second)
    wait(lambda: len(workspace.bot_messages(HELP, ts)) == 1)
    wait(lambda: len(rows(engine, tables.receipt)) == 1)
    assert sorted(rows(engine, tables.turn.c.text)) == ["You asked: first? [1]", "first?"]


def test_all_messages_of_a_long_answer_go(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(ScriptedAnswering(reply=lambda *_: LONG))
    ts = workspace.say(ADA, ADAS_DM, "at length")
    workspace.answers(ADAS_DM, ts)
    wait(lambda: rows(engine, tables.answer.c.state) == ["final_sent"])
    count = len(workspace.ledger("call", "chat.postMessage")) + len(workspace.ledger("call", "chat.startStream"))
    workspace.act("delete", user=ADA, channel=ADAS_DM, ts=ts)
    wait(lambda: len(workspace.ledger("call", "chat.delete")) >= max(2, count))
    wait(lambda: rows(engine, tables.answer) == [])


def test_a_message_that_was_never_a_question_changes_nothing(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    chat = workspace.say(BEN, HELP, "lunch?")
    ts = workspace.say(BEN, HELP, f"{BOT} first?")
    workspace.answers(HELP, ts)
    workspace.act("delete", user=BEN, channel=HELP, ts=chat)
    workspace.answers(HELP, workspace.say(BEN, HELP, f"{BOT} second?"))
    assert rows(engine, tables.receipt) == []
    assert len(rows(engine, tables.turn)) == 4


def test_a_note_goes_with_the_message_that_it_was_saved_from(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """N2."""
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, "The door code is written on the whiteboard.")
    with writing(engine) as connection:
        place = {"team": "T0PLAYGROUND", "channel": HELP, "ts": ts, "user": CHLOE, "audience": EVERYONE}
        words = {"title": "Door", "text": "The door code is written on the whiteboard."}
        connection.execute(sa.insert(tables.saved_note).values(**place, **words, created_at=datetime.now(UTC)))
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait(lambda: any("1 saved note" in text for text in workspace.whispers(BEN)))
    assert rows(engine, tables.saved_note) == []
    assert b"whiteboard" not in on_disk(engine)


def test_where_slack_is_silent_the_words_go_at_once_and_the_message_later(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = workspace.say(BEN, HELP, f"{BOT} first?")
    workspace.answers(HELP, ts)
    wait(lambda: rows(engine, tables.answer.c.state) == ["final_sent"])
    workspace.act("faults", lost_replies={"chat.delete": 2})
    workspace.act("delete", user=BEN, channel=HELP, ts=ts)
    wait(lambda: rows(engine, tables.turn) == [])
    wait(lambda: rows(engine, tables.answer) == [], 20)
