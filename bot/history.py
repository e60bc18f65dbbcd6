"""Conversations as an operator reads them: which there are, and what was said in one. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from bot import tables
from bot.errors import MisuseError
from knowledge.database import reading


@dataclass(frozen=True, kw_only=True)
class ConversationSummary:
    """One conversation in a list."""

    conversation: str
    turns: int
    people: tuple[str, ...]
    last_at: datetime
    first_question: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SpokenTurn:
    """One turn, with what an answer stood on."""

    role: str
    user: str
    text: str = field(repr=False)
    created_at: datetime
    version: str | None = None
    abstained: bool | None = None
    citations: tuple[SpokenCitation, ...] = ()
    votes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpokenCitation:
    """A source that an answer named."""

    n: int
    uri: str
    title: str
    dated: str
    """ISO 8601; empty where nobody knows."""
    owner: str
    trust: str


def list_conversations(engine: sa.Engine, limit: int) -> tuple[ConversationSummary, ...]:
    """List the conversations that were continued last, newest first."""
    turn = tables.turn
    newest = (
        sa.select(turn.c.conversation, sa.func.count().label("turns"), sa.func.max(turn.c.id).label("last"))
        .group_by(turn.c.conversation)
        .order_by(sa.desc("last"))
        .limit(limit)
    )
    with reading(engine) as connection:
        return tuple(_summary(connection, row.conversation, row.turns) for row in connection.execute(newest))


def find_conversation(engine: sa.Engine, name: str) -> str:
    """Find one conversation by its whole name, or by the key or thread that it ends with.

    Raises MisuseError where there is none, or more than one.
    """
    turn = tables.turn
    query = sa.select(turn.c.conversation).distinct()
    with reading(engine) as connection:
        if connection.execute(query.where(turn.c.conversation == name).limit(1)).first() is not None:
            return name
        found = connection.execute(query.where(turn.c.thread_ts == name).limit(5)).scalars().all()
    if not found:
        raise MisuseError(f"there is no conversation {name!r}. `lorekeeper history` lists them.")
    if len(found) > 1:
        raise MisuseError(f"{name!r} may be any of {', '.join(found)}. Give the whole name.")
    return str(found[0])


def read_conversation(engine: sa.Engine, conversation: str) -> tuple[SpokenTurn, ...]:
    """Read all turns of one conversation, oldest first."""
    turn = tables.turn
    # An answer carries its question's ts, and "user" comes after "assistant" in the alphabet.
    said = (turn.c.conversation == conversation, turn.c.role.in_(("user", "assistant")))
    query = sa.select(turn).where(*said).order_by(turn.c.ts, turn.c.role.desc())
    with reading(engine) as connection:
        return tuple(_spoken(connection, row) for row in connection.execute(query).all())


def _summary(connection: sa.Connection, conversation: str, turns: int) -> ConversationSummary:
    turn = tables.turn
    rows = connection.execute(
        sa.select(turn.c.role, turn.c.user, turn.c.text, turn.c.created_at)
        .where(turn.c.conversation == conversation)
        .order_by(turn.c.id)
    ).all()
    asked = [row for row in rows if row.role == "user"]
    return ConversationSummary(
        conversation=conversation,
        turns=turns,
        people=tuple(sorted({row.user for row in asked})),
        last_at=rows[-1].created_at,
        first_question=asked[0].text if asked else "",
    )


def _spoken(connection: sa.Connection, turn: sa.Row[tuple[object, ...]]) -> SpokenTurn:
    spoken = {"role": turn.role, "text": turn.text, "created_at": turn.created_at}
    answer = tables.answer
    row = connection.execute(
        sa.select(answer.c.id, answer.c.version, answer.c.abstained).where(
            answer.c.conversation == turn.conversation, answer.c.question_ts == turn.ts
        )
    ).one_or_none()
    if turn.role != "assistant" or row is None:
        return SpokenTurn(user=turn.user if turn.role == "user" else "", **spoken)
    return SpokenTurn(
        user="",
        version=row.version,
        abstained=row.abstained,
        citations=_citations(connection, row.id),
        votes=_votes(connection, row.id),
        **spoken,
    )


def _citations(connection: sa.Connection, answer_id: int) -> tuple[SpokenCitation, ...]:
    citation = tables.citation
    query = (
        sa.select(*(citation.c[name] for name in SpokenCitation.__dataclass_fields__))
        .where(citation.c.answer_id == answer_id, citation.c.kind == "cited")
        .order_by(citation.c.n)
    )
    return tuple(SpokenCitation(**row._mapping) for row in connection.execute(query))


def _votes(connection: sa.Connection, answer_id: int) -> tuple[int, ...]:
    feedback = tables.feedback
    query = sa.select(feedback.c.vote).where(feedback.c.answer_id == answer_id, feedback.c.removed_at.is_(None))
    return tuple(connection.execute(query).scalars())
