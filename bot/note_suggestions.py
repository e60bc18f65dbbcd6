"""What people save from Slack as knowledge: kept as a suggestion until an admin decides. Knows SQL, not Slack."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot.tables import saved_note
from knowledge.database import writing


@dataclass(frozen=True, kw_only=True)
class Note:
    """A message as somebody wants it to be known."""

    team: str
    channel: str
    ts: str
    user: str
    """Who saved it."""
    title: str
    text: str = field(repr=False)
    permalink: str
    audience: str
    """Who could read the message: who may get it in an answer."""


def suggest_note(engine: sa.Engine, note: Note) -> bool:
    """Keep a note for an admin to review; False where one has decided about this message already."""
    values = asdict(note) | {"state": "pending", "created_at": datetime.now(UTC)}
    statement = insert(saved_note).values(**values)
    changed = {name: values[name] for name in ("user", "title", "text", "permalink", "audience", "created_at")}
    pending = saved_note.c.state == "pending"
    with writing(engine) as connection:
        written = connection.execute(
            statement.on_conflict_do_update(index_elements=["channel", "ts"], set_=changed, where=pending)
        )
        return written.rowcount > 0
