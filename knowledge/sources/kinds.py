"""The kinds of sources there are: what each is known by, what people call it, and how it is opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from knowledge.sources.files import FolderSource
from knowledge.sources.github.place import ADDRESS, parse_github
from knowledge.sources.source import Source, SourcePlace

_DRIVE = re.compile(r"^https://drive\.google\.com/", re.IGNORECASE)
_NOTION = re.compile(r"^https://(?:(?:www\.)?notion\.so|app\.notion\.com)(?:[/#]|$)", re.IGNORECASE)
_ID_BEHIND = re.compile(r"-?[0-9a-f]{32}$", re.IGNORECASE)
_GIT = re.compile(r"^(?:ssh|git)://|^[\w.-]+@[\w.-]+:(?!//)|\.git(?:#.*)?$")
_FEED = re.compile(r"^https?://[^/\s]+/(?:\S*/)?(?:(?:feed|rss|atom)(?:\.xml)?/?|[^/\s]+\.(?:rss|atom))$")
_ATLASSIAN = re.compile(r"^https?://[^/\s]+\.(?:atlassian\.net|jira\.com)(?:[/?].*)?$", re.IGNORECASE)
_ATLASSIAN_NAME = re.compile(r"/(?:spaces|browse|projects|display)/([^/]+)")
_WEB = re.compile(r"^https?://", re.IGNORECASE)

OpenKind = Callable[[SourcePlace], Source]
"""Makes a source of one kind; nothing is read yet."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of source."""

    open: OpenKind
    claims: Callable[[str], bool]
    """Whether a location looks like one; kinds are asked in their order."""
    name: Callable[[str], str]
    """What people call a source at a location, where nobody named it; may be empty."""
    whole: Callable[[str], str] = str
    """A location as it holds for every process, wherever that was started; raises SourceError for a bad one."""
    takes_credential: bool = False
    has_code: bool = False
    """Whether source code can be read of it."""


def _open_git(place: SourcePlace) -> Source:
    from knowledge.sources.git.source import GitSource  # only who reads a repository waits for what reads it

    return GitSource(
        place.id,
        place.location,
        place.keep,
        place.audience,
        secret=place.secret,
        code=place.code,
        fetching=place.fetching,
    )


def _open_web(place: SourcePlace) -> Source:
    from knowledge.sources.web import WebSource  # only who reads a site waits for what reads it

    return WebSource(place.id, place.location, place.audience, secret=place.secret)


def _open_sql(place: SourcePlace) -> Source:
    from knowledge.sources.sql import SqlSource

    return SqlSource(place.id, Path(place.location), place.audience)


def _open_feed(place: SourcePlace) -> Source:
    from knowledge.sources.feed import FeedSource

    return FeedSource(place.id, place.location, place.audience)


def _open_github(place: SourcePlace) -> Source:
    from knowledge.sources.github.source import GithubSource

    return GithubSource(place.id, place.location, place.audience, place.secret)


def _open_drive(place: SourcePlace) -> Source:
    from knowledge.sources.drive import DriveSource  # only who reads Drive waits for Google's client

    return DriveSource(place.id, place.location, place.secret, place.audience)


def _open_notion(place: SourcePlace) -> Source:
    from knowledge.sources.notion import NotionSource

    return NotionSource(place.id, place.location, place.secret, place.audience)


def _open_confluence(place: SourcePlace) -> Source:
    from knowledge.sources.confluence import ConfluenceSource

    return ConfluenceSource(place)


def _open_jira(place: SourcePlace) -> Source:
    from knowledge.sources.jira import JiraSource

    return JiraSource(place)


def _file(location: str) -> str:
    return str(Path(location).expanduser().resolve())


def _before_mark(location: str) -> str:
    return location.partition("#")[0].strip()


def _whole_repository(location: str) -> str:
    place, mark, rest = location.partition("#")
    folder = Path(place).expanduser()
    return f"{folder.resolve()}{mark}{rest}" if folder.is_dir() else location


def _last_part(location: str) -> str:
    return PurePath(location.replace(":", "/")).name


def _name_of_repository(location: str) -> str:
    return _last_part(location.partition("#")[0]).removesuffix(".git")


def _name_of_recipe(location: str) -> str:
    return _last_part(location).removesuffix(".toml").removesuffix(".sql")


def _name_of_site(location: str) -> str:
    site = urlsplit(location)
    return PurePath(site.path).name or site.netloc.rpartition("@")[2]


def _host(location: str) -> str:
    return urlsplit(location).hostname or ""


def _name_of_project(location: str) -> str:
    named = _ATLASSIAN_NAME.search(urlsplit(location).path)
    return named.group(1) if named else _host(location)


def _name_of_page(location: str) -> str:
    return _ID_BEHIND.sub("", PurePath(urlsplit(location).path).name).replace("-", " ").strip() or "notion"


def _is_wiki(location: str) -> bool:
    return bool(_ATLASSIAN.match(location) and re.match("/wiki(?:/|$)", urlsplit(location).path))


KINDS: dict[str, Kind] = {
    "sql": Kind(
        open=_open_sql,
        claims=lambda location: location.endswith(".sql.toml"),
        name=_name_of_recipe,
        whole=_file,
    ),
    "github": Kind(
        open=_open_github,
        claims=lambda location: bool(ADDRESS.search(location)),
        name=lambda location: parse_github(location).title,
        whole=lambda location: parse_github(location).location,
        takes_credential=True,
    ),
    "drive": Kind(
        open=_open_drive,
        claims=lambda location: bool(_DRIVE.match(location)),
        name=lambda location: f"drive-{PurePath(urlsplit(location).path).name[:8]}",
        takes_credential=True,
    ),
    "notion": Kind(
        open=_open_notion,
        claims=lambda location: bool(_NOTION.match(location)),
        name=_name_of_page,
        takes_credential=True,
    ),
    "confluence": Kind(
        open=_open_confluence, claims=_is_wiki, name=_name_of_project, whole=_before_mark, takes_credential=True
    ),
    "jira": Kind(
        open=_open_jira,
        claims=lambda location: bool(_ATLASSIAN.match(location)),
        name=_name_of_project,
        whole=_before_mark,
        takes_credential=True,
    ),
    "feed": Kind(open=_open_feed, claims=lambda location: bool(_FEED.search(location)), name=_host),
    "git": Kind(
        open=_open_git,
        claims=lambda location: bool(_GIT.search(location)),
        name=_name_of_repository,
        whole=_whole_repository,
        takes_credential=True,
        has_code=True,
    ),
    "web": Kind(
        open=_open_web,
        claims=lambda location: bool(_WEB.match(location)),
        name=_name_of_site,
        whole=_before_mark,
        takes_credential=True,
    ),
    # The last one takes what nothing else claims.
    "files": Kind(
        open=lambda place: FolderSource(place.id, Path(place.location), place.audience, code=place.code),
        claims=lambda _location: True,
        name=_last_part,
        whole=_file,
        has_code=True,
    ),
}
