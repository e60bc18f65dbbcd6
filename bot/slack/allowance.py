"""What Slack allows: how many calls of a kind a minute, and things that a workspace may not have at all."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0
# A workspace may get a feature at any time, and an app a scope.
ASK_AGAIN_SECONDS = 600.0


class Allowance:
    """So many calls in a minute; thread-safe."""

    def __init__(self, calls: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._taken: deque[float] = deque()

    def take(self, *, keep: int = 0) -> bool:
        """Take one call of this minute's, if more than `keep` are left."""
        now = self._monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - MINUTE:
                self._taken.popleft()
            if len(self._taken) + keep >= self._calls:
                return False
            self._taken.append(now)
            return True


class Capability:
    """Something that not every workspace has: after a refusal it is left alone for a while; thread-safe."""

    def __init__(
        self, *, rest_seconds: float = ASK_AGAIN_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._resting_until = 0.0

    @property
    def works(self) -> bool:
        """Whether it is worth trying, as far as known."""
        return self._monotonic() >= self._resting_until

    def refused(self) -> None:
        """Note that the workspace does not have it now."""
        self._resting_until = self._monotonic() + self._rest_seconds
