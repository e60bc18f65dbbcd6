"""What people thought of answers: votes, reasons and better answers, as rows tied to the answer.

Each person has at most one live vote per answer; a vote that was changed or taken back keeps its row with
`removed_at`. Who is a bot is the caller's knowledge: bots' votes never come here. All functions may be called
from several threads and processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from bot.learn.tombstones import bury, feedback_origin
from bot.people import is_unremembered
from knowledge.database import reading, writing

Via = Literal["reaction", "button"]
Vote = Literal[1, -1]
REASONS = ("wrong", "unknown", "outdated", "incomplete", "unclear", "source", "other")


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """One live vote with what it is about."""

    id: int
    answer_id: int
    user: str
    vote: int
    via: str
    reason: str | None
    correction: str | None = field(repr=False)
    created_at: datetime
    channel: str
    conversation: str
    question: str = field(repr=False)
    answer: str = field(repr=False)
    abstained: bool
    version: str
    audience: str
    """The document audiences that the answer's passages came from, comma-separated."""


def stands() -> sa.ColumnElement[bool]:
    """What tells votes that somebody stands by: live ones, and those about a text that was made again since."""
    feedback, revision = tables.feedback, tables.answer_revision
    ended = sa.select(revision.c.revision).where(
        revision.c.answer_id == feedback.c.answer_id, revision.c.replaced_at == feedback.c.removed_at
    )
    return feedback.c.removed_at.is_(None) | ended.exists()


def find_answer(engine: sa.Engine, channel: str, message_ts: str) -> int | None:
    """Find the answer that a message of ours shows, wholly or in part; None where it shows none."""
    answer, part, copy = tables.answer, tables.answer_part, tables.answer_copy
    own = sa.select(answer.c.id).where(answer.c.channel == channel, answer.c.message_ts == message_ts)
    further = sa.select(part.c.answer_id).where(part.c.channel == channel, part.c.message_ts == message_ts)
    copied = sa.select(copy.c.answer_id).where(copy.c.channel == channel, copy.c.message_ts == message_ts)
    with reading(engine) as connection:
        found: int | None = connection.scalar(sa.union_all(own, further, copied).limit(1))
        return found


def record_vote(engine: sa.Engine, answer_id: int, user: str, vote: Vote, via: Via) -> bool:
    """Count a person's vote, instead of an earlier other one. False where the answer is gone.

    The same vote again changes nothing, so that a repeated event is harmless.
    """
    with writing(engine) as connection:
        return _vote(connection, answer_id, user, vote, via)


def withdraw_vote(engine: sa.Engine, answer_id: int, user: str, vote: Vote | None = None) -> bool:
    """Take a person's live vote back; with `vote`, only where it is that one. False where there was none.

    Taking 👎 off after 👍 was put on must not take the 👍 away: the events name the vote.
    """
    with writing(engine) as connection:
        live = _live(connection, answer_id, user)
        if live is None or (vote is not None and live.vote != vote):
            return False
        _remove(connection, live.id)
    return True


def record_reason(
    engine: sa.Engine, answer_id: int, user: str, reason: str | None, correction: str | None = None
) -> bool:
    """Keep why an answer was bad, or what would be better, with the person's 👎.

    False where the answer is gone.
    """
    if reason is not None and reason not in REASONS:
        raise ValueError(f"reason is {reason!r}, expected one of {', '.join(REASONS)}")
    words = {"reason": reason, "correction": (correction or "").strip() or None}
    feedback = tables.feedback
    mine = (feedback.c.answer_id == answer_id, feedback.c.user == user, feedback.c.removed_at.is_(None))
    with writing(engine) as connection:
        if not _vote(connection, answer_id, user, -1, "button"):
            return False
        connection.execute(sa.update(feedback).where(*mine).values(words))
    return True


def live_vote(engine: sa.Engine, answer_id: int, user: str) -> int | None:
    """The vote of a person that counts now."""
    with reading(engine) as connection:
        live = _live(connection, answer_id, user)
        return None if live is None else int(live.vote)


