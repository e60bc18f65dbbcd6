"""What was said: turns, answers and their citations, read and written as rows.

A Slack thread is a conversation; so is a KEY of `lorekeeper ask`. Knows SQL, not Slack. Every write may be
repeated: one question has one turn, one answer row and one answering turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation, Incoming
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import HistoryTurn, Passage

AnswerState = Literal["received", "placeholder_intent", "posted", "final_ready", "final_sent", "withdrawn"]
Outcome = Literal["answered", "abstained", "stopped", "refused", "failed"]


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """How far the answer to one question has come."""

    id: int
    state: AnswerState
    state_at: datetime
    nonce: str
    message_ts: str | None
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class SavedAnswer:
    """What was saved for a question: an answer, or the sentence that is said instead of one."""

    answer: Answer | None
    sentence: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class AnswerMessage:
    """Where the message of an answer stands."""

    channel: str
    thread_ts: str
    message_ts: str


@dataclass(frozen=True, kw_only=True)
class AnswerPart:
    """How far a further message of a long answer has come."""

    message_ts: str | None
    intent_at: datetime
    is_new: bool


def load_history(
    engine: sa.Engine,
    conversation: str,
    limit: int,
    *,
    audience: Audience | None = None,
    before: str | None = None,
) -> tuple[HistoryTurn, ...]:
    """Read the newest `limit` turns, oldest first; `before` is the ts of the question that is being answered.

    With an audience, answers that stood on documents which this audience may not read are left out.
    """
    table = tables.turn
    # An assistant's turn carries its question's ts, and "user" sorts after "assistant".
    query = (
        sa.select(table.c.role, table.c.text, table.c.audience)
        .where(table.c.conversation == conversation)
        .order_by(table.c.ts.desc(), table.c.role)
        .limit(limit)
    )
    if before is not None:
        query = query.where(table.c.ts < before)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return tuple(
        HistoryTurn(role=row.role, text=row.text)
        for row in reversed(rows)
        if audience is None or all(audience.may_read(one) for one in row.audience.split(",") if one)
    )


def is_asker(engine: sa.Engine, conversation: str, user: str) -> bool:
    """Tell whether this person has asked in this conversation before: their next message needs no mention."""
    waiting = (
        sa.select(tables.inbox.c.id)
        .where(tables.inbox.c.conversation == conversation, tables.inbox.c.user == user)
        .where(tables.inbox.c.kind == "question", tables.inbox.c.state != "dropped")
    )
    asked = sa.select(tables.turn.c.id).where(
        tables.turn.c.conversation == conversation, tables.turn.c.user == user, tables.turn.c.role == "user"
    )
    with reading(engine) as connection:
        return bool(connection.scalar(sa.select(waiting.exists() | asked.exists())))


def save_user_turn(engine: sa.Engine, incoming: Incoming) -> None:
    """Keep what a person asked."""
    with writing(engine) as connection:
        write_user_turn(connection, incoming)


def save_answer(engine: sa.Engine, incoming: Incoming, answer: Answer) -> int:
    """Keep an answer with everything it was based on, and return its id; for answers outside Slack."""
    with writing(engine) as connection:
        row = begin_answer(connection, incoming)
        write_answer(connection, row.id, incoming, answer)
        set_state(connection, row.id, "final_sent")
    return row.id


def write_user_turn(connection: sa.Connection, incoming: Incoming) -> None:
    """Write a person's turn, inside the caller's transaction."""
    _write_turn(connection, incoming, role="user", text=incoming.text, audience="")


def begin_answer(connection: sa.Connection, incoming: Incoming) -> AnswerRow:
    """Find or create the answer row of a question, inside the caller's transaction."""
    now = _now()
    connection.execute(
        insert(tables.answer)
        .values(
            team=incoming.team,
            channel=incoming.channel,
            thread_ts=incoming.thread_ts or incoming.ts,
            question_ts=incoming.ts,
            conversation=incoming.conversation,
            user=incoming.user,
            nonce=uuid.uuid4().hex,
            state="received",
            state_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    table = tables.answer
    row = connection.execute(
        sa.select(
            table.c.id, table.c.state, table.c.state_at, table.c.nonce, table.c.message_ts, table.c.outcome
        ).where(table.c.conversation == incoming.conversation, table.c.question_ts == incoming.ts)
    ).one()
    return AnswerRow(**row._mapping)


def set_state(connection: sa.Connection, answer_id: int, state: AnswerState, *, message_ts: str | None = None) -> None:
    """Move an answer to its next state."""
    values: dict[str, Any] = {"state": state, "state_at": _now()}
    if message_ts is not None:
        values["message_ts"] = message_ts
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(**values))


def write_answer(connection: sa.Connection, answer_id: int, incoming: Incoming, answer: Answer) -> None:
    """Write a finished answer, its citations and its turn, inside the caller's transaction."""
    audience = ",".join(sorted({passage.audience for passage in answer.passages}))
    _write_outcome(
        connection,
        answer_id,
        outcome="stopped" if answer.stopped else "abstained" if answer.abstained else "answered",
        text=answer.text,
        version=answer.version,
        abstained=answer.abstained,
        support=answer.support,
        audience=audience,
        passages=[_passage_row(passage) for passage in answer.passages],
        retrieve_seconds=answer.seconds.retrieve,
        first_token_seconds=answer.seconds.first_token,
        total_seconds=answer.seconds.total,
        prompt_tokens=answer.tokens.prompt,
        completion_tokens=answer.tokens.completion,
    )
    connection.execute(sa.delete(tables.citation).where(tables.citation.c.answer_id == answer_id))
    rows = [
        *_citation_rows(answer_id, "cited", answer.citations),
        *_citation_rows(answer_id, "nearest", answer.nearest),
    ]
    if rows:
        connection.execute(sa.insert(tables.citation), rows)
    if answer.text.strip():
        _write_turn(connection, incoming, role="assistant", text=answer.text, audience=audience)


def write_sentence(
    connection: sa.Connection, answer_id: int, text: str, *, outcome: Outcome, error: str | None = None
) -> None:
    """Write what is said instead of an answer; it is not part of the conversation's history."""
    _write_outcome(connection, answer_id, outcome=outcome, text=text, error=error)


def load_saved(engine: sa.Engine, answer_id: int) -> SavedAnswer:
    """Read back what was saved for a question: the answer without its passages' texts, or a sentence."""
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.answer).where(tables.answer.c.id == answer_id)).one()
        table = tables.citation
        citations = connection.execute(
            sa.select(table).where(table.c.answer_id == answer_id).order_by(table.c.kind, table.c.n)
        ).all()
    if not row.version:
        return SavedAnswer(answer=None, sentence=row.text)
    answer = Answer(
        text=row.text,
        citations=tuple(_citation(one) for one in citations if one.kind == "cited"),
        nearest=tuple(_citation(one) for one in citations if one.kind == "nearest"),
        abstained=row.abstained,
        support=row.support,
        version=row.version,
        seconds=AnswerSeconds(
            retrieve=row.retrieve_seconds, first_token=row.first_token_seconds, total=row.total_seconds
        ),
        tokens=AnswerTokens(prompt=row.prompt_tokens, completion=row.completion_tokens),
        stopped=row.outcome == "stopped",
    )
    return SavedAnswer(answer=answer)


