"""Private repositories over HTTP, and the copies that are kept: by the real client, at a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.document import FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources import Checkpoint
from knowledge.sources.git.fetch import MOST_PACKS
from knowledge.sources.git.place import parse_place
from knowledge.sources.git.source import GitSource
from tests.knowledge.repository import Entrance, Work, served


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = Work(root=tmp_path / "handbook")
    made.commit({"a.md": "a"})
    return made


def titles(source: GitSource) -> list[str]:
    return [step.title for step in source.changes(None) if isinstance(step, FetchedDocument)]


@pytest.mark.parametrize(("user", "secret"), [("ada", "ada:t0ken"), ("oauth2", "t0ken")])
def test_a_private_repository_is_read_with_its_credential(work: Work, tmp_path: Path, user: str, secret: str) -> None:
    with served(work.root, Entrance(user=user, token="t0ken")) as url:
        assert titles(GitSource("s", url, tmp_path / "keep", secret=Secret(secret))) == ["a"]
    kept = [path for path in (tmp_path / "keep").rglob("*") if path.is_file() and b"t0ken" in path.read_bytes()]
    assert kept == []


def test_a_missing_or_wrong_credential_is_said_and_never_shown(work: Work, tmp_path: Path) -> None:
    with served(work.root, Entrance(user="ada", token="t0ken")) as url:
        with pytest.raises(SourceUnavailableError, match="wants a credential"):
            titles(GitSource("s", url, tmp_path / "keep"))
        with pytest.raises(SourceUnavailableError, match="refuses the credential") as refused:
            titles(GitSource("s", url, tmp_path / "keep", secret=Secret("ada:wr0ng")))
    assert "wr0ng" not in str(refused.value)
    assert list((tmp_path / "keep").iterdir()) == []


def test_a_credential_is_not_sent_where_a_redirect_leads(work: Work, tmp_path: Path) -> None:
    elsewhere = Entrance()
    with served(work.root, elsewhere) as other:
        own = Entrance(leads_to=other.removesuffix("/handbook.git"))
        with served(work.root, own) as asked:
            assert titles(GitSource("s", asked, tmp_path / "keep", secret=Secret("ada:t0ken"))) == ["a"]
    assert own.seen[0].startswith("Basic ")
    assert set(elsewhere.seen) == {""}


@pytest.mark.parametrize("url", ["git@example.com:a/b.git", "http://git.example.com/a.git", "/srv/book"])
def test_a_credential_goes_over_https_only(url: str) -> None:
    with pytest.raises(SourceError, match="https") as refused:
        GitSource("s", url, secret=Secret("ada:t0ken"))
    assert "t0ken" not in str(refused.value)


def test_how_far_a_fetch_is_is_told(work: Work, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with served(work.root) as url:
        titles(GitSource("s", url, tmp_path / "keep", fetching=lambda done, total: told.append((done, total))))
    assert told
    assert all(0 <= done <= total for done, total in told)


def test_a_fetch_brings_only_what_is_new(work: Work, tmp_path: Path) -> None:
    work.commit({f"{number}.md": f"{number} " + "".join(map(chr, range(40, 4000))) for number in range(20)})
    with served(work.root) as url:
        titles(GitSource("s", url, tmp_path / "keep"))
        before = {path: path.stat().st_size for path in (tmp_path / "keep").rglob("*.pack")}
        work.commit({"b.md": "b"})
        titles(GitSource("s", url, tmp_path / "keep"))
        new = [path.stat().st_size for path in (tmp_path / "keep").rglob("*.pack") if path not in before]
    assert len(new) == 1
    assert new[0] < sum(before.values()) / 10


def test_a_copy_of_many_fetches_is_packed_and_nothing_is_read_twice(work: Work, tmp_path: Path) -> None:
    cursor: str | None = None
    counts: list[int] = []
    with served(work.root) as url:
        for number in range(MOST_PACKS + 3):
            work.commit({"a.md": f"a {number}"})
            *steps, last = GitSource("s", url, tmp_path / "keep").changes(cursor)
            assert isinstance(last, Checkpoint)
            cursor = last.cursor
            assert [step.content for step in steps if isinstance(step, FetchedDocument)] == [f"a {number}".encode()]
            counts.append(len(list((tmp_path / "keep" / "s").glob("objects/pack/*.pack"))))
    assert max(counts) <= MOST_PACKS
    assert counts[-1] < 5


@pytest.mark.parametrize(
    "user", ["me:secret", "ghp_0123456789abcdefghijABCDEFGHIJ012345", "glpat-0123456789abcdefghij", "a" * 40]
)
def test_an_address_that_holds_a_secret_is_refused_and_not_repeated(user: str) -> None:
    with pytest.raises(SourceError, match="lorekeeper credentials set") as refused:
        parse_place(f"https://{user}@git.example.com/team/handbook.git")
    assert user.rpartition(":")[2] not in str(refused.value)


def test_a_user_alone_may_be_named() -> None:
    address = "https://ana@bitbucket.org/team/handbook.git"
    assert parse_place(address).url == address
