"""Source code to pieces of whole functions: every piece is a run of lines of the file, as they stand there.

How long a piece may be is decided in `knowledge.chunk`; which lines belong together in `knowledge.outline`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from knowledge.code import Code, Part

# A part shorter than this is joined with its neighbour, as sections of prose are.
_SMALL_TOKENS = 80
# Names of joined parts that a header shows.
_MOST_NAMES = 6


@dataclass(frozen=True, kw_only=True)
class CodePiece:
    """A run of lines."""

    path: tuple[str, ...]
    text: str
    """In a fence."""
    line: int
    """Its first line, from 1."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """How long things are, in tokens of the embedder."""

    of_lines: Callable[[Sequence[str]], list[int]]
    room: Callable[[tuple[str, ...]], int]
    """What a piece under this path may have, fences not counted."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Parts that follow one another."""

    parents: tuple[str, ...]
    names: tuple[str, ...]
    first: int
    last: int
    tokens: int

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.parents, ", ".join(self.names[:_MOST_NAMES])) if self.names else self.parents


def cut_code(text: str, code: Code, measures: Measures) -> Iterator[CodePiece]:
    """Yield the pieces of a file in order."""
    lines = text.split("\n")
    tokens = measures.of_lines(lines)
    fence = _fence(text)
    for run in _joined([_run_of(part, tokens) for part in code.parts], measures):
        for first, last in _cut(run, lines, tokens, measures.room(run.path)):
            body = "\n".join(lines[first - 1 : last])
            if body.strip():
                yield CodePiece(path=run.path, text=f"{fence}{code.language}\n{body}\n{fence}", line=first)


def _run_of(part: Part, tokens: Sequence[int]) -> _Run:
    return _Run(
        parents=part.path[:-1],
        names=part.path[-1:],
        first=part.first,
        last=part.last,
        tokens=sum(tokens[part.first - 1 : part.last]),
    )


def _joined(runs: Sequence[_Run], measures: Measures) -> Iterator[_Run]:
    """Join neighbours of which one is small, where one stands in the other or both in the same."""
    current: _Run | None = None
    for run in runs:
        together = _together(current, run) if current is not None else None
        if together is not None and together.tokens <= measures.room(together.path):
            current = together
            continue
        if current is not None:
            yield current
        current = run
    if current is not None:
        yield current


def _together(first: _Run, second: _Run) -> _Run | None:
    if min(first.tokens, second.tokens) >= _SMALL_TOKENS:
        return None
    joined = replace(first, last=second.last, tokens=first.tokens + second.tokens)
    if first.parents == second.parents:
        names = tuple(dict.fromkeys((*first.names, *second.names)))
        return replace(joined, names=names)
    if second.parents == (*first.parents, *first.names) and len(first.names) == 1:
        return replace(joined, parents=second.parents, names=second.names)
    return None


def _cut(run: _Run, lines: Sequence[str], tokens: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """First and last line of pieces that fit; cut where a reader would: at empty lines, and as far left as can be."""
    first = run.first
    while first <= run.last:
        last, used = first, tokens[first - 1]
        while last < run.last and used + tokens[last] <= room:
            used += tokens[last]
            last += 1
        if last < run.last:
            least = first + (last - first) // 2
            last = max(range(least, last + 1), key=lambda one: (_parts_well(lines, one), one))
        yield first, last
        first = last + 1


def _parts_well(lines: Sequence[str], after: int) -> int:
    """How well a file is cut after a line, from 1: the higher, the better."""
    following = lines[after] if after < len(lines) else ""
    indent = len(following.expandtabs(4)) - len(following.expandtabs(4).lstrip())
    return (8 if not lines[after - 1].strip() else 0) - indent


def _fence(text: str) -> str:
    marks = "```"
    while marks in text:
        marks += "`"
    return marks
