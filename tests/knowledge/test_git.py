"""Git repositories as a source: one on this machine, and one that is fetched over HTTP by the real client."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.refs import Ref
from dulwich.repo import Repo

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument, SourceChange
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import ingest
from knowledge.sources import Checkpoint, Source, kind_of, name_of, whole_location
from knowledge.sources.git.place import Pages, parse_place
from knowledge.sources.git.source import GitSource
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.ingesting import workplace
from tests.knowledge.repository import WHO, Work, served


def steps_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceChange], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)], last.cursor


class TestLocalRepository(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.work = Work(root=tmp_path / "handbook")

    def build(self) -> Source:
        return GitSource("s", str(self.work.root))

    def put(self, name: str, text: str) -> str:
        self.work.commit({name: text})
        return (self.work.root / name).as_uri()

    def take_away(self, name: str) -> None:
        self.work.commit({name: None})

    def lose_place(self) -> None:
        shutil.rmtree(self.work.root)

    def settle(self) -> None:
        """A commit is told from the next one by its id."""


class TestRemoteRepository(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.work, self.keep = Work(root=tmp_path / "handbook"), tmp_path / "keep"
        with served(self.work.root) as url:
            self.url = url
            yield

    def build(self) -> Source:
        return GitSource("s", self.url, self.keep)

    def put(self, name: str, text: str) -> str:
        self.work.commit({name: text})
        return f"{self.url.removesuffix('.git')}#{name}"

    def take_away(self, name: str) -> None:
        self.work.commit({name: None})

    def lose_place(self) -> None:
        shutil.rmtree(self.work.root / ".git")

    def settle(self) -> None:
        """A commit is told from the next one by its id."""


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(root=tmp_path / "handbook")


def test_only_what_is_a_document_of_the_branch_and_folder_is_read(work: Work, tmp_path: Path) -> None:
    work.commit({
        "guide/a.md": "a", "guide/.hidden/b.md": "b", "guide/node_modules/c.md": "c", "guide/d.bin": "d", "e.md": "e",
        "guide/f.md": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    })  # fmt: skip
    (work.root / "guide/link.md").symlink_to("/etc/passwd")
    work.commit({})
    porcelain.add(str(work.root), [str(work.root / "guide/link.md")])
    porcelain.commit(str(work.root), message=b"A link", author=WHO, committer=WHO)
    porcelain.branch_create(str(work.root), "old")
    work.commit({"guide/g.md": "g"})
    found, _ = steps_of(GitSource("s", f"{work.root}#old:guide"))
    assert [type(step).__name__ for step in found] == ["FetchedDocument", "FailedDocument"]
    assert isinstance(found[0], FetchedDocument)
    assert (found[0].content, found[0].title) == (b"a", "a")
    assert isinstance(found[1], FailedDocument)
    assert "Git LFS" in found[1].reason
    everything, _ = steps_of(GitSource("s", str(work.root)))
    assert sorted(step.uri.rpartition("/")[2] for step in everything) == ["a.md", "e.md", "f.md", "g.md"]


def test_each_document_has_the_date_of_its_last_change(work: Work) -> None:
    work.commit({"a.md": "a", "b.md": "b"})
    first = work.at
    work.commit({"b.md": "b, changed"})
    found, cursor = steps_of(GitSource("s", str(work.root)))
    dates = {step.title: step.modified_at for step in found if isinstance(step, FetchedDocument)}
    assert {step.owner for step in found if isinstance(step, FetchedDocument)} == {
        WHO.partition(b"<")[0].decode().strip()
    }
    assert dates == {"a": datetime.fromtimestamp(first, UTC), "b": datetime.fromtimestamp(work.at, UTC)}
    work.commit({"a.md": "a, changed"})
    (changed,), _ = steps_of(GitSource("s", str(work.root)), cursor)
    assert isinstance(changed, FetchedDocument)
    assert changed.modified_at == datetime.fromtimestamp(work.at, UTC)


def test_a_renamed_document_stays_the_same_and_costs_no_embedding(work: Work, tmp_path: Path) -> None:
    text = "# Badges\n\n" + "\n\n".join(f"Badge number {number} opens door {number}." for number in range(30))
    work.commit({"a.md": text, "b.md": "# Lunch\n\nLunch is at noon."})
    with workplace(tmp_path) as place:
        stored = add_source(place.engine, kind="git", location=str(work.root))
        ingest(GitSource(stored.id, str(work.root)), place.parts)
        ids = sorted(place.rows("SELECT title, id FROM document"))
        embedded = len(place.embedder.embedded_texts)
        work.commit({"a.md": None, "people/badges.md": text, "b.md": "# Lunch\n\nLunch is at one."})
        report = ingest(GitSource(stored.id, str(work.root)), place.parts)
        assert (report.added, report.changed, report.deleted, report.embedded_chunks) == (0, 2, 0, 1)
        assert len(place.embedder.embedded_texts) == embedded + 1
        assert sorted(place.rows("SELECT title, id FROM document")) == ids
        uris = {str(uri) for (uri,) in place.rows("SELECT uri FROM document")}
        assert uris == {(work.root / "people/badges.md").as_uri(), (work.root / "b.md").as_uri()}
        # Renamed and changed a little, it is the same document still.
        work.commit({"people/badges.md": None, "doors.md": text.replace("number 7 ", "number seven ")})
        again = ingest(GitSource(stored.id, str(work.root)), place.parts)
        assert (again.added, again.changed, again.deleted) == (0, 1, 0)
        assert sorted(place.rows("SELECT title, id FROM document")) == ids


def test_a_renamed_document_that_cannot_be_read_any_more_is_gone(work: Work) -> None:
    text = "some text that is long enough to be known again, by its words and its lines\n" * 3
    work.commit({"a.md": text})
    found, cursor = steps_of(GitSource("s", str(work.root)))
    work.commit(
        {"a.md": None, "b.md": "some text that is long enough to be known again, by its words and its lines\n" * 3}
    )
    deleted, failed = steps_of(GitSource("s", str(work.root), max_bytes=10), cursor)[0]
    assert deleted == DeletedDocument(uri=found[0].uri)
    assert isinstance(failed, FailedDocument)


def test_a_history_that_was_written_anew_is_followed(work: Work) -> None:
    kept = work.commit({"a.md": "a"})
    work.commit({"b.md": "b"})
    _, cursor = steps_of(GitSource("s", str(work.root)))
    with Repo(str(work.root)) as repo:
        porcelain.reset(repo, "hard", kept)
    work.commit({"c.md": "c"})
    found, _ = steps_of(GitSource("s", str(work.root)), cursor)
    assert sorted((type(step).__name__, step.uri.rpartition("/")[2]) for step in found) == [
        ("DeletedDocument", "b.md"), ("FetchedDocument", "c.md"),
    ]  # fmt: skip


def test_another_branch_that_the_repository_names_moves_its_documents(work: Work, tmp_path: Path) -> None:
    """Their pages have another address; what each was known by stays, and so does the day of its last change."""
    work.commit({"a.md": "a", "b.md": "b"})
    changed_at, hosts = work.at, {"127.0.0.1": "blob"}
    with served(work.root) as url:
        found, cursor = steps_of(GitSource("s", url, tmp_path / "keep", hosts=hosts))
        with Repo(str(work.root)) as repo:
            repo.refs[Ref(b"refs/heads/trunk")] = repo.head()
            repo.refs.set_symbolic_ref(Ref(b"HEAD"), Ref(b"refs/heads/trunk"))
        work.commit({"b.md": None})
        gone, moved = steps_of(GitSource("s", url, tmp_path / "keep", hosts=hosts), cursor)[0]
    assert gone == DeletedDocument(uri=found[1].uri)
    assert isinstance(moved, FetchedDocument)
    assert moved.moved_from == found[0].uri
    assert moved.uri == found[0].uri.replace("/blob/master/", "/blob/trunk/") != found[0].uri
    assert moved.modified_at == datetime.fromtimestamp(changed_at, UTC)


def test_a_lost_copy_is_made_again_and_nothing_is_read_twice(work: Work, tmp_path: Path) -> None:
    work.commit({"a.md": "a"})
    keep = tmp_path / "keep"
    with served(work.root) as url:
        found, cursor = steps_of(GitSource("s", url, keep))
        assert len(found) == 1
        for rest in ("", "HEAD"):
            shutil.rmtree(keep)
            if rest:
                # What a run leaves that was killed while it began.
                (keep / "s").mkdir(parents=True)
                (keep / "s" / rest).touch()
            assert steps_of(GitSource("s", url, keep), cursor)[0] == []


def test_what_is_missing_is_said(work: Work, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match="no branch 'gone'"):
        steps_of(GitSource("s", f"{work.root}#gone"))
    with pytest.raises(SourceUnavailableError, match="no git repository"):
        steps_of(GitSource("s", str(tmp_path)))
    with pytest.raises(SourceUnavailableError, match="cannot be fetched"):
        steps_of(GitSource("s", "http://127.0.0.1:9/a.git", tmp_path / "keep"))
    with served(work.root) as url, pytest.raises(SourceUnavailableError, match="no branch 'gone'"):
        steps_of(GitSource("s", f"{url}#gone", tmp_path / "keep"))


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("https://github.com/team/handbook.git", "https://github.com/team/handbook/blob/main/a%20b.md"),
        ("git@github.com:team/handbook.git#dev", "https://github.com/team/handbook/blob/dev/a%20b.md"),
        ("ssh://git@gitlab.com/team/sub/book.git", "https://gitlab.com/team/sub/book/-/blob/main/a%20b.md"),
        ("https://git.example.com/handbook.git", "https://git.example.com/handbook#a%20b.md"),
        ("http://ada@git.example.com:3000/team/handbook.git", "http://git.example.com:3000/team/handbook#a%20b.md"),
        ("ssh://git@git.example.com:2222/team/handbook.git", "https://git.example.com/team/handbook#a%20b.md"),
    ],
)
def test_a_file_has_the_address_of_its_page(location: str, uri: str) -> None:
    place = parse_place(location)
    assert Pages(place=place, branch=place.branch or "main").uri("a b.md") == uri


@pytest.mark.parametrize(
    ("location", "is_remote"),
    [
        ("https://example.com/a.git", True),
        ("git@example.com:a/b.git", True),
        ("ssh://git@example.com/a", True),
        ("ssh://-oProxyCommand=x/a", False),
        ("-oProxyCommand=x:a", False),
        ("/srv/handbook", False),
    ],
)
def test_only_an_address_is_fetched(location: str, is_remote: bool) -> None:
    assert parse_place(location).is_remote == is_remote


@pytest.mark.parametrize("location", ["", "#main", "/srv/book#main:../etc", "https://ada:secret@example.com/a.git"])
def test_a_bad_location_is_refused(location: str) -> None:
    with pytest.raises(SourceError) as refused:
        parse_place(location)
    assert "secret" not in str(refused.value)


def test_a_location_tells_its_kind_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [kind_of(one) for one in ("git@example.com:a/b.git", "https://example.com/a/b.git#main:docs", "docs")] == [
        "git", "git", "files",
    ]  # fmt: skip
    assert name_of("git@example.com:team/handbook.git#main:docs") == "handbook"
    assert name_of("/srv/docs") == "docs"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").mkdir()
    assert whole_location("git", "book#main") == f"{tmp_path.resolve() / 'book'}#main"
    assert whole_location("git", "https://example.com/b.git") == "https://example.com/b.git"
