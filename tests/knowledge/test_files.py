from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.audience import channel_audience
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.sources import Checkpoint, Expected, FolderSource, Source, SourcePlace, SourceStep, open_source
from knowledge.sources.file_facts import FACTS_FILE, FileFacts, write_facts
from tests.contracts.source import SourceContract


class TestFolderSource(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.root = tmp_path / "docs"
        self.root.mkdir()

    def build(self) -> Source:
        return FolderSource("s", self.root)

    def put(self, name: str, text: str) -> str:
        (self.root / name).write_text(text)
        return (self.root / name).as_uri()

    def take_away(self, name: str) -> None:
        (self.root / name).unlink()

    def lose_place(self) -> None:
        shutil.rmtree(self.root)

    def settle(self) -> None:
        make_old(self.root)


def make_old(root: Path) -> None:
    """Date all files back: what was written just now is read once more, see the source."""
    for file in root.rglob("*"):
        os.utime(file, ns=(1, time.time_ns() - 60_000_000_000))


def fetched(steps: Iterator[SourceStep]) -> list[FetchedDocument]:
    return [step for step in steps if isinstance(step, FetchedDocument)]


def test_delivers_a_document_with_what_is_known_of_it(tmp_path: Path) -> None:
    (tmp_path / "Travel Guide.HTML").write_bytes(b"<p>Book early")
    (document,) = fetched(FolderSource("s", tmp_path, channel_audience("C1")).changes(None))
    assert document.uri == (tmp_path / "Travel Guide.HTML").as_uri()
    assert (document.title, document.media_type, document.content) == ("Travel Guide", "text/html", b"<p>Book early")
    assert document.audience == "channel:C1"
    assert document.modified_at is not None
    assert document.modified_at.tzinfo is not None


def test_passes_over_what_is_hidden_unknown_or_not_a_regular_file(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    root = tmp_path / "root"
    for folder in (".git", ".hidden", "node_modules", "venv", "good"):
        (root / folder).mkdir(parents=True)
        (root / folder / "page.md").write_text("text")
    (root / ".hidden.md").write_text("hidden")
    (root / "picture.png").write_bytes(b"\x89PNG")
    (root / "link.md").symlink_to(outside / "secret.md")
    (root / "folder-link").symlink_to(outside)
    os.mkfifo(root / "pipe.md")
    assert [document.uri for document in fetched(FolderSource("s", root).changes(None))] == [
        (root / "good" / "page.md").as_uri()
    ]


def test_a_single_file_is_a_source_too(tmp_path: Path) -> None:
    file = tmp_path / "only.md"
    file.write_text("text")
    (tmp_path / "other.md").write_text("not this one")
    source = FolderSource("s", file)
    assert [document.uri for document in fetched(source.changes(None))] == [file.as_uri()]
    file.unlink()
    with pytest.raises(SourceUnavailableError, match=r"only\.md cannot be read"):
        list(source.changes(None))


def test_a_file_over_the_limit_is_a_failure_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_bytes(b"x" * 2_000_000)
    (step,) = [one for one in FolderSource("s", tmp_path, max_bytes=1024 * 1024).changes(None) if is_change(one)]
    assert isinstance(step, FailedDocument)
    assert "larger than 1 MB" in step.reason


def is_change(step: SourceStep) -> bool:
    return not isinstance(step, Checkpoint | Expected)


def test_what_was_written_just_now_is_read_once_more(tmp_path: Path) -> None:
    """Two writes within one tick of the clock look the same; the second must not be missed."""
    (tmp_path / "a.md").write_text("one")
    source = FolderSource("s", tmp_path)
    cursor = list(source.changes(None))[-1]
    assert isinstance(cursor, Checkpoint)
    assert len(fetched(source.changes(cursor.cursor))) == 1


def test_a_folder_that_moved_to_an_empty_disk_deletes_nothing(tmp_path: Path) -> None:
    """An unmounted disk leaves an empty folder behind."""
    cursor = '{"device": -1, "files": {"a.md": [1, 1]}}'
    with pytest.raises(SourceUnavailableError, match="mounted"):
        list(FolderSource("s", tmp_path).changes(cursor))


def test_an_emptied_folder_on_the_same_disk_deletes_its_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    source = FolderSource("s", tmp_path)
    cursor = list(source.changes(None))[-1]
    assert isinstance(cursor, Checkpoint)
    (tmp_path / "a.md").unlink()
    assert [step for step in source.changes(cursor.cursor) if isinstance(step, DeletedDocument)] == [
        DeletedDocument(uri=(tmp_path / "a.md").as_uri())
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder: run as another user")
def test_an_unreadable_folder_is_a_failure_and_keeps_its_documents(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a.md").write_text("one")
    source = FolderSource("s", tmp_path)
    cursor = list(source.changes(None))[-1]
    assert isinstance(cursor, Checkpoint)
    (tmp_path / "closed").chmod(0)
    steps = [step for step in source.changes(cursor.cursor) if is_change(step)]
    (tmp_path / "closed").chmod(0o700)
    assert [type(step) for step in steps] == [FailedDocument]
    assert isinstance(steps[0], FailedDocument)
    assert steps[0].uri == (tmp_path / "closed").as_uri() + "/"


def test_names_that_are_not_unicode_work(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("text")
    source = FolderSource("s", tmp_path)
    (document,) = fetched(source.changes(None))
    assert document.uri.endswith("caf%E9.md")
    document.title.encode("utf-8")


def test_an_unknown_kind_of_source_is_refused() -> None:
    with pytest.raises(SourceError, match=r"there are: .*files"):
        open_source("ftp", SourcePlace(id="s", location="/"))


def test_a_hidden_file_says_what_others_are_called_and_whose_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "note-1"
    folder.mkdir()
    for name in ("scan.txt", "other.txt"):
        (folder / name).write_text("words")
    write_facts(folder, {"scan.txt": FileFacts(title="Travel policy", owner="Ada Park")})
    found = {one.uri.rpartition("/")[2]: one for one in fetched(FolderSource("s", tmp_path).changes(None))}
    assert {name: (one.title, one.titled, one.owner) for name, one in found.items()} == {
        "scan.txt": ("Travel policy", True, "Ada Park"),
        "other.txt": ("other", False, ""),
    }


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"scan.txt": []}', b'{"scan.txt": {"title": 7}}', b"\xff"])
def test_a_hidden_file_that_makes_no_sense_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "scan.txt").write_text("words")
    (tmp_path / FACTS_FILE).write_bytes(content)
    (found,) = fetched(FolderSource("s", tmp_path).changes(None))
    assert (found.title, found.titled) == ("scan", False)
