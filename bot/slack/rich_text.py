"""Slack's rich text as values: what it consists of, how it is written as a block, and its words alone.

Only `Run.url` makes anything live; every other part is a text element, which Slack shows as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Style = frozenset[str]
PLAIN: Style = frozenset()
CODE: Style = frozenset({"code"})


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style."""

    text: str
    style: Style = PLAIN
    url: str | None = None


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs and headings."""

    runs: Runs


@dataclass(frozen=True, slots=True)
class Quote:
    """Quoted text."""

    runs: Runs


@dataclass(frozen=True, slots=True)
class Preformatted:
    """Code."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table drawn as text; a part of one has the header again."""

    header: str
    """The lines above the rows; empty for a table of one row."""
    rows: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines of it all."""
        return "\n".join([self.header, *self.rows] if self.header else self.rows)


@dataclass(frozen=True, slots=True)
class Listing:
    """Items of one list at one depth; a list that is interrupted goes on with `offset`."""

    items: tuple[Runs, ...]
    ordered: bool
    indent: int
    offset: int


Piece = Section | Quote | Preformatted | Table | Listing


def to_block(pieces: Iterable[Piece]) -> dict[str, Any]:
    """Write pieces as one `rich_text` block."""
    return {"type": "rich_text", "elements": [_element(piece) for piece in pieces]}


def plain_text(pieces: Iterable[Piece]) -> str:
    """The words of the pieces, for a notification."""
    return "\n".join(_plain(piece) for piece in pieces).strip()


def _element(piece: Piece) -> dict[str, Any]:
    match piece:
        case Section(runs):
            return {"type": "rich_text_section", "elements": _run_elements(runs)}
        case Quote(runs):
            return {"type": "rich_text_quote", "elements": _run_elements(runs)}
        case Preformatted() | Table():
            return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": piece.text}]}
        case Listing(items, ordered, indent, offset):
            sections = [{"type": "rich_text_section", "elements": _run_elements(item)} for item in items]
            listing: dict[str, Any] = {"type": "rich_text_list", "style": "ordered" if ordered else "bullet"}
            listing |= {"indent": indent, "elements": sections}
            return listing | ({"offset": offset} if offset else {})


def _run_elements(runs: Runs) -> list[dict[str, Any]]:
    return [_run_element(run) for run in runs]


def _run_element(run: Run) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "text", "text": run.text}
    if run.url:
        element = {"type": "link", "url": run.url, "text": run.text}
    if run.style:
        element["style"] = dict.fromkeys(sorted(run.style), True)
    return element


def _plain(piece: Piece) -> str:
    match piece:
        case Section(runs) | Quote(runs):
            return "".join(run.text for run in runs)
        case Preformatted() | Table():
            return piece.text
        case Listing(items, ordered, _, offset):
            signs = [f"{offset + n}." if ordered else "•" for n in range(1, len(items) + 1)]
            lines = ("".join(run.text for run in item) for item in items)
            return "\n".join(f"{sign} {line}" for sign, line in zip(signs, lines, strict=True))