def message_of(engine: sa.Engine, answer_id: int) -> AnswerMessage | None:
    """Where the message of an answer stands; None before it is posted, and outside Slack."""
    table = tables.answer
    query = sa.select(table.c.channel, table.c.thread_ts, table.c.message_ts).where(table.c.id == answer_id)
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None or row.message_ts is None else AnswerMessage(**row._mapping)


def begin_part(connection: sa.Connection, answer_id: int, part: int, channel: str) -> AnswerPart:
    """Find or create the row of a further message of an answer, inside the caller's transaction."""
    table = tables.answer_part
    created = connection.execute(
        insert(table).values(answer_id=answer_id, part=part, channel=channel, intent_at=_now()).on_conflict_do_nothing()
    )
    row = connection.execute(
        sa.select(table.c.message_ts, table.c.intent_at).where(table.c.answer_id == answer_id, table.c.part == part)
    ).one()
    return AnswerPart(message_ts=row.message_ts, intent_at=row.intent_at, is_new=created.rowcount > 0)


def set_part(connection: sa.Connection, answer_id: int, part: int, message_ts: str) -> None:
    """Note where a further message of an answer stands."""
    table = tables.answer_part
    connection.execute(
        sa.update(table).where(table.c.answer_id == answer_id, table.c.part == part).values(message_ts=message_ts)
    )


def withdraw_answer(connection: sa.Connection, answer_id: int, incoming: Incoming) -> None:
    """Forget the text of a question that was withdrawn, and of what was written for it."""
    connection.execute(sa.delete(tables.citation).where(tables.citation.c.answer_id == answer_id))
    connection.execute(
        sa.delete(tables.turn).where(
            tables.turn.c.conversation == incoming.conversation, tables.turn.c.ts == incoming.ts
        )
    )
    connection.execute(
        sa.update(tables.answer)
        .where(tables.answer.c.id == answer_id)
        .values(state="withdrawn", state_at=_now(), text="", outcome=None, passages=[])
    )


def _write_turn(connection: sa.Connection, incoming: Incoming, *, role: str, text: str, audience: str) -> None:
    connection.execute(
        insert(tables.turn)
        .values(
            conversation=incoming.conversation,
            team=incoming.team,
            channel=incoming.channel,
            thread_ts=incoming.thread_ts or incoming.ts,
            ts=incoming.ts,
            role=role,
            user=incoming.user,
            text=text,
            audience=audience,
            created_at=_now(),
        )
        .on_conflict_do_nothing()
    )


def _write_outcome(connection: sa.Connection, answer_id: int, **values: Any) -> None:
    connection.execute(
        sa.update(tables.answer)
        .where(tables.answer.c.id == answer_id)
        .values(state="final_ready", state_at=_now(), **values)
    )


def _citation_rows(answer_id: int, kind: str, citations: Iterable[Citation]) -> list[dict[str, Any]]:
    return [{"answer_id": answer_id, "kind": kind, **asdict(citation)} for citation in citations]


def _citation(row: sa.Row[Any]) -> Citation:
    values = dict(row._mapping)
    return Citation(**{name: value for name, value in values.items() if name not in ("answer_id", "kind")})


def _passage_row(passage: Passage) -> dict[str, Any]:
    return {
        "chunk_id": passage.id,
        "text_hash": passage.text_hash,
        "uri": passage.uri,
        "score": round(float(passage.score), 6),
        "cosine": round(float(passage.cosine), 6),
        "word_score": round(float(passage.word_score), 6),
    }


def _now() -> datetime:
    return datetime.now(UTC)
