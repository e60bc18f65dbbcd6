"""Requests for a person where the bot's answer does not do: one for each answer. Knows SQL, not Slack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from knowledge.database import reading, writing


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """One request for a person."""

    id: int
    answer_id: int
    asked_by: str
    asked_of: str
    """A person (U…, W…) or a channel (C…, G…)."""
    state: str
    """open | resolved"""
    resolved_by: str
    message_channel: str
    message_ts: str
    """Empty until the request is known to stand in Slack."""


def begin_escalation(engine: sa.Engine, answer_id: int, *, asked_by: str, asked_of: str) -> tuple[Escalation, bool]:
    """Note that a person is asked for; returns the request, and whether it is new."""
    values = {"answer_id": answer_id, "asked_by": asked_by, "asked_of": asked_of, "created_at": datetime.now(UTC)}
    with writing(engine) as connection:
        statement = insert(tables.escalation).values(**values).on_conflict_do_nothing()
        is_new = connection.execute(statement).rowcount > 0
        return _read(connection, answer_id), is_new


def find_escalation(engine: sa.Engine, answer_id: int) -> Escalation | None:
    """The request for a person about this answer."""
    with reading(engine) as connection:
        exists = connection.scalar(sa.select(tables.escalation.c.id).where(tables.escalation.c.answer_id == answer_id))
        return _read(connection, answer_id) if exists else None


def set_escalation_message(engine: sa.Engine, answer_id: int, channel: str, ts: str) -> None:
    """Note where the request stands."""
    table = tables.escalation
    with writing(engine) as connection:
        values = {"message_channel": channel, "message_ts": ts}
        connection.execute(sa.update(table).where(table.c.answer_id == answer_id).values(**values))


def resolve_escalation(engine: sa.Engine, answer_id: int, user: str) -> None:
    """Note that the request is settled; the first who says so is kept."""
    table = tables.escalation
    with writing(engine) as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.answer_id == answer_id, table.c.state == "open")
            .values(state="resolved", resolved_by=user, resolved_at=datetime.now(UTC))
        )


def _read(connection: sa.Connection, answer_id: int) -> Escalation:
    table = tables.escalation
    columns = [table.c[name] for name in Escalation.__dataclass_fields__]
    return Escalation(**connection.execute(sa.select(*columns).where(table.c.answer_id == answer_id)).one()._mapping)
