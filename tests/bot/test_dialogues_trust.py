"""Dialogues about what an answer says of its sources: of when they are, whose, and where they disagree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from bot.conversation import load_saved
from knowledge.audience import EVERYONE
from tests.bot.answer_dialogue import answering, shelve
from tests.bot.dialogue import BEN, BOT, HELP, StartBot, Workspace

DISAGREE = "My sources disagree: Handbook (2026) says 16 weeks [1]; Old wiki (2019) says 12 weeks [2]."


def test_sources_that_disagree_are_named_with_their_dates(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    handbook, wiki = shelve(
        engine,
        ("Handbook", "Parental leave of the staff is 16 weeks.", EVERYONE),
        ("Old wiki", "Parental leave of the staff is 12 weeks.", EVERYONE),
    )
    handbook = replace(handbook, modified_at=datetime(2026, 3, 5, tzinfo=UTC), owner="Ana Ruiz", trust="official")
    wiki = replace(wiki, modified_at=datetime(2019, 5, 3, tzinfo=UTC))
    start_bot(answering([wiki, handbook], "Parental leave of the staff is 16 weeks."))
    ts = workspace.say(BEN, HELP, f"{BOT} how many weeks is the parental leave of the staff?")
    workspace.answers(HELP, ts)
    (message,) = workspace.bot_messages(HELP, ts)
    shown = repr(message["blocks"])
    assert "Parental leave of the staff is 16 weeks." in message["text"]
    assert DISAGREE in shown
    assert DISAGREE in message["text"]
    assert "Handbook · official · Ana Ruiz · 5 March 2026" in shown
    assert "Old wiki · 3 May 2019" in shown
    saved = load_saved(engine, 1).answer
    assert saved is not None
    assert DISAGREE in saved.note
    assert [(one.owner, one.dated, one.trust) for one in saved.citations] == [
        ("Ana Ruiz", "2026-03-05", "official"),
        ("", "2019-05-03", "usual"),
    ]
