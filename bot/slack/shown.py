"""What each person's home page shows last: of two wishes that cross, the newer stays. Knows no page; thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What somebody sees, and when they wished for it."""

    at: datetime
    side: str
    """Empty for a person's own side; else what the admins' side says of itself."""


class ShownPages:
    """The pages that this process put before people."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._shown: dict[str, Shown] = {}

    def show(self, user: str, shown: Shown, publish: Callable[[], None]) -> bool:
        """Publish a page, unless one that was wished for later stands there; False where it does.

        What a page says takes a while to read: whoever turned it meanwhile sees what they turned to.
        """
        with self._lock:
            own = self._locks.setdefault(user, threading.Lock())
        with own:
            before = self._shown.get(user)
            if before is not None and before.at > shown.at:
                return False
            publish()
            self._shown[user] = shown
            return True

    def of(self, user: str) -> Shown | None:
        """What a person sees; None where this process showed them nothing yet."""
        return self._shown.get(user)
