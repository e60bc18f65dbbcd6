"""So many calls in any minute: who comes too early waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class Pace:
    """What one kind of call may cost a minute; thread-safe. `stopping` ends every wait."""

    def __init__(
        self, calls_a_minute: int, *, stopping: threading.Event, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.calls_a_minute = calls_a_minute
        self._stopping = stopping
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._turns: deque[float] = deque(maxlen=calls_a_minute)

    def wait(self) -> bool:
        """Wait for this call's turn; False where the program stops meanwhile."""
        with self._lock:
            now = self._monotonic()
            full = len(self._turns) == self.calls_a_minute
            turn = max(now, self._turns[0] + MINUTE) if full else now
            self._turns.append(turn)
        return not (turn > now and self._stopping.wait(turn - now)) and not self._stopping.is_set()
