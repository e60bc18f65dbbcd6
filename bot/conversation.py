"""What was said: turns, answers and their citations, read and written as rows.

A Slack thread is a conversation; so is a KEY of `lorekeeper ask`. Knows SQL, not Slack. Every write may be
repeated: one question has one turn, one answer row and one answering turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.answer_cache import keep_reusable
from bot.grounds import conversation_grounds, grounds_of, grounds_row, unusable_answers
from bot.turn import Answer, AnswerSeconds, AnswerTokens, AttachedFile, Citation, Incoming, Visibility
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Grounds, HistoryTurn, Passage

AnswerState = Literal["received", "placeholder_intent", "posted", "final_ready", "final_sent", "withdrawn"]
Outcome = Literal["answered", "abstained", "asked_back", "stopped", "refused", "failed"]
Way = Literal["message", "stream", "ephemeral"]
"""How an answer is shown."""

_LATELY = timedelta(hours=2)
_FEWEST_MEASURED = 3


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """How far the answer to one question has come."""

    id: int
    state: AnswerState
    state_at: datetime
    nonce: str
    message_ts: str | None
    outcome: Outcome | None
    delivered_by: Way = "message"
    visibility: Visibility = "thread"
    revision: int = 0
    channel: str = ""
    files: tuple[AttachedFile, ...] = ()
    """What came with the question."""


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
    """How far a message of an answer has come."""

    part: int
    message_ts: str | None
    intent_at: datetime


def load_history(
    engine: sa.Engine,
    conversation: str,
    limit: int,
    *,
    audience: Audience | None = None,
    before: str | None = None,
) -> tuple[HistoryTurn, ...]:
    """Read the newest `limit` turns, oldest first; `before` is the ts of the question that is being answered.

    With an audience, answers that stand on what this audience may not read now, or on a document that is gone, are
    left out, and so is what was made with them.
    """
    table = tables.turn
    # An assistant's turn carries its question's ts, and "user" sorts after "assistant".
    query = (
        sa.select(table.c.role, table.c.text, table.c.audience)
        .where(table.c.conversation == conversation, table.c.role.in_(("user", "assistant")))
        .order_by(table.c.ts.desc(), table.c.role)
        .limit(limit)
    )
    if before is not None:
        query = query.where(table.c.ts < before)
    query = query.add_columns(table.c.ts)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        if audience is None:
            return tuple(HistoryTurn(role=row.role, text=row.text) for row in reversed(rows))
        grounds = conversation_grounds(connection, conversation, before)
        unusable = unusable_answers(connection, grounds, audience)
    return tuple(
        HistoryTurn(role=row.role, text=row.text, grounds=grounds.get(row.ts, Grounds()))
        if row.role == "assistant"
        else HistoryTurn(role=row.role, text=row.text)
        for row in reversed(rows)
        if row.role != "assistant"
        or (row.ts not in unusable and all(map(audience.may_read, filter(None, row.audience.split(",")))))
    )


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
    write_turn(connection, incoming, role="user", text=incoming.text, audience="")


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
            visibility=incoming.visibility,
            state="received",
            state_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    table = tables.answer
    return _answer_row(connection, table.c.conversation == incoming.conversation, table.c.question_ts == incoming.ts)


def read_answer(connection: sa.Connection, answer_id: int) -> AnswerRow:
    """Read how far an answer has come; raises sa.exc.NoResultFound where it is gone."""
    return _answer_row(connection, tables.answer.c.id == answer_id)


def _answer_row(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> AnswerRow:
    columns = [tables.answer.c[name] for name in AnswerRow.__dataclass_fields__]
    values = dict(connection.execute(sa.select(*columns).where(*conditions)).one()._mapping)
    return AnswerRow(**values | {"files": files_of(values["files"])})


def set_state(connection: sa.Connection, answer_id: int, state: AnswerState, *, message_ts: str | None = None) -> None:
    """Move an answer to its next state."""
    values: dict[str, Any] = {"state": state, "state_at": _now()}
    if message_ts is not None:
        values["message_ts"] = message_ts
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(**values))


def set_files(connection: sa.Connection, answer_id: int, files: Sequence[AttachedFile]) -> None:
    """Note what came with a question whose asker may be answered."""
    described = [asdict(file) for file in files]
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(files=described))


def files_of(stored: Iterable[Mapping[str, Any]]) -> tuple[AttachedFile, ...]:
    """Read back what `set_files` noted."""
    return tuple(AttachedFile(**one) for one in stored)


def set_visibility(connection: sa.Connection, answer_id: int, visibility: Visibility) -> None:
    """Note who sees an answer."""
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(visibility=visibility))


def write_answer(connection: sa.Connection, answer_id: int, incoming: Incoming, answer: Answer) -> None:
    """Write a finished answer, its citations and its turn, inside the caller's transaction."""
    grounds = grounds_of(answer)
    audience = ",".join(sorted(grounds.audiences))
    keep_reusable(connection, answer_id, incoming, answer)
    _write_outcome(
        connection,
        answer_id,
        outcome=_outcome(answer),
        text=answer.text,
        version=answer.version,
        abstained=answer.abstained,
        support=answer.support,
        approved_by=answer.approved_by,
        understood=answer.understood,
        note=answer.note,
        given_before=answer.given_before,
        reused_from=answer.reused_from,
        error=None,
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
        write_turn(connection, incoming, role="assistant", text=answer.text, audience=audience)


def write_sentence(
    connection: sa.Connection, answer_id: int, text: str, *, outcome: Outcome, error: str | None = None
) -> None:
    """Write what is said instead of an answer; it is not part of the conversation's history."""
    connection.execute(sa.delete(tables.cached_answer).where(tables.cached_answer.c.answer_id == answer_id))
    connection.execute(sa.delete(tables.citation).where(tables.citation.c.answer_id == answer_id))
    _write_outcome(connection, answer_id, outcome=outcome, text=text, note="", error=error, version="", abstained=False)


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
        asks_back=row.outcome == "asked_back",
        approved_by=row.approved_by,
        understood=row.understood,
        note=row.note,
        given_before=row.given_before,
        reused_from=row.reused_from,
    )
    return SavedAnswer(answer=answer)


