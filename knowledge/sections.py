"""Markdown to its sections: the text under each heading, with the headings that lead to it, and its blocks.

It reads lines only; how long anything may be is decided in `knowledge.chunk`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from knowledge.parse import ParsedDocument

# Longer runs without a space are data, not language: an encoded picture, a key. Tokenizers count one as one.
_DATA = re.compile(r"[A-Za-z0-9+/=_-]{200,}")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-{2,})[ \t]*$")
_NOT_A_HEADING = re.compile(r"^\s*([-+*>|#]|\d+[.)]\s|$)|^ {4}")
_HEADING_MARKS = re.compile(r"[*`]+|\{#[^}]*\}|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, kw_only=True)
class Section:
    """Text under one heading; the path leads to it from the document's title."""

    path: tuple[str, ...]
    text: str = field(repr=False)
    line: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """What stands between two empty lines: a paragraph, a list, a table, or a whole fenced piece of code."""

    text: str = field(repr=False)
    line: int


def blocks_of(section: Section) -> Iterator[Block]:
    """Yield the blocks of a section in order."""
    fence = ""
    block: list[str] = []
    first = section.line
    for number, line in enumerate(section.text.split("\n"), start=section.line):
        fence = _fence_after(line, fence)
        if line.strip() or fence:
            first = first if block else number
            block.append(line)
        elif block:
            yield Block(text="\n".join(block).rstrip(), line=first)
            block = []
    if block:
        yield Block(text="\n".join(block).rstrip(), line=first)


def _fence_after(line: str, fence: str) -> str:
    """Tell which fence is open after this line; empty when none is."""
    mark = _FENCE.match(line)
    if mark and not fence:
        return mark.group(1)
    if mark and mark.group(1).startswith(fence) and not mark.group(2).strip():
        return ""
    return fence


def sections_of(document: ParsedDocument) -> Iterator[Section]:
    """Walk the lines; a heading without text below it lives on in the path, or is a text itself at the end."""
    title = document.title
    headings: list[tuple[int, str]] = []
    body: list[str] = []
    first = 1
    bare = ""

    def path() -> tuple[str, ...]:
        names = [name for _, name in headings if name]
        return tuple([title, *names] if title and names[:1] != [title] else names)

    def section() -> Iterator[Section]:
        text = "\n".join(body)
        if kept := text.strip("\n").rstrip():
            blank = len(text) - len(text.lstrip("\n"))
            yield Section(path=path(), text=kept, line=first + blank)

    for number, line, heading in _lines(document.markdown):
        if heading is None:
            body.append(line)
            continue
        found = list(section())
        yield from found
        if bare and not found and heading[0] <= headings[-1][0]:
            yield Section(path=path(), text=bare, line=first - 1)
        headings = [*[known for known in headings if known[0] < heading[0]], heading]
        body, first, bare = [], number + 1, heading[1]
    found = list(section())
    yield from found
    if bare and not found:
        yield Section(path=path(), text=bare, line=first - 1)


def _lines(markdown: str) -> Iterator[tuple[int, str, tuple[int, str] | None]]:
    """Yield line number, line, and level and name where it is a heading."""
    fence = ""
    lines = [_DATA.sub("…", line) for line in markdown.split("\n")]
    skip = False
    for index, line in enumerate(lines):
        if skip:
            skip = False
            continue
        fence = _fence_after(line, fence)
        if not fence and (atx := _ATX.match(line)):
            yield index + 1, line, (len(atx.group(1)), _name(atx.group(2) or ""))
            continue
        elif not fence and _is_setext(lines, index):
            skip = True
            yield index + 2, line, (1 if "=" in lines[index + 1] else 2, _name(line))
            continue
        yield index + 1, line, None


def _is_setext(lines: list[str], index: int) -> bool:
    follows = index + 1 < len(lines) and _SETEXT.match(lines[index + 1])
    starts = index == 0 or not lines[index - 1].strip()
    return bool(follows) and starts and not _NOT_A_HEADING.match(lines[index])


def _name(heading: str) -> str:
    return " ".join(_HEADING_MARKS.sub(r"\1", heading).split())