def list_feedback(engine: sa.Engine, *, vote: Vote | None = None, limit: int | None = None) -> tuple[Feedback, ...]:
    """List live votes, newest first."""
    query = _joined().order_by(tables.feedback.c.id.desc())
    if vote is not None:
        query = query.where(tables.feedback.c.vote == vote)
    with reading(engine) as connection:
        return tuple(Feedback(**row) for row in connection.execute(query.limit(limit)).mappings())


def export_feedback(engine: sa.Engine) -> Iterator[dict[str, Any]]:
    """Yield every live vote as one JSON-ready row with its answer, citations and passages, oldest first."""
    last = 0
    while True:
        query = _joined(tables.answer.c.passages).where(tables.feedback.c.id > last)
        with reading(engine) as connection:
            rows = connection.execute(query.order_by(tables.feedback.c.id).limit(500)).mappings().all()
            citations = _citations(connection, [row["answer_id"] for row in rows])
        if not rows:
            return
        for row in rows:
            exported = {**row, "created_at": row["created_at"].isoformat()}
            yield {**exported, "citations": citations.get(row["answer_id"], [])}
        last = rows[-1]["id"]


def _vote(connection: sa.Connection, answer_id: int, user: str, vote: Vote, via: Via) -> bool:
    if connection.scalar(sa.select(tables.answer.c.id).where(tables.answer.c.id == answer_id)) is None:
        return False
    live = _live(connection, answer_id, user)
    if live is not None and live.vote == vote:
        return True
    if live is not None:
        _remove(connection, live.id)
    row = {"answer_id": answer_id, "user": user, "vote": vote, "via": via, "created_at": datetime.now(UTC)}
    connection.execute(sa.insert(tables.feedback).values(row))
    return True


def _live(connection: sa.Connection, answer_id: int, user: str) -> sa.Row[int, int] | None:
    feedback = tables.feedback
    mine = (feedback.c.answer_id == answer_id, feedback.c.user == user, feedback.c.removed_at.is_(None))
    return connection.execute(sa.select(feedback.c.id, feedback.c.vote).where(*mine)).one_or_none()


def _remove(connection: sa.Connection, feedback_id: int) -> None:
    feedback, answer = tables.feedback, tables.answer
    update = sa.update(feedback).where(feedback.c.id == feedback_id)
    connection.execute(update.values(removed_at=datetime.now(UTC)))
    team = connection.scalar(
        sa.select(answer.c.team)
        .join(feedback, feedback.c.answer_id == answer.c.id)
        .where(feedback.c.id == feedback_id, feedback.c.correction.is_not(None))
    )
    if team is not None:
        bury(connection, [feedback_origin(feedback_id)], str(team), "withdrawn")


def _joined(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    feedback, answer, turn = tables.feedback.c, tables.answer.c, tables.turn.c
    # Whoever does not want to be remembered is not read outside their thread; see bot.memory.
    unremembered = is_unremembered(answer.team, answer.user)
    asked = (turn.conversation == answer.conversation) & (turn.ts == answer.question_ts) & (turn.role == "user")
    columns = (
        *(feedback.id, feedback.answer_id, feedback.user, feedback.vote, feedback.via, feedback.reason),
        *(feedback.correction, feedback.created_at, answer.channel, answer.conversation),
        sa.case((unremembered, ""), else_=sa.func.coalesce(turn.text, "")).label("question"),
        sa.case((unremembered, ""), else_=answer.text).label("answer"),
        *(answer.abstained, answer.version, answer.audience),
    )
    rows = tables.feedback.join(tables.answer).outerjoin(tables.turn, asked)
    return sa.select(*columns, *more).select_from(rows).where(feedback.removed_at.is_(None))


def _citations(connection: sa.Connection, answer_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    citation = tables.citation
    found: dict[int, list[dict[str, Any]]] = {}
    query = sa.select(citation).where(citation.c.answer_id.in_(answer_ids)).order_by(citation.c.kind, citation.c.n)
    for row in connection.execute(query).mappings():
        found.setdefault(row["answer_id"], []).append({key: row[key] for key in row if key != "answer_id"})
    return found
