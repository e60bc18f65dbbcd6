"""Questions of two weeks, asked in vain or not: what tests of the report on gaps read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.conversation import save_answer, save_user_turn
from bot.turn import Answer, Incoming
from knowledge.database import writing
from tests.bot.dialogue import BEN, HELP, make_answer

TEAM = "T0PLAYGROUND"
NOW = datetime.now(UTC)
LATELY, BEFORE = NOW - timedelta(days=2), NOW - timedelta(days=9)
_numbers = count(1)


def ask(
    engine: sa.Engine,
    text: str,
    *,
    user: str = BEN,
    channel: str = HELP,
    at: datetime = LATELY,
    abstained: bool = True,
    visibility: str = "thread",
    team: str = TEAM,
    ts: str = "",
) -> int:
    """One question with its answer, or without one; returns the answer's id."""
    incoming = Incoming(
        team=team,
        channel=channel,
        channel_kind="public",
        user=user,
        ts=ts or f"{next(_numbers):06d}.1",
        thread_ts=None,
        text=text,
        mentioned=True,
    )
    answer: Answer = replace(make_answer("So it is."), abstained=abstained, citations=())
    save_user_turn(engine, incoming)
    answer_id = save_answer(engine, incoming, answer)
    values: dict[str, Any] = {"created_at": at, "visibility": visibility}
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(values))
    return answer_id
