"""Asking a service that may be busy: again after a while, as long as it asks for, and not for ever."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from knowledge.errors import SourceError

T = TypeVar("T")

MOST_TRIES = 6
LONGEST_WAIT_SECONDS = 120.0
"""A service that asks for a longer break is left alone until the next run."""


@dataclass(frozen=True, kw_only=True)
class Busy:
    """What came instead of an answer, where asking again may help."""

    why: str
    after_seconds: float | None = None
    """How long the service asks to wait; None where it does not say."""
    away: bool = False
    """Nobody answered at all: not worth a second try where nobody ever did."""


@dataclass(kw_only=True)
class Patience:
    """Calls that are tried again, with longer and longer breaks; for one thread."""

    busy: Callable[[Exception], Busy | None]
    """What an error means; None for one that trying again does not mend."""
    unavailable: Callable[[str], SourceError]
    """What is raised when it was enough, with the reason."""
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    tries: int = MOST_TRIES
    per_second: float | None = None
    """Calls on average, of which `burst` may come at once; None for no limit of our own."""
    burst: int = 10
    _answered: bool = field(default=False, init=False)
    _free_at: float = field(default=0.0, init=False)

    def ask(self, call: Callable[[], T]) -> T:
        """What the call gives; what it raises is raised where trying again does not help."""
        for attempt in range(self.tries):
            self._keep_pace()
            try:
                answer = call()
            except Exception as error:
                busy = self.busy(error)
                if busy is None:
                    self._answered = True
                    raise
                wait = self._wait(busy, attempt)
                if wait is None:
                    raise self.unavailable(busy.why) from error
                self.sleep(wait)
            else:
                self._answered = True
                return answer
        raise AssertionError("the last try either answers or raises")

    def _wait(self, busy: Busy, attempt: int) -> float | None:
        self._answered = self._answered or not busy.away
        wanted = busy.after_seconds
        if attempt == self.tries - 1 or not self._answered or (wanted or 0) > LONGEST_WAIT_SECONDS:
            return None
        # At a random moment, so that several processes do not come back together.
        return wanted if wanted is not None else 2.0**attempt * random.uniform(0.5, 1.0)  # noqa: S311

    def _keep_pace(self) -> None:
        if self.per_second is None:
            return
        now, gap = self.clock(), 1 / self.per_second
        self._free_at = max(self._free_at, now - gap * self.burst) + gap
        if self._free_at > now:
            self.sleep(self._free_at - now)
