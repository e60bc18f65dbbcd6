"""What people saved as knowledge, reviewed: an approved note is a Markdown file in a folder that is a source, and the
files that were kept with it lie in a folder of its own beside that, as they came.

One folder for each audience, below `saved/` in the team's data folder: whoever could read the message may read the
document, and nobody else. Knows SQL and files, not Slack.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
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
from knowledge.sources.file_facts import FileFacts, write_facts
from knowledge.store import StoredSource, add_source, find_source, list_sources

FOLDER = "saved"
SOURCE_NAME = "Saved by the team"
# The file of a note, or the folder of the files that were kept with it.
_OF_NOTE = re.compile(r"note-(\d+)(?:\.md)?")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class SavedFile:
    """A file that was kept with a note, without its bytes."""

    id: int
    name: str
    stored: str
    """What it is called in its folder."""
    size: int
    content_hash: str
    text: str = field(repr=False)
    """How its text begins."""


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
    files: tuple[SavedFile, ...] = ()

    @property
    def version(self) -> str:
        """Another one once somebody saved the message again: what is approved must be what was read."""
        files = [[file.name, file.content_hash] for file in self.files]
        content = json.dumps([self.title, self.text, self.audience, self.permalink, *files])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def pending_notes(engine: sa.Engine, team: str) -> tuple[SavedNote, ...]:
    """The notes that nobody reviewed yet, oldest first."""
    note, file = tables.saved_note, tables.saved_file
    columns = [note.c[name] for name in SavedNote.__dataclass_fields__ if name != "files"]
    query = sa.select(*columns).where(note.c.team == team, note.c.state == "pending").order_by(note.c.id)
    file_columns = [file.c[name] for name in SavedFile.__dataclass_fields__]
    with reading(engine) as connection:
        rows = connection.execute(query).mappings().all()
        kept = sa.select(file.c.note_id, *file_columns).where(file.c.note_id.in_([row["id"] for row in rows]))
        files: dict[int, list[SavedFile]] = {}
        for row in connection.execute(kept.order_by(file.c.id)).mappings():
            values = {name: row[name] for name in SavedFile.__dataclass_fields__}
            files.setdefault(row["note_id"], []).append(SavedFile(**values))
    return tuple(SavedNote(**row, files=tuple(files.get(row["id"], ()))) for row in rows)


def approve_note(
    engine: sa.Engine, home: Path, note: SavedNote, *, by: str, now: datetime, author: str = ""
) -> StoredSource | None:
    """Make documents of a note and its files; returns their source, which is to be read now, or None where it was
    reviewed already.

    `author` is what people call whoever saved it: the document's owner.
    """
    folder = home / FOLDER / _folder_name(note.audience)
    folder.mkdir(parents=True, exist_ok=True)
    if note.text.strip() or not note.files:
        _write(folder / f"note-{note.id}.md", _document(note, author).encode("utf-8", "replace"))
    if note.files:
        _write_files(engine, folder / f"note-{note.id}", note, author)
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
    note, file = tables.saved_note, tables.saved_file
    with reading(engine) as connection:
        approved = set(connection.scalars(sa.select(note.c.id).where(note.c.state == "approved")))
        # A database that was begun anew knows nothing of the files of the old one.
        newest = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'saved_note'")) or 0
        kept = {(row.note_id, row.stored) for row in connection.execute(sa.select(file.c.note_id, file.c.stored))}
    named = ((path, note_of(path)) for path in (home / FOLDER).glob("*/*"))
    known = {path: number for path, number in named if number is not None and number <= newest}
    orphans = [path for path, number in known.items() if number not in approved]
    for path, number in known.items():
        if number in approved and path.is_dir():
            orphans += [one for one in _files_in(path) if (number, one.name) not in kept]
    _remove(orphans)
    return len(orphans)


def documents_of(home: Path, note_ids: Iterable[int]) -> list[Path]:
    """The files that approved notes had become."""
    places = _places_of(home, note_ids)
    return [one for path in places for one in (_files_in(path) if path.is_dir() else [path])]


def remove_files_of(home: Path, note_ids: Iterable[int]) -> None:
    """Remove what approved notes had become; their documents are somebody else's to remove."""
    _remove(_places_of(home, note_ids))


def note_of(path: Path) -> int | None:
    """The note that a file or folder in a folder of saved ones belongs to."""
    found = _OF_NOTE.fullmatch(path.name)
    return int(found.group(1)) if found else None


def note_links(engine: sa.Engine, home: Path | None, link: Callable[[str], str]) -> Callable[[str], str]:
    """Let citations of what was saved lead to the message in Slack, where there is an address; others stay."""
    if home is None:
        return link
    saved = (home / FOLDER).resolve()

    def of_note(uri: str) -> str:
        return _permalink(engine, saved, uri) or link(uri)

    return of_note


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
    note, file = tables.saved_note, tables.saved_file
    update = sa.update(note).where(note.c.id == note_id, note.c.state == "pending")
    with writing(engine) as connection:
        done = connection.execute(update.values(state=state, reviewed_by=by, reviewed_at=now)).rowcount == 1
        if done:
            # They are documents now, or nobody wants them.
            of_note = sa.update(file).where(file.c.note_id == note_id)
            connection.execute(of_note.values(content=None, text=""))
    return done


def _permalink(engine: sa.Engine, saved: Path, uri: str) -> str:
    """Where the message stands that a document was saved from; empty for all else."""
    below = f"{saved.as_uri()}/"
    inside = uri.removeprefix(below).split("/") if uri.startswith(below) else ()
    number = note_of(Path(inside[1])) if len(inside) > 1 else None
    if number is None:
        return ""
    note = tables.saved_note
    with reading(engine) as connection:
        query = sa.select(note.c.permalink).where(note.c.id == number)
        return connection.scalar(query) or ""


def _write_files(engine: sa.Engine, folder: Path, note: SavedNote, author: str) -> None:
    """Put the files of a note where they are read, as they came; one alone is called as its note is."""
    folder.mkdir(exist_ok=True)
    wanted = {file.stored for file in note.files}
    _remove([path for path in _files_in(folder) if path.name not in wanted])
    title = " ".join(note.title.split()) if len(note.files) == 1 else ""
    write_facts(folder, {file.stored: FileFacts(title=title, owner=author) for file in note.files})
    for file in note.files:
        content = tables.saved_file.c.content
        with reading(engine) as connection:
            found = connection.scalar(sa.select(content).where(tables.saved_file.c.id == file.id))
        if found is not None:
            _write(folder / file.stored, found)


def _places_of(home: Path, note_ids: Iterable[int]) -> list[Path]:
    places = [path for note_id in note_ids for path in (home / FOLDER).glob(f"*/note-{note_id}*")]
    return [path for path in places if _OF_NOTE.fullmatch(path.name)]


def _files_in(folder: Path) -> list[Path]:
    """The documents in the folder of a note; what is hidden there says something of them."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a reading that goes on meanwhile passes over names with a dot in front."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    draft.replace(path)


def _folder_name(audience: str) -> str:
    return _UNSAFE.sub("-", audience).strip("-") or "nobody"
