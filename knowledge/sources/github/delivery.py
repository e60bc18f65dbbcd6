"""What both walks over a repository share: where they are, how a thread is delivered, and what counts as gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.sources.files import MAX_BYTES
from knowledge.sources.github.api import TIMEOUT_SECONDS, WAIT_SECONDS, BrokenError, GithubApi
from knowledge.sources.github.place import GithubPlace
from knowledge.sources.github.position import Position, Shelf
from knowledge.sources.github.thread import Thread, to_markdown
from knowledge.sources.source import SourceStep

OVERLAP = timedelta(minutes=5)
"""Several machines answer for GitHub, and one may know of a change some moments before another."""
MOMENT = timedelta(seconds=2)
"""GitHub's times are whole seconds: what changed in this one may change in it again."""
FAILED = "failed"
"""In place of a version: this run tried, and could not."""
_FOLDERS = {"issues": "issues", "pulls": "pull", "discussions": "discussions"}
# So many are not gone at once by somebody's wish: more likely a permission changed.
_MANY = 20
_BROKEN_IN_A_ROW = 3


@dataclass(frozen=True, kw_only=True)
class GithubLimits:
    """How much one run may ask and wait for."""

    wait_seconds: float = WAIT_SECONDS
    timeout_seconds: int = TIMEOUT_SECONDS
    max_comments: int = 1_000
    """Of one issue or discussion; later ones are left out, and it says so."""
    max_bytes: int = MAX_BYTES
    few: int = 500
    """Up to so many are listed in each run, to see which are gone."""
    listing_seconds: float = 24 * 3600.0
    """More than those are listed this long after the last time."""


@dataclass(kw_only=True)
class Delivery:
    """One run over one repository; it changes the position as it delivers."""

    place: GithubPlace
    api: GithubApi
    position: Position
    now: datetime
    """When the run began, by GitHub's clock."""
    audience: str = EVERYONE
    retry: Collection[str] = ()
    limits: GithubLimits = field(default_factory=GithubLimits)
    delivered: dict[int, str] = field(default_factory=dict)
    """Number -> the version that this run delivered, or could not."""
    _broken: int = 0

    def uri(self, part: str, number: int) -> str:
        """The page of an issue, pull request or discussion."""
        return f"{self.folder(part)}{number}"

    def folder(self, part: str) -> str:
        """What the pages of one part begin with."""
        return f"{self.place.site}/{self.position.name}/{_FOLDERS[part]}/"

    def retried(self, part: str) -> list[int]:
        """The numbers among what is asked for again that this run did not deliver yet."""
        begin = self.folder(part)
        ends = [uri.removeprefix(begin) for uri in self.retry if uri.startswith(begin)]
        return sorted({int(end) for end in ends if end.isdecimal()} - self.delivered.keys())

    def document(self, part: str, shelf: Shelf, thread: Thread, *, version: str, updated: str) -> SourceStep:
        """A thread as it is delivered, and noted as such."""
        number = thread.number
        self._broken = 0
        self.delivered[number] = version
        shelf.known[number] = version if time_of(updated) < self.now - MOMENT else ""
        content = to_markdown(thread).encode("utf-8", "replace")
        if len(content) > self.limits.max_bytes:
            limit = self.limits.max_bytes / 1024 / 1024
            return FailedDocument(
                uri=self.uri(part, number), reason=f"It is larger than {limit:g} MB with its comments."
            )
        moved_from = self._stored_uri(part, number) if number in self.position.elsewhere else None
        self.position.elsewhere.pop(number, None)
        return FetchedDocument(
            uri=self.uri(part, number),
            title=thread.title,
            content=content,
            media_type="text/markdown",
            audience=self.audience,
            modified_at=time_of(updated),
            moved_from=moved_from,
            owner=thread.first.author,
        )

    def failed(self, part: str, shelf: Shelf, number: int, error: BrokenError) -> FailedDocument:
        """One that cannot be read while others can; raises the error where none can."""
        self._broken += 1
        if self._broken >= _BROKEN_IN_A_ROW:
            raise error
        self.delivered[number], shelf.known[number] = FAILED, ""
        return FailedDocument(uri=self.uri(part, number), reason=str(error))

    def gone(self, part: str, shelf: Shelf, number: int) -> Iterator[SourceStep]:
        """One that is no longer there."""
        if number in shelf.known:
            uri = self._stored_uri(part, number)
            self.position.forget(number)
            yield DeletedDocument(uri=uri)

    def listing_is_due(self, shelf: Shelf) -> bool:
        """Whether to see now which are gone."""
        age = self.now.timestamp() - shelf.listed
        return len(shelf.known) <= self.limits.few or age >= self.limits.listing_seconds

    def missing(
        self, shelf: Shelf, found: Collection[int], ask: Callable[[int], Iterator[SourceStep]]
    ) -> Iterator[SourceStep]:
        """Ask for each that is listed no more: a list that changes while it is read may leave one out."""
        if not found and len(shelf.known) > _MANY:
            raise SourceUnavailableError(
                f"GitHub lists nothing in {self.position.name} all at once, and listed {len(shelf.known)} before. "
                "Nothing was deleted. Check what the token may read; if it is right, `lorekeeper sources remove` the "
                "source and add it again."
            )
        for number in sorted(shelf.known.keys() - set(found) - self.delivered.keys()):
            yield from ask(number)
        shelf.listed = self.now.timestamp()

    def _stored_uri(self, part: str, number: int) -> str:
        name = self.position.elsewhere.get(number, self.position.name)
        return f"{self.place.site}/{name}/{_FOLDERS[part]}/{number}"


def time_of(text: str) -> datetime:
    """A moment as GitHub writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def text_of(moment: datetime) -> str:
    """A moment as GitHub reads it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str | None) -> str:
    """A moment in few characters, for what is kept of each of many."""
    return str(int(time_of(text).timestamp())) if text else ""
