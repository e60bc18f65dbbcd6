"""Where documents come from, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from knowledge.errors import SourceError
from knowledge.sources.files import FolderSource
from knowledge.sources.kinds import KINDS, Kind, OpenKind
from knowledge.sources.source import Checkpoint, Expected, Source, SourcePlace, SourceStep

__all__ = [
    "HAS_CODE",
    "KINDS",
    "Checkpoint",
    "Expected",
    "FolderSource",
    "Kind",
    "OpenKind",
    "Source",
    "SourcePlace",
    "SourceStep",
    "kind_of",
    "name_of",
    "open_source",
    "whole_location",
]

HAS_CODE: frozenset[str] = frozenset(name for name, kind in KINDS.items() if kind.has_code)
"""The kinds of which source code can be read."""
_NO_FURTHER: Mapping[str, OpenKind] = MappingProxyType({})


def kind_of(location: str) -> str:
    """What kind of source a location is, as far as it tells; else a folder or file."""
    return next(name for name, kind in KINDS.items() if kind.claims(location))


def whole_location(kind: str, location: str) -> str:
    """A location as it holds for every process, wherever that was started; raises SourceError for a bad one."""
    return KINDS[kind].whole(location) if kind in KINDS else location


def name_of(location: str, kind: str | None = None) -> str:
    """What people call a source that nobody named: most often the last part of its location, or its host."""
    kind = kind or kind_of(location)
    return (KINDS[kind].name(location) if kind in KINDS else "") or location


def open_source(kind: str, place: SourcePlace, further: Mapping[str, OpenKind] = _NO_FURTHER) -> Source:
    """Make the source of a stored row; nothing is read yet. Raises SourceError for what its kind cannot be.

    `further` are kinds that this package knows nothing of.
    """
    found = KINDS.get(kind)
    if kind not in further and found is None:
        raise SourceError(f"No kind of source is named {kind!r}; there are: {', '.join([*KINDS, *further])}.")
    if place.secret and not (found and found.takes_credential):
        takers = ", ".join(name for name, one in sorted(KINDS.items()) if one.takes_credential)
        raise SourceError(f"A source of kind {kind!r} takes no credential; these do: {takers}.")
    if place.code and kind not in HAS_CODE:
        raise SourceError(f"A source of kind {kind!r} has no source code; these may: {', '.join(sorted(HAS_CODE))}.")
    return found.open(place) if found else further[kind](place)
