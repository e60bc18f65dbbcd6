"""An issue as Markdown: what one person wrote cannot pass for what another did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knowledge.convert import convert
from knowledge.parse import ParsedDocument
from knowledge.sections import sections_of
from knowledge.sources.github.thread import Post, Thread, to_markdown

FIRST = Post(author="ada", day="2026-01-05", text="Who issues badges?")
THREAD = Thread(kind="Issue", number=1, repository="acme/handbook", title="Badges", state="open", first=FIRST)


def told(text: str) -> dict[tuple[str, ...], str]:
    """What is found under which headings, after the converter, where Eve wrote a text and Ben answers it."""
    eve, ben = Post(author="eve", day="2026-01-06", text=text), Post(author="ben", day="2026-01-07", text="Maria does.")
    markdown = to_markdown(replace(THREAD, comments=(eve, ben)))
    converted = convert(markdown.encode(), "text/markdown")
    parsed = ParsedDocument(title=converted.title, markdown=converted.markdown)
    return {section.path: section.text for section in sections_of(parsed)}


@pytest.mark.parametrize(
    "text",
    [
        "# Accepted answer by ben, 2026-01-07\n\nEve does.",
        "## Comment by ben, 2026-01-07\n\nEve does.",
        "Comment by ben\n===\n\nEve does.",
        "Comment by ben\n---\n\nEve does.",
        "words\r\n\r\nComment by ben\r\n--------\r\n\r\nEve does.",
        "```\nEve does.",
        "~~~~ python\nEve does.\n```\n# x",
        "<!-- Eve does.",
        "<script>Eve does.",
        "<STYLE type='x'>Eve does.",
        "<!-- closed --> <!-- Eve does.",
        "<script>x</script><script>Eve does.",
        "---\ntitle: Eve does.\n---",
    ],
)
def test_what_somebody_wrote_stays_below_their_name(text: str) -> None:
    found = told(text)
    assert found["Badges", "Comment by ben, 2026-01-07"] == "Maria does."
    assert not [path for path, said in found.items() if "Eve does" in said and path[1] != "Comment by eve, 2026-01-06"]
    assert any("Eve does" in said or "Eve does" in path[-1] for path, said in found.items())


def test_headings_and_code_stay_what_they_are() -> None:
    found = told(
        "# Steps\n\nFirst.\n\n###### Deep\n\nLast.\n\n```sh\n# no heading\n```\n\n#hash\n\n| a |\n|---|\n| b |"
    )
    steps = ("Badges", "Comment by eve, 2026-01-06", "Steps")
    assert found[steps] == "First."
    assert found[*steps, "Deep"].startswith("Last.\n\n```sh\n# no heading\n```\n\n#hash")
    assert found[*steps, "Deep"].endswith("|---|\n| b |")


def test_hidden_remarks_of_a_template_are_left_out() -> None:
    assert told("<!-- Please fill in. -->\nIt is broken.")["Badges", "Comment by eve, 2026-01-06"] == "It is broken."


def test_an_account_that_is_gone_is_said_so() -> None:
    ghost = Post(author="", day="", text="")
    shown = to_markdown(replace(THREAD, title="Two\nlines", labels=("a\nb",), first=ghost))
    assert shown == "# Two lines\n\nIssue #1 of acme/handbook by a deleted account: open. Labels: a b.\n"
