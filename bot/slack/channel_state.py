"""How far a channel is read: what its cursor holds. It holds no words.

Stretches of history that are not read to their end are finished from the newest to the oldest. Of each thread of the
last weeks it is known what its first message told of it, and when it was read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

_MOST_STRETCHES = 4


@dataclass(kw_only=True)
class Stretch:
    """A part of history to read, downwards."""

    at: str
    """All from here up is read."""
    floor: str
    """Where it ends; the message at this ts is read, too."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """A thread that was read."""

    signature: str
    checked: int
    """When, in seconds since 1970."""


@dataclass(kw_only=True)
class State:
    """How far a channel is read."""

    top: str = ""
    """The newest message that was seen; empty where nothing was read yet."""
    stretches: list[Stretch] = field(default_factory=list)
    """What is to be read, the newest at the end."""
    threads: dict[str, Known] = field(default_factory=dict)
    looked: int = 0
    """When the last weeks were looked through to the end, in seconds since 1970."""

    def add(self, stretch: Stretch) -> None:
        """Read this first, and then what is left; where much is left unread, it becomes one stretch again."""
        self.stretches.append(stretch)
        if len(self.stretches) > _MOST_STRETCHES:
            self.stretches = [Stretch(at=stretch.at, floor=min(one.floor for one in self.stretches))]

    def finish(self, stretch: Stretch) -> None:
        """Note that a stretch is read."""
        self.stretches = [one for one in self.stretches if one is not stretch]

    def forget_threads(self, *, before: str) -> None:
        """Forget threads that nobody looks back at."""
        self.threads = {root: known for root, known in self.threads.items() if root >= before}

    def dump(self) -> str:
        """Write it as a cursor."""
        return json.dumps(
            {
                "top": self.top,
                "stretches": [[one.at, one.floor] for one in self.stretches],
                "looked": self.looked,
                "threads": {root: [known.signature, known.checked] for root, known in self.threads.items()},
            }
        )


def read_state(cursor: str | None) -> State:
    """Read what `dump` wrote; the beginning where there is no cursor."""
    if cursor is None:
        return State()
    content = json.loads(cursor)
    return State(
        top=content["top"],
        looked=content["looked"],
        stretches=[Stretch(at=one[0], floor=one[1]) for one in content["stretches"]],
        threads={root: Known(signature=known[0], checked=known[1]) for root, known in content["threads"].items()},
    )
