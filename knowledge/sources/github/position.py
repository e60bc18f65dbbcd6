"""Where a run over a GitHub repository is, and what it leaves for the next one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Shelf:
    """Issues and pull requests, or discussions, as far as they are delivered."""

    since: str = ""
    """All that changed before this moment is delivered; empty before the first."""
    comments_since: str = ""
    """Likewise for comments that were edited."""
    listed: float = 0.0
    """When all of them were last listed, to see which are gone, in seconds since 1970; 0 where that is due."""
    known: dict[int, str] = field(default_factory=dict)
    """Number -> what tells this version from the next one, empty where it must be read again."""

    def forget_versions(self) -> None:
        """Read all of them again, and then see which are gone."""
        self.since, self.listed = "", 0.0
        self.known = dict.fromkeys(self.known, "")


@dataclass(kw_only=True)
class Position:
    """Where a run is; changed as it goes on."""

    repository: int = 0
    """GitHub's id: another repository may get the same name."""
    name: str = ""
    elsewhere: dict[int, str] = field(default_factory=dict)
    """Number -> the repository's name in the address under which it was delivered, where that changed since."""
    pulls: set[int] = field(default_factory=set)
    """Which of the known numbers are pull requests."""
    issues: Shelf = field(default_factory=Shelf)
    discussions: Shelf = field(default_factory=Shelf)

    def found(self, repository: int, name: str) -> None:
        """Take note of which repository the location names now."""
        if self.repository and (repository, name) != (self.repository, self.name):
            known = [*self.issues.known, *self.discussions.known]
            if name != self.name:
                self.elsewhere = {number: self.elsewhere.get(number, self.name) for number in known}
            self.issues.forget_versions()
            self.discussions.forget_versions()
        self.repository, self.name = repository, name

    def forget(self, number: int) -> None:
        """It is gone."""
        self.issues.known.pop(number, None)
        self.discussions.known.pop(number, None)
        self.elsewhere.pop(number, None)
        self.pulls.discard(number)

    def dump(self) -> str:
        """As a cursor."""
        return json.dumps({**asdict(self), "pulls": sorted(self.pulls)}, separators=(",", ":"))


def read_position(cursor: str | None) -> Position:
    """Where a run begins."""
    if cursor is None:
        return Position()
    content = json.loads(cursor)
    return Position(
        repository=content["repository"],
        name=content["name"],
        elsewhere={int(number): name for number, name in content["elsewhere"].items()},
        pulls=set(content["pulls"]),
        issues=_shelf(content["issues"]),
        discussions=_shelf(content["discussions"]),
    )


def _shelf(content: dict[str, Any]) -> Shelf:
    return Shelf(**{**content, "known": {int(number): version for number, version in content["known"].items()}})
