"""Where documents come from, by kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from knowledge.errors import SourceError
from knowledge.sources.files import FolderSource
from knowledge.sources.source import Checkpoint, Expected, Source, SourceStep

__all__ = ["KINDS", "Checkpoint", "Expected", "FolderSource", "Source", "SourceStep", "open_source"]

KINDS: dict[str, Callable[[str, str, str], Source]] = {
    "files": lambda source_id, location, audience: FolderSource(source_id, Path(location), audience),
}


def open_source(kind: str, source_id: str, location: str, audience: str) -> Source:
    """Make the source of a stored row; nothing is read yet."""
    if kind not in KINDS:
        raise SourceError(f"No kind of source is named {kind!r}; there are: {', '.join(KINDS)}.")
    return KINDS[kind](source_id, location, audience)
