"""What people saved as knowledge, reviewed: an approved note is a Markdown file in a folder that is a source.

One folder for each audience, below `saved/` in the team's data folder: whoever could read the message may read the
document, and nobody else. Knows SQL and files, not Slack.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.jobs import Job, run_soon
from bot.timetable import Timetable
from knowledge.audience import EVERYONE
from knowledge.database import reading, writing
from knowledge.errors import SourceError
from knowledge.store import StoredSource, add_source, find_source, list_sources

FOLDER = "saved"
SOURCE_NAME = "Saved by the team"
_FILE = re.compile(r"note-(\d+)\.md")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class SavedNote:
    """A note that waits for its review."""

    id: int
    channel: str
    user: str
    title: str
    text: str = field(repr=False)
    permalink: str
    audience: str
    created_at: datetime

    @property
    def version(self) -> str:
        """Another one once somebody saved the message again: what is approved must be what was read."""
        content = json.dumps([self.title, self.text, self.audience, self.permalink])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def pending_notes(engine: sa.Engine, team: str) -> tuple[SavedNote, ...]:
    """The notes that nobody reviewed yet, oldest first."""
    note = tables.saved_note
    columns = [note.c[name] for name in SavedNote.__dataclass_fields__]
    query = sa.select(*columns).where(note.c.team == team, note.c.state == "pending").order_by(note.c.id)
    with reading(engine) as connection:
        return tuple(SavedNote(**row) for row in connection.execute(query).mappings())


def approve_note(
    engine: sa.Engine, home: Path, note: SavedNote, *, by: str, now: datetime, author: str = ""
) -> StoredSource | None:
    """Make a document of a note; returns its source, which is to be read now, or None where it was reviewed already.

    `author` is what people call whoever saved it: the document's owner.
    """
    folder = home / FOLDER / _folder_name(note.audience)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"note-{note.id}.md", _document(note, author))
    if not _review(engine, note.id, "approved", by, now):
        remove_orphans(engine, home)
        return None
    return _source_of(engine, folder, note.audience)


def reject_note(engine: sa.Engine, note_id: int, *, by: str, now: datetime) -> bool:
    """Turn a note down; False where it was reviewed already."""
    return _review(engine, note_id, "rejected", by, now)


def remove_orphans(engine: sa.Engine, home: Path) -> int:
    """Remove the files of notes that are not approved any more, such as those of deleted messages; returns how many.

    The next reading of their source removes the documents.
    """
    note = tables.saved_note
    with reading(engine) as connection:
        approved = set(connection.scalars(sa.select(note.c.id).where(note.c.state == "approved")))
        # A database that was begun anew knows nothing of the files of the old one.
        newest = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'saved_note'")) or 0
    named = ((path, _FILE.fullmatch(path.name)) for path in (home / FOLDER).glob("*/*.md"))
    numbered = {path: int(found.group(1)) for path, found in named if found}
    orphans = [path for path, number in numbered.items() if number <= newest and number not in approved]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def notes_job(engine: sa.Engine, home: Path) -> Job:
    """The job that keeps the files in step with the rows, and has their sources read after that."""

    def work() -> str:
        removed = remove_orphans(engine, home)
        saved = str((home / FOLDER).resolve())
        for source in list_sources(engine) if removed else ():
            if source.location.startswith(saved):
                run_soon(engine, f"sync:{source.id}")
        return f"{removed} files of removed notes removed"

    return Job(name="notes", times=Timetable(every=timedelta(minutes=5)), work=work)


def _review(engine: sa.Engine, note_id: int, state: str, by: str, now: datetime) -> bool:
    note = tables.saved_note
    update = sa.update(note).where(note.c.id == note_id, note.c.state == "pending")
    with writing(engine) as connection:
        return connection.execute(update.values(state=state, reviewed_by=by, reviewed_at=now)).rowcount == 1


def _source_of(engine: sa.Engine, folder: Path, audience: str) -> StoredSource | None:
    location = str(folder.resolve())
    name = SOURCE_NAME if audience == EVERYONE else f"{SOURCE_NAME} ({audience.partition(':')[2]})"
    try:
        return add_source(engine, kind="files", location=location, audience=audience, name=name)
    except SourceError:
        return find_source(engine, location)


def _document(note: SavedNote, author: str) -> str:
    """The note as Markdown; what stands in front is for people, and no part of what is searched."""
    title = " ".join(note.title.replace('"', "'").replace("\\", "/").split())
    facts = {"title": title, "author": note.user, "date": note.created_at.astimezone(UTC).date().isoformat()}
    facts |= {"owner": author} if author else {}
    facts |= {"permalink": note.permalink} if note.permalink else {}
    front = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items())
    return f"---\n{front}\n---\n\n# {title}\n\n{note.text.strip()}\n"


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; a reading that goes on meanwhile passes over names with a dot in front."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, encoding="utf-8", errors="replace")
    draft.replace(path)


def _folder_name(audience: str) -> str:
    return _UNSAFE.sub("-", audience).strip("-") or "nobody"
