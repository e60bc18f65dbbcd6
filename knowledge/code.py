"""What is known of a file of source code: its language, and which lines are which part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Part:
    """Lines that belong together."""

    path: tuple[str, ...]
    """Names that lead to it, the outermost first; empty for what stands at the top of the file."""
    first: int
    """Its first line, from 1."""
    last: int
    """Its last line, included."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """How a file is made up."""

    language: str
    parts: tuple[Part, ...]
    """In order, without gaps but for lines that say nothing."""
