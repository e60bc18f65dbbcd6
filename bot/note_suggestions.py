"""What people save from Slack as knowledge: kept as a suggestion until an admin decides. Knows SQL, not Slack."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot.tables import saved_file, saved_note
from knowledge.database import reading, writing

MOST_WAITING_FILES = 20
"""Of one person: more than an admin reads at a time, and the database is no place to store files in."""


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
    """Who could read the message, or whom its saver chose: who may get it in an answer."""


@dataclass(frozen=True, kw_only=True)
class NoteFile:
    """A file of a message, read and found to be fit for a document."""

    id: str
    """Slack's."""
    name: str
    stored: str
    """What it is to be called in its folder."""
    content: bytes = field(repr=False)
    text: str = field(repr=False)
    """How its text begins."""


def suggest_note(engine: sa.Engine, note: Note, files: Sequence[NoteFile] = ()) -> bool:
    """Keep a note with its files for an admin to review; False where one has decided about this message already."""
    values = asdict(note) | {"state": "pending", "created_at": datetime.now(UTC)}
    statement = insert(saved_note).values(**values)
    changed = {name: values[name] for name in ("user", "title", "text", "permalink", "audience", "created_at")}
    pending = saved_note.c.state == "pending"
    statement = statement.on_conflict_do_update(index_elements=["channel", "ts"], set_=changed, where=pending)
    with writing(engine) as connection:
        note_id = connection.scalar(statement.returning(saved_note.c.id))
        if note_id is None:
            return False
        # Saved again, a message has the files that were chosen last.
        connection.execute(sa.delete(saved_file).where(saved_file.c.note_id == note_id))
        for file in files:
            connection.execute(sa.insert(saved_file).values(note_id=note_id, team=note.team, **_row(file)))
    return True


def withdraw_note(engine: sa.Engine, channel: str, ts: str) -> None:
    """Take back what was suggested of a message, where nobody has decided about it."""
    pending = (saved_note.c.channel == channel, saved_note.c.ts == ts, saved_note.c.state == "pending")
    with writing(engine) as connection:
        connection.execute(sa.delete(saved_note).where(*pending))


def waiting_files(engine: sa.Engine, note_of: str, *, besides: tuple[str, str]) -> int:
    """How many files of this person wait for a review, besides those of one message (channel and ts)."""
    mine = (saved_note.c.user == note_of) & (saved_note.c.state == "pending")
    other = sa.tuple_(saved_note.c.channel, saved_note.c.ts) != sa.tuple_(*besides)
    query = sa.select(sa.func.count()).select_from(saved_file.join(saved_note)).where(mine, other)
    with reading(engine) as connection:
        return connection.scalar(query) or 0


def _row(file: NoteFile) -> dict[str, object]:
    return {
        "file": file.id,
        "name": file.name,
        "stored": file.stored,
        "size": len(file.content),
        "content_hash": hashlib.sha256(file.content).hexdigest(),
        "text": file.text,
        "content": file.content,
    }
