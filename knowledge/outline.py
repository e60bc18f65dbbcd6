"""Source code to its parts: which lines are which function of which class, every line in exactly one part.

Python is read by its own parser. Of other languages pygments, which only this module knows, tells strings and comments
from code; declarations are then found by how a line begins, and end where the indentation does. Runs in the parsing
child only.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from knowledge.code import Part
from knowledge.declarations import LANGUAGES, Language

_DEEPEST = 6


@dataclass(frozen=True, kw_only=True)
class _Declared:
    name: str
    first: int
    last: int
    inner: Sequence[_Declared] = field(default=())


def outline_of(text: str, language: str) -> tuple[Part, ...]:
    """The parts of a file in order; without those that hold no letter or digit, which go to the part before."""
    lines = text.split("\n")
    declared = _of_python(text, lines) if language == "python" else None
    if declared is None:
        declared = _Scan(lines, _without_strings(text, language), LANGUAGES[language]).declared(0, len(lines), 0)
    parts: list[Part] = []
    for part in _parts((), declared, 1, len(lines)):
        if any(character.isalnum() for line in lines[part.first - 1 : part.last] for character in line):
            parts.append(part)
        elif parts:
            parts[-1] = Part(path=parts[-1].path, first=parts[-1].first, last=part.last)
    return tuple(parts)


def _parts(path: tuple[str, ...], declared: Sequence[_Declared], first: int, last: int) -> Iterator[Part]:
    for one in declared:
        if one.first > first:
            yield Part(path=path, first=first, last=one.first - 1)
        yield from _parts((*path, one.name), one.inner, one.first, one.last)
        first = one.last + 1
    if first <= last:
        yield Part(path=path, first=first, last=last)


def _of_python(text: str, lines: Sequence[str]) -> tuple[_Declared, ...] | None:
    """By Python's own parser; None where the file is of another version, or a template."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return _of_body(tree.body, lines, 1)


def _of_body(body: Sequence[ast.stmt], lines: Sequence[str], above: int) -> tuple[_Declared, ...]:
    found: list[_Declared] = []
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([one.lineno, *(mark.lineno for mark in one.decorator_list)])
            # A comment right above is about what follows it.
            while first > above and lines[first - 2].lstrip().startswith("#"):
                first -= 1
            last = one.end_lineno or one.lineno
            if first < above:
                continue
            inner = _of_body(one.body, lines, one.lineno + 1) if isinstance(one, ast.ClassDef) else ()
            found.append(_Declared(name=one.name, first=first, last=last, inner=inner))
            above = last + 1
        else:
            above = (one.end_lineno or one.lineno) + 1
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Bare:
    """A file without its strings and comments, line by line, every character at its place."""

    lines: Sequence[str]
    inside: frozenset[int]
    """Indices of lines that begin within a string or comment."""


def _without_strings(text: str, language: str) -> _Bare:
    lexer_name = LANGUAGES[language].lexer
    if not lexer_name:
        return _Bare(lines=text.split("\n"), inside=frozenset())
    from pygments.lexers import get_lexer_by_name
    from pygments.token import Comment, String

    bare: list[str] = []
    inside: set[int] = set()
    line = 0
    for _, kind, value in get_lexer_by_name(lexer_name).get_tokens_unprocessed(text):
        ends = value.count("\n")
        if kind in Comment.Preproc or kind in Comment.PreprocFile or (kind not in Comment and kind not in String):
            bare.append(value)
        else:
            bare.append("\n".join(" " * len(piece) for piece in value.split("\n")))
            # A comment that takes its line's end along does not reach into the next line.
            reaches = kind in String or not value.endswith("\n")
            inside.update(range(line + 1, line + ends + reaches))
        line += ends
    return _Bare(lines="".join(bare).split("\n"), inside=frozenset(inside))


class _Scan:
    """Finds the declarations of one file."""

    def __init__(self, lines: Sequence[str], bare: _Bare, language: Language) -> None:
        self._lines, self._bare, self._inside, self._language = lines, bare.lines, bare.inside, language

    def declared(self, first: int, last: int, depth: int) -> tuple[_Declared, ...]:
        """What is declared in these lines (indices, the last one excluded)."""
        found: list[_Declared] = []
        index, free = first, first
        while index < last:
            name, is_container = self._name(index, depth)
            if not name:
                index += 1
                continue
            end = self._end(index, last)
            begin = self._begin(index, free)
            inner = self.declared(index + 1, end, depth + 1) if is_container and depth < _DEEPEST else ()
            found.append(_Declared(name=name, first=begin + 1, last=end, inner=inner))
            index = free = end
        return tuple(found)

    def _name(self, index: int, depth: int) -> tuple[str, bool]:
        """What a line declares, and whether more is declared within; an empty name for nothing."""
        if index in self._inside:
            return "", False
        for pattern in self._language.patterns:
            if pattern.deepest < depth or (found := pattern.match(self._bare[index])) is None:
                continue
            if pattern.before_brace and not self._follows_brace(index):
                continue
            return " ".join(found.split()), pattern.is_container
        return "", False

    def _follows_brace(self, index: int) -> bool:
        following = (line.strip() for line in self._bare[index + 1 : index + 4])
        return next(filter(None, following), "").startswith("{")

    def _begin(self, index: int, free: int) -> int:
        """The first of the comments and marks that stand right above."""
        while index > free and self._leads(index - 1):
            index -= 1
        return index

    def _leads(self, index: int) -> bool:
        line, bare = self._lines[index].strip(), self._bare[index].strip()
        return bool(line) and (not bare or index in self._inside or self._language.leads.match(bare) is not None)

    def _end(self, index: int, last: int) -> int:
        """The index behind the last line of what is declared there."""
        depth = _indent(self._bare[index])
        end = index + 1
        for at in range(index + 1, last):
            bare = self._bare[at]
            if not bare.strip() or at in self._inside:
                # What is in a string or comment that began in the block belongs to it, its end at the latest.
                end = at + 1 if at in self._inside and end == at else end
                continue
            if self._language.neutral.match(bare):
                continue
            if self._language.is_flat:
                if _indent(bare) <= depth and self._name(at, 0)[0]:
                    return end
            elif _indent(bare) < depth or (_indent(bare) == depth and not self._language.goes_on.match(bare)):
                return end
            end = at + 1
        return end


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip())
