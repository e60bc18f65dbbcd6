"""Saved notes: approved, they are documents for those who could read the message; rejected or deleted, they are not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.app import open_parser
from bot.database import open_database
from bot.jobs import Job, run_due
from bot.notes import SavedNote, approve_note, notes_job, pending_notes, reject_note, remove_orphans
from bot.privacy import forget
from bot.settings import FileSettings
from bot.sync import sync_source
from bot.timetable import Timetable
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.ingest import IngestParts
from knowledge.library import Library
from knowledge.store import StoredSource, list_sources
from knowledge.tables import chunk
from tests.knowledge.fake_embedder import FakeEmbedder

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def save(engine: sa.Engine, ts: str, text: str, audience: str = "everyone", title: str = "Descaling") -> SavedNote:
    """A note as the message shortcut keeps it."""
    row: dict[str, Any] = {"team": "T1", "channel": "C1", "ts": ts, "user": "U1", "title": title, "text": text}
    row |= {"permalink": "https://example.slack.com/archives/C1/p1", "audience": audience, "created_at": NOW}
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.saved_note).values(row))
    return pending_notes(engine, "T1")[-1]


def approve(engine: sa.Engine, home: Path, note: SavedNote) -> StoredSource:
    source = approve_note(engine, home, note, by="U9", now=NOW)
    assert source is not None
    return source


def read(engine: sa.Engine, source: StoredSource) -> None:
    with open_parser(FileSettings()) as parser:
        sync_source(source, IngestParts(engine=engine, parser=parser, embedder=FakeEmbedder(), chunk_tokens=200))


def found(engine: sa.Engine, question: str, audience: Audience) -> list[tuple[str, str]]:
    with Library.open(engine, FakeEmbedder(), None) as library:
        passages = library.retrieve(Question(text=question), audience, 5).passages
    return [(passage.title, passage.source) for passage in passages]


def test_an_approved_note_is_a_document_for_its_audience_alone(engine: sa.Engine, tmp_path: Path) -> None:
    """S1: saved as knowledge."""
    public = save(engine, "1.1", "The machine is descaled on Fridays.")
    private = save(engine, "1.2", "The machine is paid for by the leads.", "channel:C9", title="Paying")
    for note in (public, private):
        read(engine, approve(engine, tmp_path, note))
    assert pending_notes(engine, "T1") == ()
    assert found(engine, "machine", Audience.everyone()) == [("Descaling", "Saved by the team")]
    assert sorted(found(engine, "machine", Audience.of_channel("C9"))) == [
        ("Descaling", "Saved by the team"),
        ("Paying", "Saved by the team (C9)"),
    ]
    with reading(engine) as connection:
        saved = tables.saved_note.c
        rows = connection.execute(sa.select(saved.state, saved.reviewed_by, saved.reviewed_at)).all()
    assert rows == [("approved", "U9", NOW)] * 2


def test_the_file_says_who_when_and_where_and_that_is_not_searched(engine: sa.Engine, tmp_path: Path) -> None:
    note = save(engine, "1.1", "Fridays.\n\n---\n\ntitle: forged", title='The "big" machine\n---')
    read(engine, approve(engine, tmp_path, note))
    (file,) = (tmp_path / "saved").glob("*/*.md")
    text = file.read_text("utf-8")
    assert text.startswith('---\ntitle: "The \'big\' machine ---"\nauthor: "U1"\ndate: "2026-01-02"\npermalink: ')
    with reading(engine) as connection:
        chunks = " ".join(connection.scalars(sa.select(chunk.c.text)))
    assert "Fridays." in chunks
    assert "U1" not in chunks
    assert "permalink" not in chunks


def test_several_notes_share_a_source(engine: sa.Engine, tmp_path: Path) -> None:
    sources = {approve(engine, tmp_path, save(engine, f"1.{n}", f"text {n}")).id for n in range(3)}
    assert len(sources) == 1
    assert [source.name for source in list_sources(engine)] == ["Saved by the team"]


def test_a_note_is_reviewed_once(engine: sa.Engine, tmp_path: Path) -> None:
    note = save(engine, "1.1", "text")
    assert reject_note(engine, note.id, by="U9", now=NOW)
    assert not reject_note(engine, note.id, by="U9", now=NOW)
    assert approve_note(engine, tmp_path, note, by="U9", now=NOW) is None
    assert list((tmp_path / "saved").glob("*/*.md")) == []
    assert list_sources(engine) == ()


def test_what_was_deleted_with_its_message_is_no_document_any_more(engine: sa.Engine, tmp_path: Path) -> None:
    """M15."""
    kept, deleted = save(engine, "1.1", "The lift is red."), save(engine, "1.2", "The stairs are blue.", title="Stairs")
    source = approve(engine, tmp_path, kept)
    approve(engine, tmp_path, deleted)
    read(engine, source)
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.saved_note).where(tables.saved_note.c.id == deleted.id))
    assert run_due(engine, (notes_job(engine, tmp_path),)) == ("notes",)
    read(engine, source)
    assert [title for title, _ in found(engine, "stairs are blue", Audience.everyone())] == ["Descaling"]


def test_a_new_database_leaves_the_files_of_an_old_one(engine: sa.Engine, tmp_path: Path) -> None:
    folder = tmp_path / "saved" / "everyone"
    folder.mkdir(parents=True)
    (folder / "note-7.md").write_text("# Old")
    (folder / "readme.md").write_text("# By hand")
    assert remove_orphans(engine, tmp_path) == 0
    assert remove_orphans(engine, tmp_path / "nowhere") == 0


def test_what_a_forgotten_person_saved_is_no_document_any_more(engine: sa.Engine, tmp_path: Path) -> None:
    """M15: the file names its author, so it goes with them."""
    source = approve(engine, tmp_path, save(engine, "1.1", "The lift is red."))

    def work() -> str:
        read(engine, source)
        return ""

    reading_it = Job(name=f"sync:{source.id}", times=Timetable(every=timedelta(days=1)), work=work)
    run_due(engine, (reading_it,))
    assert found(engine, "lift", Audience.everyone()) != []
    forget(engine, "U1")
    assert run_due(engine, (notes_job(engine, tmp_path), reading_it)) == ("notes", reading_it.name)
    assert list((tmp_path / "saved").glob("*/*.md")) == []
    assert found(engine, "lift", Audience.everyone()) == []
