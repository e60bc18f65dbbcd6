"""Which parts of which GitHub repository a location names, and where that is asked for. Nothing is fetched here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.address import is_private

PARTS = ("issues", "discussions", "pulls")
USUAL_PARTS = ("issues", "discussions")
"""What is read where a location names no part: pull requests are mostly talk about code."""
ADDRESS = re.compile(
    r"^https?://(?:www\.)?(?:github\.com|github\.[\w.-]+|[\w-]+\.ghe\.com)(?::\d+)?/[\w-]+/[\w.-]+"
    r"(?:/(?:issues|discussions|pulls)/?(?:\?\S*)?|#(?:issues|discussions|pulls)(?:,(?:issues|discussions|pulls))*)$",
    re.IGNORECASE,
)
"""What can be nothing but a GitHub repository's issues, discussions or pull requests."""
_PLACE = re.compile(
    r"(?:(?P<scheme>https?)://(?P<host>[\w.-]+(?::\d{1,5})?|\[::1\](?::\d{1,5})?)/)?"
    r"(?P<owner>\w[\w-]*)/(?P<repository>[\w.-]+?)(?:\.git)?(?:/(?P<part>issues|discussions|pulls))?/?"
    r"(?:#(?P<parts>[\w,-]+))?",
    re.ASCII | re.IGNORECASE,
)
_EXPECTED = "Expected OWNER/REPOSITORY or https://github.com/OWNER/REPOSITORY/issues (or .../discussions, .../pulls)"


@dataclass(frozen=True, kw_only=True)
class GithubPlace:
    """Parts of a repository on github.com or on an Enterprise server."""

    host: str
    owner: str
    repository: str
    parts: tuple[str, ...] = USUAL_PARTS
    scheme: str = "https"

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.owner}/{self.repository}"

    @property
    def site(self) -> str:
        """Where its pages are."""
        return f"{self.scheme}://{self.host}"

    @property
    def api(self) -> str:
        """Where programs ask."""
        if self.host == "github.com" or self.host.endswith(".ghe.com"):
            return f"{self.scheme}://api.{self.host}"
        return f"{self.site}/api/v3"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody between here and there can read a token on its way."""
        return is_private(urlsplit(self.site))

    @property
    def location(self) -> str:
        """The one way in which it is stored."""
        return f"{self.site}/{self.name}#{','.join(self.parts)}"

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name if self.parts == USUAL_PARTS else f"{self.name} {' and '.join(self.parts)}"


def parse_github(location: str) -> GithubPlace:
    """Read a location, like `OWNER/REPOSITORY#issues,pulls`; raises SourceError, which shows no password."""
    location = location.strip()
    if "@" in location:
        raise SourceError(
            "The address holds a user or a token, which would be shown wherever the source is listed. Keep the token "
            "with `lorekeeper credentials set NAME`, and name it with --credential NAME."
        )
    if "?" in location:
        raise SourceError(
            f"{location!r} holds a search, and a source reads all there is. {_EXPECTED}, without what follows the "
            "question mark."
        )
    found = _PLACE.fullmatch(location)
    if found is None or found["repository"] in (".", ".."):
        raise SourceError(f"{location!r} is no repository on GitHub. {_EXPECTED}.")
    named = tuple(found["parts"].lower().split(",")) if found["parts"] else ()
    wanted = {*named, *([found["part"].lower()] if found["part"] else [])}
    if unknown := sorted(wanted.difference(PARTS)):
        raise SourceError(f"{location!r} asks for {unknown[0]!r}, which is not read. There are: {', '.join(PARTS)}.")
    host = (found["host"] or "github.com").lower()
    return GithubPlace(
        host=host.removeprefix("www."),
        owner=found["owner"],
        repository=found["repository"],
        parts=tuple(part for part in PARTS if part in wanted) or USUAL_PARTS,
        scheme=(found["scheme"] or "https").lower(),
    )