def seconds_of_answers(engine: sa.Engine, *, most: int = 20) -> float | None:
    """How long an answer takes, measured lately in this database; None before there are a few measurements."""
    table = tables.answer
    query = (
        sa.select(table.c.total_seconds)
        .where(table.c.total_seconds > 0, table.c.created_at > _now() - _LATELY)
        .order_by(table.c.id.desc())
        .limit(most)
    )
    with reading(engine) as connection:
        measured = list(connection.scalars(query))
    return median(measured) if len(measured) >= _FEWEST_MEASURED else None


def message_of(engine: sa.Engine, answer_id: int) -> AnswerMessage | None:
    """Where the message of an answer stands; None before it is posted, and outside Slack."""
    table = tables.answer
    query = sa.select(table.c.channel, table.c.thread_ts, table.c.message_ts).where(table.c.id == answer_id)
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None or row.message_ts is None else AnswerMessage(**row._mapping)


def intend_part(connection: sa.Connection, answer_id: int, part: int, channel: str, way: Way) -> None:
    """Note that a message of an answer is about to be opened, inside the caller's transaction.

    The row of part 0 stands only as long as nobody knows whether the message does.
    """
    statement = insert(tables.answer_part).values(answer_id=answer_id, part=part, channel=channel, intent_at=_now())
    statement = statement.on_conflict_do_update(
        index_elements=["answer_id", "part"], set_={"intent_at": statement.excluded.intent_at}
    )
    connection.execute(statement)
    set_way(connection, answer_id, way)


def set_way(connection: sa.Connection, answer_id: int, way: Way) -> None:
    """Note how an answer is shown."""
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(delivered_by=way))


