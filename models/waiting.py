"""A fair line in front of something that serves one caller at a time; leaving it early is always possible.

Knows nothing of models: the generator in the child process and the tests' scripted one both stand behind it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import GenerationStopped

# How soon a caller who waits notices that somebody set its cancel event; an Event cannot wake a Condition.
CANCEL_POLL_SECONDS = 0.05


class WaitingLine:
    """First come, first served. All methods may be called from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._callers: deque[object] = deque()

    def __len__(self) -> int:
        """Count the callers in the line, with the one being served."""
        return len(self._callers)

    @contextmanager
    def turn(self, cancel: threading.Event | None = None) -> Iterator[None]:
        """Wait for this caller's turn, hold it; raises GenerationStopped once `cancel` is set meanwhile."""
        ticket = object()
        with self._changed:
            self._callers.append(ticket)
        try:
            self._wait(ticket, cancel)
            yield
        finally:
            with self._changed:
                self._callers.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, cancel: threading.Event | None) -> None:
        with self._changed:
            while True:
                raise_if_stopped(cancel)
                if self._callers[0] is ticket:
                    return
                self._changed.wait(CANCEL_POLL_SECONDS if cancel is not None else None)


def raise_if_stopped(cancel: threading.Event | None) -> None:
    """Raise GenerationStopped where somebody asked to stop."""
    if cancel is not None and cancel.is_set():
        raise GenerationStopped("Generation was stopped on request.")
