"""The seam behind which documents come from. Real implementations: see `knowledge/sources/__init__.py`.

All pass `tests/contracts/source.py`. A source only reads: it knows nothing of what is stored, and saves
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from knowledge.audience import EVERYONE
from knowledge.document import PermissionStep, SourceChange
from knowledge.secret import Secret

NO_SECRET = Secret("")


@dataclass(frozen=True, kw_only=True)
class SourcePlace:
    """Where a source is and how it may be entered."""

    id: str
    location: str
    audience: str = EVERYONE
    """Of its documents, where the place itself has no narrower rule."""
    keep: Path | None = None
    """The folder where sources keep what they need between runs, each under its id."""
    secret: Secret = NO_SECRET
    """Its credential: a token, or what its kind says."""
    fetching: Callable[[int, int], None] | None = None
    """Told how much of how much came so far, where a place is fetched as a whole before its documents are read."""
    code: bool = False
    """Whether source code and configuration are read too; of kinds that have any."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that came before is delivered: once it is stored, a later run may start from this cursor."""

    cursor: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How many documents will follow, for whoever shows progress; a source that cannot know leaves it out.

    About as many: what counts is what comes. One that knows it of each of its parts tells it as that begins.
    """

    documents: int


SourceStep = SourceChange | PermissionStep | Checkpoint | Expected


class Source(Protocol):
    """A place that documents come from."""

    @property
    def id(self) -> str:
        """The id of its row."""

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        """Yield what changed since the cursor, with a Checkpoint at the end, and earlier where that is safe.

        Without a cursor, everything there is: documents that are not among it count as deleted. URIs in
        `retry` are delivered again although they did not change. A document that cannot be delivered is a
        FailedDocument; one whose URI ends in a slash stands for all below it. Raises SourceUnavailableError
        when the place itself is gone: nothing is deleted because of it.
        """
