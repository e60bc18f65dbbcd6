"""Which branch and folder of which repository, and where its files can be opened. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from knowledge.errors import SourceError

# A name that begins with a dash would be read as an option by the SSH program.
_REMOTE = re.compile(r"^(?:https?|ssh|git)://[^-/\s][^/\s]*/\S+$|^(?:\w[\w.-]*@)?\w[\w.-]*:(?!//)\S+$")
_SSH_SHORT = re.compile(r"^(?:\w[\w.-]*@)?(?P<host>\w[\w.-]*):(?!//)(?P<path>\S+)$")
# In the place of a user: what GitHub, GitLab and Bitbucket hand out, and anything longer than a name may be there.
_TOKEN = re.compile(r"gh[a-z]_|github_pat_|glpat-|ATBB|ATCTT|x-token|.{40}")
PAGE_HOSTS = {"github.com": "blob", "gitlab.com": "-/blob", "bitbucket.org": "src", "codeberg.org": "src/branch"}
"""Where a file can be read in a browser, by host; others have no page that could be known."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which branch of which repository, and which folder of it."""

    url: str
    branch: str = ""
    """Empty: the one that the repository itself names."""
    folder: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it must be fetched."""
        return _REMOTE.match(self.url) is not None

    @property
    def root(self) -> Path:
        """Where a repository on this machine is."""
        return Path(self.url).expanduser()


def parse_place(location: str) -> Place:
    """Read `REPOSITORY`, `REPOSITORY#BRANCH` or `REPOSITORY#BRANCH:FOLDER`; raises SourceError."""
    url, _, rest = location.strip().partition("#")
    branch, _, folder = rest.partition(":")
    # A user alone is part of the address that hosts hand out, so not as strict as `split_address`.
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and (parts.password or _TOKEN.match(parts.username or "")):
        raise SourceError(
            "The address holds a password or a token, which would be shown wherever the source is listed. Leave it "
            "out, keep it with `lorekeeper credentials set NAME` and add the source with --credential NAME; or use SSH "
            "and a key."
        )
    folder = folder.strip("/")
    if not url or ".." in PurePosixPath(folder).parts:
        raise SourceError(f"{location!r} names no repository. Expected REPOSITORY, or REPOSITORY#BRANCH:FOLDER.")
    return Place(url=url, branch=branch, folder=folder)


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where the files of a branch can be opened."""

    place: Place
    branch: str
    hosts: Mapping[str, str] = field(default_factory=lambda: PAGE_HOSTS)
    """What stands between project and branch, by host."""

    def uri(self, path: str) -> str:
        """The file's page where its host is known, else its place in the repository."""
        name = quote(path.encode("utf-8", "surrogateescape"))
        if not self.place.is_remote:
            return f"{self.place.root.resolve().as_uri()}/{name}"
        site, project = _site_and_project(self.place.url)
        host = urlsplit(site).hostname or ""
        if host in self.hosts and self.branch:
            return f"{site}/{project}/{self.hosts[host]}/{quote(self.branch)}/{name}"
        return f"{site}/{project}#{name}"


def _site_and_project(url: str) -> tuple[str, str]:
    """Where the pages of a repository are: a server of one's own may have them at another port, and unencrypted."""
    short = _SSH_SHORT.match(url)
    if short is not None:
        site, path = f"https://{short['host']}", short["path"]
    else:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https")
        port = f":{parts.port}" if is_web and parts.port else ""
        site, path = f"{parts.scheme if is_web else 'https'}://{parts.hostname or ''}{port}", parts.path
    return site, path.strip("/").removesuffix(".git")
