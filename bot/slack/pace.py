"""So many calls a minute, evenly: who comes too early waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """The time between two calls; thread-safe. `stopping` ends every wait."""

    def __init__(
        self, calls_a_minute: int, *, stopping: threading.Event, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.calls_a_minute = calls_a_minute
        self._stopping = stopping
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next = monotonic()

    def wait(self) -> bool:
        """Wait for this call's turn; False where the program stops meanwhile."""
        with self._lock:
            now = self._monotonic()
            turn = max(now, self._next)
            self._next = turn + MINUTE / self.calls_a_minute
        return not (turn > now and self._stopping.wait(turn - now)) and not self._stopping.is_set()