def set_part(connection: sa.Connection, answer_id: int, part: int, message_ts: str) -> None:
    """Note where a message of an answer stands."""
    table = tables.answer_part
    ours = (table.c.answer_id == answer_id, table.c.part == part)
    if part:
        connection.execute(sa.update(table).where(*ours).values(message_ts=message_ts))
        return
    connection.execute(sa.delete(table).where(*ours))
    connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(message_ts=message_ts))
    begun = tables.answer.c.state.in_(("received", "placeholder_intent"))
    connection.execute(
        sa.update(tables.answer).where(tables.answer.c.id == answer_id, begun).values(state="posted", state_at=_now())
    )


def load_parts(connection: sa.Connection, answer_id: int) -> tuple[AnswerPart, ...]:
    """Read the rows of an answer's messages, in their order; part 0 is among them only while it is unknown."""
    table = tables.answer_part
    query = sa.select(table.c.part, table.c.message_ts, table.c.intent_at).where(table.c.answer_id == answer_id)
    return tuple(AnswerPart(**row._mapping) for row in connection.execute(query.order_by(table.c.part)))


def drop_part(connection: sa.Connection, answer_id: int, part: int) -> None:
    """Forget a message of an answer that is not there."""
    table = tables.answer_part
    connection.execute(sa.delete(table).where(table.c.answer_id == answer_id, table.c.part == part))


def known_messages(connection: sa.Connection, channel: str) -> frozenset[str]:
    """All messages of a channel that belong to some answer."""
    first = sa.select(tables.answer.c.message_ts).where(tables.answer.c.channel == channel)
    further = sa.select(tables.answer_part.c.message_ts).where(tables.answer_part.c.channel == channel)
    copies = sa.select(tables.answer_copy.c.message_ts).where(tables.answer_copy.c.channel == channel)
    return frozenset(ts for ts in connection.scalars(first.union(further, copies)) if ts)


def withdraw_answer(connection: sa.Connection, answer_id: int, incoming: Incoming) -> None:
    """Forget the text of a question that was withdrawn, and of what was written for it."""
    connection.execute(sa.delete(tables.cached_answer).where(tables.cached_answer.c.answer_id == answer_id))
    connection.execute(sa.delete(tables.citation).where(tables.citation.c.answer_id == answer_id))
    connection.execute(
        sa.delete(tables.turn).where(
            tables.turn.c.conversation == incoming.conversation, tables.turn.c.ts == incoming.ts
        )
    )
    connection.execute(
        sa.update(tables.answer)
        .where(tables.answer.c.id == answer_id)
        .values(
            state="withdrawn", state_at=_now(), text="", understood="", note="", outcome=None, passages=[], files=[]
        )
    )


def write_turn(connection: sa.Connection, incoming: Incoming, *, role: str, text: str, audience: str) -> None:
    """Write what was said in the place of a message, inside the caller's transaction."""
    # Written again, it says what was said last: an answer that was made again, a question that was edited.
    statement = insert(tables.turn).values(
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
    again = {"text": statement.excluded.text, "audience": statement.excluded.audience}
    connection.execute(statement.on_conflict_do_update(index_elements=["conversation", "ts", "role"], set_=again))


def _write_outcome(connection: sa.Connection, answer_id: int, **values: Any) -> None:
    connection.execute(
        sa.update(tables.answer)
        .where(tables.answer.c.id == answer_id)
        .values(state="final_ready", state_at=_now(), **values)
    )


def _outcome(answer: Answer) -> Outcome:
    if answer.stopped:
        return "stopped"
    if answer.asks_back:
        return "asked_back"
    return "abstained" if answer.abstained else "answered"


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
        "prior": round(float(passage.prior), 6),
        "trust": passage.trust,
        **grounds_row(passage.grounds),
    }


def _now() -> datetime:
    return datetime.now(UTC)
