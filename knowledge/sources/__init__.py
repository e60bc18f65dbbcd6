"""Where documents come from, by kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.files import FolderSource
from knowledge.sources.github.place import ADDRESS, STORED, parse_github
from knowledge.sources.source import Checkpoint, Expected, Source, SourcePlace, SourceStep

__all__ = [
    "HAS_CODE",
    "KINDS",
    "TAKES_CREDENTIAL",
    "Checkpoint",
    "Expected",
    "FolderSource",
    "OpenKind",
    "Source",
    "SourcePlace",
    "SourceStep",
    "kind_of",
    "name_of",
    "open_source",
    "whole_location",
]

_DRIVE = re.compile(r"^https://drive\.google\.com/", re.IGNORECASE)
_NOTION = re.compile(r"^https://(?:(?:www\.)?notion\.so|app\.notion\.com)(?:[/#]|$)", re.IGNORECASE)
_ID_BEHIND = re.compile(r"-?[0-9a-f]{32}$", re.IGNORECASE)
_GIT = re.compile(r"^(?:ssh|git)://|^[\w.-]+@[\w.-]+:(?!//)|\.git(?:#.*)?$")
_FEED = re.compile(r"^https?://[^/\s]+/(?:\S*/)?(?:(?:feed|rss|atom)(?:\.xml)?/?|[^/\s]+\.(?:rss|atom))$")
_ATLASSIAN = re.compile(r"^https?://[^/\s]+\.(?:atlassian\.net|jira\.com)(?:[/?].*)?$", re.IGNORECASE)
_ATLASSIAN_NAME = re.compile(r"/(?:spaces|browse|projects)/([^/]+)")
_WEB = re.compile(r"^https?://", re.IGNORECASE)


def _git(place: SourcePlace) -> Source:
    from knowledge.sources.git import GitSource  # only who reads a repository waits for what reads it

    return GitSource(
        place.id,
        place.location,
        place.keep,
        place.audience,
        secret=place.secret,
        code=place.code,
        fetching=place.fetching,
    )


def _web(place: SourcePlace) -> Source:
    from knowledge.sources.web import WebSource  # only who reads a site waits for what reads it

    return WebSource(place.id, place.location, place.audience, secret=place.secret)


def _sql(place: SourcePlace) -> Source:
    from knowledge.sources.sql import SqlSource

    return SqlSource(place.id, Path(place.location), place.audience)


def _feed(place: SourcePlace) -> Source:
    from knowledge.sources.feed import FeedSource

    return FeedSource(place.id, place.location, place.audience)


def _github(place: SourcePlace) -> Source:
    from knowledge.sources.github.source import GithubSource

    return GithubSource(place.id, place.location, place.audience, place.secret)


def _drive(place: SourcePlace) -> Source:
    from knowledge.sources.drive import DriveSource  # only who reads Drive waits for Google's client

    return DriveSource(place.id, place.location, place.secret, place.audience)


def _notion(place: SourcePlace) -> Source:
    from knowledge.sources.notion import NotionSource

    return NotionSource(place.id, place.location, place.secret, place.audience)


def _confluence(place: SourcePlace) -> Source:
    from knowledge.sources.confluence import ConfluenceSource

    return ConfluenceSource(place)


def _jira(place: SourcePlace) -> Source:
    from knowledge.sources.jira import JiraSource

    return JiraSource(place)


OpenKind = Callable[[SourcePlace], Source]
"""Makes a source of one kind; nothing is read yet."""

KINDS: dict[str, OpenKind] = {
    "files": lambda place: FolderSource(place.id, Path(place.location), place.audience, code=place.code),
    "git": _git,
    "web": _web,
    "sql": _sql,
    "feed": _feed,
    "github": _github,
    "drive": _drive,
    "notion": _notion,
    "confluence": _confluence,
    "jira": _jira,
}
TAKES_CREDENTIAL: frozenset[str] = frozenset({"git", "web", "github", "drive", "notion", "confluence", "jira"})
"""The kinds that a credential can be given to."""
HAS_CODE: frozenset[str] = frozenset({"files", "git"})
"""The kinds of which source code can be read."""


def kind_of(location: str) -> str:
    """What kind of source a location is, as far as it tells; else a folder or file."""
    if location.endswith(".sql.toml"):
        return "sql"
    if ADDRESS.search(location):
        return "github"
    if _DRIVE.match(location):
        return "drive"
    if _NOTION.match(location):
        return "notion"
    if _ATLASSIAN.match(location):
        return "confluence" if re.match("/wiki(?:/|$)", urlsplit(location).path) else "jira"
    if _FEED.search(location):
        return "feed"
    if _GIT.search(location):
        return "git"
    return "web" if _WEB.match(location) else "files"


def whole_location(kind: str, location: str) -> str:
    """A location as it holds for every process, wherever that was started; raises SourceError for a bad one."""
    if kind in ("files", "sql"):
        return str(Path(location).expanduser().resolve())
    if kind == "github":
        return parse_github(location).location
    place, mark, rest = location.partition("#")
    if kind in ("web", "confluence", "jira"):
        return place.strip()
    if kind == "git" and Path(place).expanduser().is_dir():
        return f"{Path(place).expanduser().resolve()}{mark}{rest}"
    return location


def name_of(location: str) -> str:
    """What people call a source that nobody named: the last part of its location, of a feed or site the host."""
    kind = kind_of(location)
    if kind == "github" or STORED.search(location):
        return parse_github(location).title
    if kind == "feed":
        return urlsplit(location).hostname or location
    if kind in ("drive", "notion"):
        page = PurePath(urlsplit(location).path).name
        return f"drive-{page[:8]}" if kind == "drive" else _ID_BEHIND.sub("", page).replace("-", " ").strip() or kind
    if kind in ("confluence", "jira"):
        named = _ATLASSIAN_NAME.search(urlsplit(location).path)
        return named.group(1) if named else urlsplit(location).hostname or location
    if kind == "web":
        site = urlsplit(location)
        return PurePath(site.path).name or site.netloc.rpartition("@")[2] or location
    place = location.partition("#")[0] if kind == "git" else location
    name = PurePath(place.replace(":", "/")).name
    return name.removesuffix(".git").removesuffix(".toml").removesuffix(".sql") or location


def open_source(kind: str, place: SourcePlace, further: Mapping[str, OpenKind] | None = None) -> Source:
    """Make the source of a stored row; nothing is read yet. Raises SourceError for a kind that there is not.

    `further` are kinds that this package knows nothing of.
    """
    kinds = KINDS | dict(further or {})
    if kind not in kinds:
        raise SourceError(f"No kind of source is named {kind!r}; there are: {', '.join(kinds)}.")
    if place.secret and kind not in TAKES_CREDENTIAL:
        takers = ", ".join(sorted(TAKES_CREDENTIAL)) or "none"
        raise SourceError(f"A source of kind {kind!r} takes no credential; these do: {takers}.")
    if place.code and kind not in HAS_CODE:
        raise SourceError(f"A source of kind {kind!r} has no source code; these may: {', '.join(sorted(HAS_CODE))}.")
    return kinds[kind](place)
