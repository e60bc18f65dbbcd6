"""Copies of an answer that only its asker saw: shared with a channel, or kept by the asker. Knows SQL, not Slack."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from knowledge.database import reading, writing

CopyKind = Literal["shared", "kept"]


def begin_copy(engine: sa.Engine, answer_id: int, kind: CopyKind, part: int, *, user: str, channel: str) -> bool:
    """Note that a copy is about to be posted; False where that was noted before."""
    values = {"answer_id": answer_id, "kind": kind, "part": part, "user": user, "channel": channel}
    statement = insert(tables.answer_copy).values(**values, created_at=datetime.now(UTC)).on_conflict_do_nothing()
    with writing(engine) as connection:
        return connection.execute(statement).rowcount > 0


def copy_of(engine: sa.Engine, answer_id: int, kind: CopyKind, part: int) -> str | None:
    """Where a copy stands; None where nobody knows yet."""
    copy = tables.answer_copy
    ours = (copy.c.answer_id == answer_id, copy.c.kind == kind, copy.c.part == part)
    with reading(engine) as connection:
        return connection.scalar(sa.select(copy.c.message_ts).where(*ours))


def set_copy(engine: sa.Engine, answer_id: int, kind: CopyKind, part: int, message_ts: str) -> None:
    """Note where a copy stands."""
    copy = tables.answer_copy
    ours = (copy.c.answer_id == answer_id, copy.c.kind == kind, copy.c.part == part)
    with writing(engine) as connection:
        connection.execute(sa.update(copy).where(*ours).values(message_ts=message_ts))


def adopt_shared(engine: sa.Engine, answer_id: int) -> None:
    """From now on the shared messages are the answer's own: votes, edits and deletions are about them."""
    answer, part, copy = tables.answer, tables.answer_part, tables.answer_copy
    query = sa.select(copy).where(copy.c.answer_id == answer_id, copy.c.kind == "shared").order_by(copy.c.part)
    with writing(engine) as connection:
        for row in connection.execute(query).all():
            if row.part == 0:
                values = {"message_ts": row.message_ts, "visibility": "thread", "delivered_by": "message"}
                connection.execute(sa.update(answer).where(answer.c.id == answer_id).values(**values))
                continue
            further = {"channel": row.channel, "message_ts": row.message_ts, "intent_at": row.created_at}
            statement = insert(part).values(answer_id=answer_id, part=row.part, **further)
            connection.execute(statement.on_conflict_do_nothing())
