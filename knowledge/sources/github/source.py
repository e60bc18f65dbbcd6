"""Issues, discussions and, where asked for, pull requests of a GitHub repository: each is a document with its comments.

A run asks for what changed since the last one, oldest first, and says often how far it came: of a large repository, or
without a token, one run reads a part. What is gone shows where all are listed: in each run while they are few, else
once a day. One that is missing there is asked for by itself before it counts as gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from knowledge.audience import EVERYONE
from knowledge.document import FailedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.github.api import GithubApi, GoneError, RefusedError
from knowledge.sources.github.delivery import Delivery, GithubLimits
from knowledge.sources.github.discussions import DiscussionWalk
from knowledge.sources.github.issues import IssueWalk
from knowledge.sources.github.place import parse_github
from knowledge.sources.github.position import Position, read_position
from knowledge.sources.source import NO_SECRET, Checkpoint, Expected, SourceStep

__all__ = ["GithubLimits", "GithubSource"]

# A word on how far the run came, after so many documents or seconds: INGEST stores what it has after five seconds, and
# without that word a run that is stopped just then begins anew.
_OFTEN = 25
_OFTEN_SECONDS = 4.0


class GithubSource:
    """All issues and discussions of a repository, as far as its credential may read them."""

    def __init__(
        self,
        source_id: str,
        location: str,
        audience: str = EVERYONE,
        secret: Secret = NO_SECRET,
        limits: GithubLimits | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._id = source_id
        self._place = parse_github(location)
        self._audience = audience
        self._secret = secret
        self._limits = limits or GithubLimits()
        self._clock = clock
        self._sleep = sleep

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        position = read_position(cursor)
        untold, told_at = 0, self._clock()
        try:
            for step in self._steps(position, retry):
                untold += not isinstance(step, Expected)
                yield step
                if untold >= _OFTEN or self._clock() - told_at > _OFTEN_SECONDS:
                    untold = 0
                    yield Checkpoint(cursor=position.dump())
                    told_at = self._clock()
        except SourceUnavailableError:
            if untold:
                yield Checkpoint(cursor=position.dump())
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if untold:
                yield Checkpoint(cursor=position.dump())
            raise SourceUnavailableError(
                f"{self._place.api} does not answer as GitHub does ({type(error).__name__}: {error}). Check the "
                "address; what is known from it stays."
            ) from error
        yield Checkpoint(cursor=position.dump())

    def _steps(self, position: Position, retry: Collection[str]) -> Iterator[SourceStep]:
        with GithubApi(
            self._place,
            self._secret,
            wait_seconds=self._limits.wait_seconds,
            timeout_seconds=self._limits.timeout_seconds,
            clock=self._clock,
            sleep=self._sleep,
        ) as api:
            repository, now = self._repository(api)
            position.found(int(repository["id"]), str(repository["full_name"]))
            delivery = Delivery(
                place=self._place,
                api=api,
                position=position,
                now=now,
                audience=self._audience,
                retry=retry,
                limits=self._limits,
            )
            issues = tuple(part for part in self._place.parts if part != "discussions")
            if issues:
                off = self._off(repository, "issues", bool(position.issues.known))
                yield from _part(delivery, issues, IssueWalk(delivery).steps(), off)
            if "discussions" in self._place.parts:
                off = self._off(repository, "discussions", bool(position.discussions.known))
                yield from _part(delivery, ("discussions",), DiscussionWalk(delivery).steps(), off)

    def _repository(self, api: GithubApi) -> tuple[Mapping[str, Any], datetime]:
        place = self._place
        try:
            return api.get(f"/repos/{place.name}")
        except (GoneError, RefusedError) as error:
            hint = "that the token may see it" if self._secret else "that it is public, or add it with --credential"
            raise SourceUnavailableError(
                f"{place.host} shows no repository {place.name}. Check its name, and {hint}. What is known from it "
                f"stays. ({error})"
            ) from error

    def _off(self, repository: Mapping[str, Any], part: str, is_known: bool) -> str | None:
        """Why a part cannot be read; empty where nobody expects it, None where it can."""
        if not repository.get(f"has_{part}", True):
            expected = is_known or len(self._place.parts) == 1
            return f"The {part} of {self._place.name} are turned off. What is known stays." if expected else ""
        if part == "discussions" and not self._secret:
            return (
                "GitHub shows discussions to nobody without a token. Keep one with `lorekeeper credentials set NAME` "
                f"and add the source with --credential NAME, or add {self._place.name}#issues alone."
            )
        return None


def _part(
    delivery: Delivery, names: tuple[str, ...], steps: Iterator[SourceStep], off: str | None
) -> Iterator[SourceStep]:
    """The steps of a part; where it may not be read as a whole, that part fails and the others go on."""
    if off is None:
        try:
            yield from steps
        except (RefusedError, GoneError) as error:
            off = str(error)
    for name in names if off else ():
        yield FailedDocument(uri=delivery.folder(name), reason=off or "")
