from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.audience import channel_audience
from knowledge.document import DeletedDocument, FetchedDocument
from knowledge.errors import (
    DatabaseError,
    EmbedderMismatchError,
    SourceBusyError,
    SourceError,
    SourceUnavailableError,
)
from knowledge.ingest import ingest
from knowledge.ingest_rows import only_run
from knowledge.sources import Checkpoint, Expected, SourcePlace, SourceStep, open_source
from knowledge.store import remove_source, source_statuses
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.ingesting import Workplace, workplace


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as one:
        yield one


def test_a_first_run_stores_documents_chunks_words_and_vectors(place: Workplace) -> None:
    place.write("travel.md", "# Travel\n\nTrains are paid.")
    place.write("deep/er/food.txt", "Lunch is not paid.")
    report = place.sync()
    assert (report.added, report.changed, report.deleted, report.unchanged, report.failed) == (2, 0, 0, 0, ())
    assert place.texts() == {"travel.md": ["Trains are paid."], "food.txt": ["Lunch is not paid."]}
    assert place.rows("SELECT title FROM document ORDER BY title") == [("Travel",), ("food",)]
    found = "SELECT rowid FROM chunk_words WHERE chunk_words MATCH 'train'"
    assert place.rows(f"SELECT text FROM chunk WHERE id IN ({found})") == [("Trains are paid.",)]


def test_who_watches_is_told_how_many_documents_are_done_of_how_many(place: Workplace) -> None:
    """Deletions, permissions and checkpoints count for nothing; each part of a source tells its own number."""
    told: list[tuple[int, int | None]] = []

    class Parts:
        id = place.stored.id

        def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
            del cursor, retry
            for part in ("a", "b"):
                yield DeletedDocument(uri="gone")
                yield Expected(documents=2)
                for name in (f"{part}1", f"{part}2"):
                    yield FetchedDocument(uri=name, title=name, content=name.encode(), media_type="text/plain")
                yield Checkpoint(cursor=part)

    ingest(Parts(), place.parts, progress=lambda _what, done, total: told.append((done, total)))
    assert sorted(set(told)) == [(1, 2), (2, 2), (3, 4), (4, 4)]


def test_a_second_run_with_nothing_changed_does_no_work(place: Workplace) -> None:
    place.write("travel.md", "Trains are paid.")
    place.sync()
    ids = place.rows("SELECT id FROM chunk")
    revision = place.rows("SELECT number FROM revision")
    place.embedder.embedded_texts.clear()
    report = place.sync()
    assert (report.added, report.changed, report.unchanged, report.embedded_chunks) == (0, 0, 1, 0)
    assert place.embedder.embedded_texts == []
    assert place.rows("SELECT id FROM chunk") == ids
    assert place.rows("SELECT number FROM revision") == revision


def test_edits_additions_and_deletions_show(place: Workplace) -> None:
    for name in ("stays.md", "changes.md", "goes.md"):
        place.write(name, f"This is {name} as it was.")
    place.sync()
    place.write("changes.md", "It says something else now.")
    place.write("comes.md", "This one is new.")
    (place.root / "goes.md").unlink()
    report = place.sync()
    assert (report.added, report.changed, report.deleted, report.unchanged) == (1, 1, 1, 1)
    assert place.texts() == {
        "stays.md": ["This is stays.md as it was."],
        "changes.md": ["It says something else now."],
        "comes.md": ["This one is new."],
    }
    assert place.rows("SELECT count(*) FROM vector") == [(3,)]


def test_text_that_moves_is_not_embedded_again(place: Workplace) -> None:
    place.write("one.md", "# Guide\n\nTrains are paid.")
    place.sync()
    place.embedder.embedded_texts.clear()
    (place.root / "one.md").rename(place.root / "two.md")
    report = place.sync()
    assert (report.added, report.deleted) == (1, 1)
    assert place.embedder.embedded_texts == []
    assert place.texts() == {"two.md": ["Trains are paid."]}


def test_chunk_ids_are_never_used_again(place: Workplace) -> None:
    place.write("a.md", "first")
    place.sync()
    ((first,),) = place.rows("SELECT max(id) FROM chunk")
    (place.root / "a.md").unlink()
    place.sync()
    place.write("a.md", "first")
    place.sync()
    ((second,),) = place.rows("SELECT max(id) FROM chunk")
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert second > first


