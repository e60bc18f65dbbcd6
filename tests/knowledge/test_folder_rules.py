"""A file in a folder says who may read what is below it; what is wrong with it opens nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from knowledge.audience import group_audience, nobody_audience
from knowledge.document import AudienceChange, FailedDocument, FetchedDocument
from knowledge.ingest import SyncReport
from knowledge.readers import groups_of
from knowledge.sources import Checkpoint
from knowledge.sources.folder_rules import RULE_FILE, audience_below, parse_rule, read_rule
from knowledge.sources.git.source import GitSource
from knowledge.store import add_source
from tests.knowledge.ingesting import Workplace, workplace
from tests.knowledge.repository import Files, Work, write_files


@pytest.mark.parametrize("line", ["everyone", "channel:C012", "person:U012", "usergroup:S012"])
def test_one_line_names_an_audience(line: str) -> None:
    assert parse_rule("s", f"# who\n\n  {line}  \n").audience == line


def test_lines_of_people_are_a_group() -> None:
    rule = parse_rule("s", "Ada@Example.org\nU0BEN\n")
    assert rule.members == {"ada@example.org", "U0BEN"}
    assert rule.audience == group_audience("s", {"ada@example.org", "U0BEN"})
    assert rule.readers is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names nobody"),
        ("# nothing\n", "names nobody"),
        ("everybody\n", "line 1 is 'everybody'"),
        ("everyone\nada@example.org\n", "line 1 is 'everyone'"),
        ("ada@example.org\nchannel:C012\n", "line 2 is 'channel:C012'"),
        ("group:0123", "line 1"),
        ("channel:", "line 1"),
    ],
)
def test_what_is_not_understood_is_for_nobody(text: str, problem: str) -> None:
    rule = parse_rule("s", text)
    assert rule.audience == nobody_audience("s")
    assert problem in rule.problem


def test_a_link_a_folder_and_bytes_are_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("everyone")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("#" * 70_000)
    for name in ("link", "folder", "bytes", "long", "missing"):
        assert read_rule("s", tmp_path / name).problem, name
    assert not read_rule("s", tmp_path / "real").problem


def test_the_nearest_folder_holds() -> None:
    rules = {"": "channel:C1", "a/b/": "everyone"}
    found = {path: audience_below(rules, path, "person:U1") for path in ("x.md", "a/x.md", "a/b/x.md", "a/b/c/x.md")}
    assert found == {"x.md": "channel:C1", "a/x.md": "channel:C1", "a/b/x.md": "everyone", "a/b/c/x.md": "everyone"}
    assert audience_below({}, "a/x.md", "person:U1") == "person:U1"


@dataclass(kw_only=True)
class Docs:
    """A place that people write documents to: a folder, or a repository in which each change is committed."""

    place: Workplace
    repository: Work | None = None

    def put(self, files: Files) -> None:
        if self.repository is None:
            write_files(self.place.root, files)
        else:
            self.repository.commit(files)

    def sync(self) -> SyncReport:
        return self.place.sync()

    @property
    def audiences(self) -> dict[str, str]:
        return {
            str(uri).rpartition("/docs/")[2]: str(audience)
            for uri, audience in self.place.rows("SELECT uri, audience FROM document")
        }

    def group(self, *members: str) -> str:
        return group_audience(self.place.stored.id, members)


@pytest.fixture(params=["files", "git"])
def docs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Docs]:
    with workplace(tmp_path) as place:
        if request.param == "git":
            (tmp_path / "repository").mkdir()
            work = Work(root=tmp_path / "repository" / "docs")
            place.stored = add_source(place.engine, kind="git", location=str(work.root), name="repository")
            yield Docs(place=place, repository=work)
        else:
            yield Docs(place=place)


def test_a_changed_rule_takes_effect_with_the_next_run_and_embeds_nothing(docs: Docs) -> None:
    place = docs.place
    docs.put({
        "a.md": "alpha", "team/b.md": "beta", "team/open/c.md": "gamma",
        f"team/{RULE_FILE}": "channel:C1", f"team/open/{RULE_FILE}": "everyone",
    })  # fmt: skip
    assert docs.sync().added == 3
    assert docs.audiences == {"a.md": "everyone", "team/b.md": "channel:C1", "team/open/c.md": "everyone"}
    docs.put({f"team/{RULE_FILE}": "ada@example.org\nU0BEN", f"team/open/{RULE_FILE}": None})
    report = docs.sync()
    assert (report.embedded_chunks, report.changed, report.unchanged) == (0, 0, 3)
    group = docs.group("ada@example.org", "U0BEN")
    assert docs.audiences == {"a.md": "everyone", "team/b.md": group, "team/open/c.md": group}
    assert groups_of(place.engine, {"ada@example.org"}) == {group}
    assert groups_of(place.engine, {"U0CHLOE"}) == frozenset()
    # Again with nothing changed: the permissions are told anew, and stay.
    docs.sync()
    assert groups_of(place.engine, {"U0BEN"}) == {group}
    docs.put({f"team/{RULE_FILE}": None})
    assert docs.sync().failed == ()
    assert set(docs.audiences.values()) == {"everyone"}


@pytest.mark.parametrize("repaired", ["everyone", None])
@pytest.mark.parametrize("broken", [b"evryone", b"\xff\xfe", b"#" * 70_000, b""])
def test_a_broken_rule_lets_nobody_read_what_is_below_and_is_listed(
    docs: Docs, broken: bytes, repaired: str | None
) -> None:
    docs.put({"a.md": "alpha", "team/b.md": "beta", "team/deep/c.md": "gamma", f"team/{RULE_FILE}": "channel:C1"})
    docs.sync()
    docs.put({f"team/{RULE_FILE}": broken, "team/deep/new.md": "delta"})
    for _ in range(2):
        (failure,) = docs.sync().failed
        assert failure.uri.endswith(f"/team/{RULE_FILE}")
        assert failure.reason.startswith("Nobody may read what is below this folder: ")
        nobody = docs.group()
        closed = dict.fromkeys(("team/b.md", "team/deep/c.md", "team/deep/new.md"), nobody)
        assert docs.audiences == {"a.md": "everyone", **closed}
    assert [uri for (uri,) in docs.place.rows("SELECT uri FROM document_failure")] == [failure.uri]
    docs.put({f"team/{RULE_FILE}": repaired})
    assert docs.sync().failed == ()
    assert set(docs.audiences.values()) == {"everyone"}
    assert docs.place.rows("SELECT uri FROM document_failure") == []


def test_what_has_the_name_of_a_rule_and_is_no_file_lets_nobody_read(docs: Docs) -> None:
    (docs.place.root / "real").write_text("everyone")
    docs.put({
        "linked/a.md": "alpha", f"linked/{RULE_FILE}": docs.place.root / "real",
        "folder/b.md": "beta", f"folder/{RULE_FILE}/note.md": "everyone",
    })  # fmt: skip
    failed = docs.sync().failed
    assert all("Nobody may read" in failure.reason for failure in failed)
    assert docs.audiences == dict.fromkeys(("linked/a.md", "folder/b.md"), docs.group())
    assert len(failed) == 2


def test_a_document_has_the_audience_of_the_folder_that_it_was_moved_to(docs: Docs) -> None:
    text = "\n\n".join(f"Badge number {number} opens door {number}." for number in range(30))
    docs.put({"open/a.md": text, f"closed/{RULE_FILE}": "ada@example.org", "closed/b.md": "beta"})
    docs.sync()
    docs.put({"open/a.md": None, "closed/a.md": text})
    assert docs.sync().embedded_chunks == 0
    assert set(docs.audiences) == {"closed/a.md", "closed/b.md"}
    assert set(docs.audiences.values()) == {docs.group("ada@example.org")}


def test_a_moved_document_that_cannot_be_read_any_more_is_not_for_more_people(docs: Docs) -> None:
    text = "\n\n".join(f"Badge number {number} opens door {number}." for number in range(30))
    docs.put({"open/a.txt": text, f"closed/{RULE_FILE}": "ada@example.org"})
    docs.sync()
    docs.put({"open/a.txt": None, "closed/a.pdf": text})
    assert len(docs.sync().failed) == 1
    assert "everyone" not in docs.audiences.values()


def test_of_a_repository_only_the_commit_says_who_may_read(tmp_path: Path) -> None:
    work = Work(root=tmp_path / "docs")
    work.commit({"a.md": "alpha", RULE_FILE: "channel:C1"})
    (work.root / RULE_FILE).write_text("everyone")
    assert _told(GitSource("s", str(work.root))) == {"a.md": "channel:C1"}


def test_a_rule_above_the_folder_that_is_read_of_a_repository_holds(tmp_path: Path) -> None:
    work = Work(root=tmp_path / "docs")
    work.commit({
        RULE_FILE: "channel:C1", "guide/a.md": "alpha", f"guide/deep/{RULE_FILE}": "channel:C2", "guide/deep/b.md": "b",
        f"other/{RULE_FILE}": "evryone", f"guide/node_modules/{RULE_FILE}": "evryone", "guide/open.md": "o",
    })  # fmt: skip
    source = GitSource("s", f"{work.root}#:guide")
    assert _told(source) == {"guide/a.md": "channel:C1", "guide/deep/b.md": "channel:C2", "guide/open.md": "channel:C1"}
    assert [step for step in source.changes(None) if isinstance(step, FailedDocument)] == []


def test_a_cursor_of_before_there_were_rules_takes_them_on(tmp_path: Path) -> None:
    work = Work(root=tmp_path / "docs")
    commit = work.commit({"a.md": "alpha", RULE_FILE: "channel:C1"})
    *_, last = GitSource("s", str(work.root)).changes(None)
    assert isinstance(last, Checkpoint)
    old = json.dumps({"commit": commit, "files": json.loads(last.cursor)["files"]})
    steps = list(GitSource("s", str(work.root)).changes(old))
    assert AudienceChange(uri=(work.root / "a.md").as_uri(), audience="channel:C1") in steps
    assert [step for step in steps if isinstance(step, FetchedDocument)] == []


def _told(source: GitSource) -> dict[str, str]:
    return {
        step.uri.rpartition("/docs/")[2]: step.audience
        for step in source.changes(None)
        if isinstance(step, FetchedDocument)
    }
