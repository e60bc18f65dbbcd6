"""Answers that are made again in their place: the earlier text is kept, everything else of the answer is replaced.

Knows SQL, not Slack. Every write may be repeated; which inbox row made a revision tells whether it was done already.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from bot import tables
from bot.conversation import files_of
from bot.turn import ChannelKind, Incoming, Purpose

_KINDS: dict[str, ChannelKind] = {"D": "im", "G": "private"}


def is_being_answered(connection: sa.Connection, answer_id: int) -> bool:
    """Whether the question itself is still worked on, or waits: its answer comes first."""
    answer, inbox = tables.answer, tables.inbox
    asked = (inbox.c.channel == answer.c.channel) & (inbox.c.ts == answer.c.question_ts)
    open_ones = inbox.c.state.in_(("waiting", "working")) & (inbox.c.kind == "question")
    query = sa.select(inbox.c.id).join(answer, asked).where(answer.c.id == answer_id, open_ones)
    return connection.execute(query).first() is not None


def read_question(connection: sa.Connection, answer_id: int) -> Incoming | None:
    """Put a question together again from its rows; None where it is gone."""
    answer, turn = tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    query = (
        sa.select(answer, sa.func.coalesce(turn.c.text, "").label("question"))
        .select_from(answer.outerjoin(turn, asked & (turn.c.role == "user")))
        .where(answer.c.id == answer_id, answer.c.state != "withdrawn", answer.c.user != "")
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Incoming(
        team=row.team,
        channel=row.channel,
        # A channel may be public or private: private is the careful reading.
        channel_kind=_KINDS.get(row.channel[:1], "private"),
        user=row.user,
        ts=row.question_ts,
        thread_ts=None if row.thread_ts == row.question_ts else row.thread_ts,
        text=row.question,
        mentioned=True,
        visibility="ephemeral" if row.visibility == "ephemeral" else "thread",
        external=row.error == "external",
        files=files_of(row.files),
    )


def text_of(connection: sa.Connection, answer_id: int) -> str:
    """What an answer says now."""
    query = sa.select(tables.answer.c.text).where(tables.answer.c.id == answer_id)
    return str(connection.scalar(query) or "")


def is_made(connection: sa.Connection, answer_id: int, inbox_id: int) -> bool:
    """Whether the wish of this inbox row was fulfilled already."""
    table = tables.answer_revision
    query = sa.select(table.c.revision).where(table.c.answer_id == answer_id, table.c.inbox_id == inbox_id)
    return connection.execute(query).first() is not None


def keep_earlier(connection: sa.Connection, answer_id: int, *, purpose: Purpose, user: str, inbox_id: int) -> bool:
    """Keep what the answer says now, before it is replaced; False where the answer is gone."""
    question = read_question(connection, answer_id)
    if question is None:
        return False
    answer, table = tables.answer, tables.answer_revision
    row = connection.execute(sa.select(answer).where(answer.c.id == answer_id)).one()
    now = datetime.now(UTC)
    connection.execute(
        sa.insert(table).values(
            answer_id=answer_id,
            revision=row.revision,
            purpose=purpose,
            user=user,
            question=question.text,
            text=row.text,
            version=row.version,
            replaced_at=now,
            inbox_id=inbox_id,
        )
    )
    # The votes were about the earlier text: they end with it, at the same moment.
    feedback = tables.feedback
    live = (feedback.c.answer_id == answer_id, feedback.c.removed_at.is_(None))
    connection.execute(sa.update(feedback).where(*live).values(removed_at=now))
    connection.execute(sa.update(answer).where(answer.c.id == answer_id).values(revision=row.revision + 1))
    turn = tables.turn
    connection.execute(
        sa.delete(turn).where(
            turn.c.conversation == row.conversation, turn.c.ts == row.question_ts, turn.c.role == "assistant"
        )
    )
    return True
