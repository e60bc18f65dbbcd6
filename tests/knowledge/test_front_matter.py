"""The lines in front of a Markdown file say who answers for it, and nothing in them can hurt."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.document import FetchedDocument
from knowledge.front_matter import owner_of
from knowledge.sources import FolderSource
from knowledge.sources.git.source import GitSource
from tests.knowledge.repository import Work


@pytest.mark.parametrize(
    ("front", "owner"),
    [
        ("owner: Ana Ruiz", "Ana Ruiz"),
        ('title: Leave\nowner: "People \\"Ops\\""\n', 'People "Ops"'),
        ("author: Ben\nOwner: 'Ana''s team'", "Ana's team"),
        ("author: Ben # since May", "Ben"),
        ("author: Ben\r", "Ben"),
        ("owner: \nauthor: Ben", "Ben"),
        ("owner: [Ana, Ben]", ""),
        ("owner: |\n  Ana", ""),
        ("owner: @ana", ""),
        ("owner:\n  - Ana", ""),
        ('owner: "', ""),
        ("co-owner: Ana", ""),
        ("  owner: Ana", ""),
        ("owner: A\u202en\u200ba\x07", "Ana"),
        ("owner: " + "x" * 500, "x" * 80),
    ],
)
def test_the_owner_is_one_line_of_plain_text(front: str, owner: str) -> None:
    assert owner_of(f"---\n{front}\n---\n\n# Leave\n".encode(), "text/markdown") == owner


@pytest.mark.parametrize(
    "text",
    [
        "# Leave\n\nowner: Ana",
        "owner: Ana",
        "---\nowner: Ana\n",
        "text\n---\nowner: Ana\n---\n",
        "",
        "---\n---\nowner: A",
    ],
)
def test_what_stands_elsewhere_is_no_owner(text: str) -> None:
    assert owner_of(text.encode(), "text/markdown") == ""


def test_other_formats_and_long_fronts_have_none() -> None:
    assert owner_of(b"---\nowner: Ana\n---\n", "text/plain") == ""
    assert owner_of(b"---\n" + b"x: y\n" * 5_000 + b"owner: Ana\n---\n", "text/markdown") == ""
    assert owner_of(b"---\nowner: \xff\xfeAna\n---\n", "text/markdown").endswith("Ana")


def test_folders_and_repositories_deliver_it(tmp_path: Path) -> None:
    text = "---\nowner: Ana\n---\n\n# Leave\n"
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(text)
    (folder / "plain.md").write_text("# Plain\n")
    work = Work(root=tmp_path / "handbook")
    work.commit({"leave.md": text, "plain.md": "# Plain\n"})
    # Where a file in a repository does not say so, its last author answers for it.
    for source, otherwise in (
        (FolderSource("s", folder), ""),
        (GitSource("s", str(work.root), tmp_path / "keep"), "Ada"),
    ):
        found = [step for step in source.changes(None) if isinstance(step, FetchedDocument)]
        assert {one.title: one.owner for one in found} == {"leave": "Ana", "plain": otherwise}
