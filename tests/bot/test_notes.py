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
from bot.forgetting import forget_file, forget_question, remove_note_documents
from bot.jobs import Job, run_due
from bot.note_suggestions import Note, NoteFile, suggest_note, waiting_files
from bot.notes import (
    SavedNote,
    approve_note,
    documents_of,
    note_links,
    notes_job,
    pending_notes,
    reject_note,
    remove_orphans,
)
from bot.privacy import export, forget
from bot.purge import Removal, find_traces, purge
from bot.settings import FileSettings
from bot.sync import sync_source
from bot.timetable import Timetable
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.ingest import IngestParts
from knowledge.library import Library
from knowledge.store import StoredSource, list_sources
from knowledge.tables import chunk, document
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


PLAN = b"# Moving plan\n\nThe office moves to Harbour Street in June.\n"
RULES = b"# House rules\n\nThe door is locked at midnight.\n"
MARK = b"heliotrope"


def a_file(name: str, content: bytes, *, file_id: str = "") -> NoteFile:
    return NoteFile(id=file_id or f"F{name}", name=name, stored=name, content=content, text=content.decode())


def save_files(
    engine: sa.Engine, ts: str, *files: NoteFile, text: str = "", audience: str = "everyone", title: str = "The move"
) -> SavedNote:
    """A note with files, as the form keeps it."""
    note = Note(
        team="T1",
        channel="C1",
        ts=ts,
        user="U1",
        title=title,
        text=text,
        permalink="https://example.slack.com/archives/C1/p1",
        audience=audience,
    )
    assert suggest_note(engine, note, files)
    return pending_notes(engine, "T1")[-1]


def contents(engine: sa.Engine) -> list[bytes | None]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(tables.saved_file.c.content)))


def test_an_approved_file_is_a_document_as_it_came(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN), audience="channel:C9")
    assert list(tmp_path.glob("saved/**/*")) == []
    source = approve_note(engine, tmp_path, note, by="U9", now=NOW, author="Ada Park")
    assert source is not None
    (path,) = documents_of(tmp_path, [note.id])
    assert path.read_bytes() == PLAN
    assert path.name == "plan.md"
    # Its bytes are a document now, and kept once.
    assert contents(engine) == [None]
    read(engine, source)
    assert found(engine, "Harbour Street", Audience.everyone()) == []
    # Called as the person called it, whatever its first heading says.
    assert found(engine, "Harbour Street", Audience.of_channel("C9")) == [("The move", "Saved by the team (C9)")]
    with reading(engine) as connection:
        assert connection.scalars(sa.select(document.c.owner)).all() == ["Ada Park"]


def test_words_and_files_of_one_note_are_documents_each(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN), a_file("rules.md", RULES), text="Read both, please.")
    read(engine, approve(engine, tmp_path, note))
    titles = {title for title, _ in found(engine, "read the door in June", Audience.everyone())}
    assert titles == {"The move", "Moving plan", "House rules"}


def test_what_is_approved_is_what_was_read(engine: sa.Engine) -> None:
    before = save_files(engine, "1.1", a_file("plan.md", PLAN))
    after = save_files(engine, "1.1", a_file("plan.md", RULES))
    assert before.id == after.id
    assert before.version != after.version
    assert len(contents(engine)) == 1


def test_a_crash_before_the_review_is_noted_loses_nothing(engine: sa.Engine, tmp_path: Path) -> None:
    """The files of a note that nobody approved go, and the note is approved again with its bytes."""
    note = save_files(engine, "1.1", a_file("plan.md", PLAN))
    approve(engine, tmp_path, note)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.saved_note).values(state="pending"))
        connection.execute(sa.update(tables.saved_file).values(content=PLAN))
    assert remove_orphans(engine, tmp_path) == 1
    assert documents_of(tmp_path, [note.id]) == []
    approve(engine, tmp_path, note)
    assert [path.read_bytes() for path in documents_of(tmp_path, [note.id])] == [PLAN]


def test_a_rejected_file_is_not_kept(engine: sa.Engine) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN))
    assert reject_note(engine, note.id, by="U9", now=NOW)
    assert contents(engine) == [None]
    with reading(engine) as connection:
        assert connection.scalars(sa.select(tables.saved_file.c.text)).all() == [""]


