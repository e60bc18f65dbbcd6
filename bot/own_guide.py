"""What a playground knows: the folders it was given, or, where there are no sources at all, Lorekeeper's own guide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from knowledge.errors import SourceError
from knowledge.store import StoredSource, add_source, find_source, list_sources, remove_source

KIND = "files"
_PACKAGE = Path(__file__).resolve().parent
_GUIDE = _PACKAGE / "guide"


def guide_places() -> dict[str, Path]:
    """The guide, and the README where this is a checkout, by the names that people see."""
    places = {"Lorekeeper guide": _GUIDE}
    readme = _PACKAGE.parent / "README.md"
    if readme.is_file() and (_PACKAGE.parent / "pyproject.toml").is_file():
        places["Lorekeeper README"] = readme
    return places


def choose_sources(engine: sa.Engine, folders: Sequence[Path]) -> tuple[StoredSource, ...]:
    """Add the folders as sources and return all that there are; the guide stays only while nothing else is known."""
    for folder in folders:
        _add(engine, folder)
    guide = set(map(str, guide_places().values()))
    others = [source for source in list_sources(engine) if source.location not in guide]
    for name, place in guide_places().items():
        stored = find_source(engine, str(place))
        if not others and stored is None:
            add_source(engine, kind=KIND, location=str(place), name=name)
        elif others and stored is not None and place not in folders:
            remove_source(engine, stored.id)
    return list_sources(engine)


def _add(engine: sa.Engine, folder: Path) -> None:
    location = str(folder)
    if find_source(engine, location) is not None:
        return
    try:
        add_source(engine, kind=KIND, location=location)
    except SourceError:
        # Another folder has the same last name; the whole path tells them apart.
        add_source(engine, kind=KIND, location=location, name=location)
