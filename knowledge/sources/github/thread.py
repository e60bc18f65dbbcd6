"""An issue, pull request or discussion as Markdown: what it is, what was asked, and what each person said to it.

What people wrote is data: it stays below the heading that names its author, and none of it can pass for another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-{2,})[ \t]*$")
# What would take all that follows with it where it is not closed, up to somebody else's words.
_OPENING = re.compile(r"<(?=!--|(?:script|style)\b)", re.IGNORECASE)
_CLOSED = re.compile(r"<!--.*?-->|<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_DEEPEST = 6


@dataclass(frozen=True, kw_only=True)
class Post:
    """What one person said."""

    author: str
    """Login; empty where the account is gone."""
    day: str
    """Like 2026-01-31."""
    text: str = field(repr=False)
    replies: tuple[Post, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Thread:
    """An issue, pull request or discussion with all that belongs to it."""

    kind: str
    """Like `Issue`."""
    number: int
    repository: str
    title: str
    state: str
    """Like `open`."""
    first: Post
    labels: tuple[str, ...] = ()
    category: str = ""
    answer: Post | None = None
    """The accepted one; it is not among the comments."""
    comments: tuple[Post, ...] = ()
    left_out: int = 0
    """So many comments were too many to read."""


def to_markdown(thread: Thread) -> str:
    """Write a thread down, the accepted answer first."""
    parts = [f"# {_line(thread.title)}", " ".join(_facts(thread))]
    if thread.answer is not None:
        parts += [*_post("Accepted answer", thread.answer, 2), f"## Question{_by(thread.first)}"]
    parts.append(_body(thread.first.text, 2 if thread.answer is not None else 1))
    for comment in thread.comments:
        parts += _post("Comment", comment, 2)
    if thread.left_out:
        parts += ["## Not read", f"{thread.left_out} later comments are left out here."]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(thread: Thread) -> Iterator[str]:
    yield f"{thread.kind} #{thread.number} of {thread.repository}{_by(thread.first)}: {thread.state}."
    if thread.category:
        yield f"Category: {_line(thread.category)}."
    if thread.labels:
        yield f"Labels: {', '.join(_line(label) for label in thread.labels)}."


def _post(what: str, post: Post, level: int) -> Iterator[str]:
    yield f"{'#' * level} {what}{_by(post)}"
    yield _body(post.text, level)
    for reply in post.replies:
        yield from _post("Reply", reply, level + 1)


def _by(post: Post) -> str:
    return f" by {post.author or 'a deleted account'}{f', {post.day}' if post.day else ''}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _body(text: str, level: int) -> str:
    """What somebody wrote, with its headings below `level` and nothing left open."""
    text = _closed(text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            lines.append(line)
        elif mark:
            fence = mark[1]
            lines.append(line)
        elif _UNDERLINE.match(line) and lines and lines[-1].strip():
            _underlined(lines, line, level)
        else:
            lines.append(_ATX.sub(lambda found: "#" * min(_DEEPEST, len(found[1]) + level), line))
    return "\n".join([*lines, fence] if fence else lines).rstrip()


def _underlined(lines: list[str], line: str, level: int) -> None:
    """Write a heading with a line below it as the others are."""
    alone = len(lines) == 1 or not lines[-2].strip()
    if alone and not lines[-1].lstrip().startswith(("#", ">", "-", "*", "+", "|", "`")):
        depth = level + (1 if "=" in line else 2)
        lines[-1] = f"{'#' * min(_DEEPEST, depth)} {lines[-1].strip()}"
    else:
        lines += ["", line]


def _closed(text: str) -> str:
    """The same, where comments and scripts that nobody closed open nothing."""
    kept, position = [], 0
    for found in _CLOSED.finditer(text):
        kept += [_OPENING.sub("< ", text[position : found.start()]), found.group()]
        position = found.end()
    return "".join([*kept, _OPENING.sub("< ", text[position:])])