def test_a_file_that_was_deleted_in_slack_withdraws_its_note(engine: sa.Engine, tmp_path: Path) -> None:
    save_files(engine, "1.1", a_file("plan.md", PLAN, file_id="F1"))
    assert forget_file(engine, "F1", tmp_path) == 1
    assert pending_notes(engine, "T1") == ()
    assert forget_file(engine, "F1", tmp_path) == 0


def test_a_file_that_was_deleted_in_slack_takes_its_document_along_and_no_other(
    engine: sa.Engine, tmp_path: Path
) -> None:
    plan, rules = a_file("plan.md", PLAN, file_id="F1"), a_file("rules.md", RULES, file_id="F2")
    note = save_files(engine, "1.1", plan, rules)
    read(engine, approve(engine, tmp_path, note))
    assert forget_file(engine, "F1", tmp_path) == 1
    assert [path.name for path in documents_of(tmp_path, [note.id])] == ["rules.md"]
    with reading(engine) as connection:
        assert connection.scalars(sa.select(document.c.title)).all() == ["House rules"]
        assert connection.scalars(sa.select(tables.receipt.c.removed)).all() == [{"files": 1, "notes": 0}]


def test_a_file_without_its_row_is_removed_by_the_job(engine: sa.Engine, tmp_path: Path) -> None:
    """The process ended between the two."""
    note = save_files(engine, "1.1", a_file("plan.md", PLAN), a_file("rules.md", RULES))
    approve(engine, tmp_path, note)
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.saved_file).where(tables.saved_file.c.name == "plan.md"))
    assert run_due(engine, (notes_job(engine, tmp_path),)) == ("notes",)
    assert [path.name for path in documents_of(tmp_path, [note.id])] == ["rules.md"]


def test_the_files_of_a_message_go_with_it(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN))
    read(engine, approve(engine, tmp_path, note))
    gone = forget_question(engine, "T1", "C1", "1.1")
    assert gone is not None
    assert remove_note_documents(engine, tmp_path, gone.notes) == 1
    assert list(tmp_path.glob("saved/*/*")) == []
    assert contents(engine) == []


def test_a_forgotten_person_leaves_no_file(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN))
    save_files(engine, "1.2", a_file("mark.md", MARK))
    approve(engine, tmp_path, note)
    handed_out = export(engine, "U1")["saved_file"]
    assert [row["name"] for row in handed_out] == ["plan.md", "mark.md"]
    assert "content" not in handed_out[0]
    forget(engine, "U1")
    assert run_due(engine, (notes_job(engine, tmp_path),)) == ("notes",)
    assert list(tmp_path.glob("saved/*/*")) == []
    assert MARK not in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))


def test_a_workspace_that_takes_the_app_away_leaves_no_file(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN))
    save_files(engine, "1.2", a_file("mark.md", MARK))
    read(engine, approve(engine, tmp_path, note))
    removed = purge(engine, Removal(event_id="Ev1", team="T1", reason="app_uninstalled", at=NOW), tmp_path)
    assert (removed["saved_file"], removed["file"], removed["document"]) == (2, 1, 1)
    assert find_traces(engine, "T1", tmp_path) == ()
    assert not (tmp_path / "saved").exists()
    assert MARK not in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))


def test_citations_of_what_was_saved_lead_to_its_message(engine: sa.Engine, tmp_path: Path) -> None:
    note = save_files(engine, "1.1", a_file("plan.md", PLAN), text="Read it, please.")
    approve(engine, tmp_path, note)
    link = note_links(engine, tmp_path, lambda uri: f"seen:{uri}")
    for path in documents_of(tmp_path, [note.id]):
        assert link(path.resolve().as_uri()) == "https://example.slack.com/archives/C1/p1"
    for other in ("file:///etc/passwd", "http://[broken", (tmp_path / "saved" / "everyone" / "by-hand.md").as_uri()):
        assert link(other) == f"seen:{other}"


def test_files_that_wait_are_counted_by_person(engine: sa.Engine) -> None:
    save_files(engine, "1.1", a_file("plan.md", PLAN), a_file("rules.md", RULES))
    done = save_files(engine, "1.2", a_file("plan.md", PLAN))
    assert reject_note(engine, done.id, by="U9", now=NOW)
    assert waiting_files(engine, "U1", besides=("C1", "1.9")) == 2
    assert waiting_files(engine, "U1", besides=("C1", "1.1")) == 0
    assert waiting_files(engine, "U2", besides=("C1", "1.9")) == 0