def test_one_bad_document_is_listed_and_the_run_goes_on(place: Workplace) -> None:
    place.write("a.md", "good one")
    place.write("bad.pdf", "this is no PDF")
    place.write("z.md", "good two")
    report = place.sync()
    assert report.added == 2
    assert [failure.uri.rpartition("/")[2] for failure in report.failed] == ["bad.pdf"]
    (status,) = source_statuses(place.engine)
    assert status.failures == report.failed
    assert status.last_run is not None
    assert (status.last_run.failed, status.last_run.error) == (1, None)


def test_a_failed_document_is_tried_again_and_forgotten_when_it_works_or_goes(place: Workplace) -> None:
    place.write("bad.pdf", "this is no PDF")
    place.write("worse.pdf", "this is none either")
    place.sync()
    assert len(place.sync().failed) == 2
    (place.root / "bad.pdf").unlink()
    place.write("worse.pdf", "still none")
    assert len(place.sync().failed) == 1
    (place.root / "worse.pdf").unlink()
    assert place.sync().failed == ()
    assert place.rows("SELECT * FROM document_failure") == []


def test_what_was_known_of_a_document_stays_when_its_new_version_cannot_be_read(place: Workplace) -> None:
    place.write("a.txt", "readable text")
    place.sync()
    (place.root / "a.txt").write_bytes(bytes(range(256)) * 40)
    assert len(place.sync().failed) == 1
    assert place.texts() == {"a.txt": ["readable text"]}


def test_a_vanished_folder_deletes_nothing_and_is_recorded(place: Workplace) -> None:
    place.write("a.md", "text")
    place.sync()
    shutil.rmtree(place.root)
    with pytest.raises(SourceUnavailableError):
        place.sync()
    assert place.texts() == {"a.md": ["text"]}
    (status,) = source_statuses(place.engine)
    assert status.last_run is not None
    assert status.last_run.finished_at is not None
    assert "cannot be read" in (status.last_run.error or "")


def test_a_source_is_read_by_one_run_at_a_time(place: Workplace) -> None:
    with only_run(place.engine, place.stored.id), pytest.raises(SourceBusyError):
        place.sync()
    place.sync()


def test_a_removed_source_leaves_nothing_behind(place: Workplace) -> None:
    place.write("a.md", "text")
    place.write("bad.pdf", "no PDF")
    place.sync()
    assert remove_source(place.engine, place.stored.id) == 1
    for table in ("source", "document", "chunk", "vector", "document_failure", "sync_run", "chunk_words"):
        assert place.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    with pytest.raises(SourceError, match="not known"):
        place.sync()


def test_a_source_removed_while_it_is_read_ends_the_run(place: Workplace) -> None:
    class RemovedMeanwhile:
        id = place.stored.id

        def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
            yield FetchedDocument(uri="x:1", title="one", content=b"one", media_type="text/plain")
            remove_source(place.engine, self.id)

    with pytest.raises(SourceError, match="not known"):
        ingest(RemovedMeanwhile(), place.parts)
    assert place.rows("SELECT count(*) FROM chunk") == [(0,)]


def test_the_audience_of_the_source_reaches_its_documents(place: Workplace) -> None:
    place.write("a.md", "text")
    place.sync()
    one = place.stored
    os.utime(place.root / "a.md", (0, 0))
    before = place.rows("SELECT number FROM revision")
    report = ingest(
        open_source(one.kind, SourcePlace(id=one.id, location=one.location, audience=channel_audience("C1"))),
        place.parts,
    )
    assert report.embedded_chunks == 0
    assert place.rows("SELECT audience FROM document") == [("channel:C1",)]
    assert place.rows("SELECT number FROM revision") != before


def test_another_embedder_needs_a_rebuild_and_gets_it(place: Workplace, tmp_path: Path) -> None:
    place.write("a.md", "text one")
    place.write("bad.txt", "text two")
    place.sync()
    (place.root / "bad.txt").write_bytes(bytes(range(256)) * 40)
    place.parts = replace(place.parts, embedder=FakeEmbedder("other", dim=32))
    with pytest.raises(EmbedderMismatchError, match=r"fake \(64\).*other \(32\).*sync --rebuild"):
        place.sync()
    report = place.sync(rebuild=True)
    assert report.changed == 1
    assert place.texts() == {"a.md": ["text one"], "bad.txt": ["text two"]}
    assert place.rows("SELECT embedder, length(vector) FROM vector") == [("other", 128), ("other", 128)]
    assert place.sync().embedded_chunks == 0


def test_a_rebuild_reads_everything_again_and_drops_what_is_gone(place: Workplace) -> None:
    place.write("a.md", "text one")
    place.write("b.md", "text two")
    place.sync()
    (place.root / "b.md").unlink()
    report = place.sync(rebuild=True)
    assert (report.changed, report.deleted, report.embedded_chunks) == (1, 1, 0)
    assert place.texts() == {"a.md": ["text one"]}


def test_without_a_cursor_everything_is_looked_at_and_what_is_not_mentioned_is_gone(place: Workplace) -> None:
    """So begins a run after one that stored changes and was killed before its cursor."""
    place.write("a.md", "text one")
    place.write("b.md", "text two")
    place.sync()
    with place.engine.begin() as connection:
        connection.execute(sa.text("UPDATE source SET unsettled = 1"))
    (place.root / "b.md").unlink()
    place.embedder.embedded_texts.clear()
    report = place.sync()
    assert (report.changed, report.deleted, report.unchanged) == (0, 1, 1)
    assert place.embedder.embedded_texts == []
    assert place.rows("SELECT unsettled FROM source") == [(0,)]


def test_a_run_can_be_stopped_and_goes_on_later(place: Workplace) -> None:
    for number in range(250):
        place.write(f"{number:03}.md", f"text {number}")
    stop = threading.Event()
    stop.set()
    one = place.stored
    source = open_source(one.kind, SourcePlace(id=one.id, location=one.location, audience=one.audience))
    report = ingest(source, place.parts, stop=stop)
    assert report.stopped
    assert 0 < report.added < 250
    place.embedder.embedded_texts.clear()
    rest = place.sync()
    assert rest.added == len(place.embedder.embedded_texts) == 250 - report.added
    assert rest.unchanged == report.added


def test_a_checkpoint_on_the_way_is_where_the_next_run_begins(place: Workplace) -> None:
    class Breaking:
        id = place.stored.id
        began: list[str | None] = []  # noqa: RUF012

        def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
            self.began.append(cursor)
            for number in range(int(cursor or 0), 4):
                yield FetchedDocument(uri=f"x:{number}", title="", content=b"text %d" % number, media_type="text/plain")
                yield Checkpoint(cursor=str(number + 1))
                if number == 1 and len(self.began) == 1:
                    raise SourceUnavailableError("The connection broke.")

    source = Breaking()
    with pytest.raises(SourceUnavailableError):
        ingest(source, place.parts)
    report = ingest(source, place.parts)
    assert source.began == [None, "2"]
    assert (report.added, report.unchanged) == (2, 2)


def test_a_deletion_of_an_unknown_document_counts_for_nothing(place: Workplace) -> None:
    class Deleting:
        id = place.stored.id

        def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
            yield DeletedDocument(uri="x:never")
            yield Checkpoint(cursor="1")

    assert ingest(Deleting(), place.parts).deleted == 0


def test_generations_are_published_after_a_run_that_ended_well(place: Workplace) -> None:
    published: list[int] = []
    place.parts = replace(place.parts, publish=lambda: published.append(1))
    place.write("a.md", "text")
    place.sync()
    assert published == [1]


def test_a_full_disk_is_said_and_loses_nothing_that_was_stored(place: Workplace) -> None:
    place.write("a.md", "text")
    place.sync()
    place.write("b.md", "\n\n".join(f"# Part {number}\n\n{'words ' * 150}" for number in range(400)))

    def allow_no_growth(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(place.engine, "checkout", allow_no_growth)
    with pytest.raises(DatabaseError, match="free some space"):
        place.sync()
    sa.event.remove(place.engine, "checkout", allow_no_growth)
    place.engine.dispose()
    assert place.texts() == {"a.md": ["text"]}
    assert place.sync().added == 1


def test_whoever_sent_a_mail_answers_for_it(place: Workplace) -> None:
    place.write("a.eml", "From: Ada <ada@example.com>\nSubject: Badges\n\nThey are at the desk.\n")
    place.sync()
    place.sync()
    assert place.rows("SELECT owner FROM document") == [("Ada",)]
