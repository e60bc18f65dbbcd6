"""The questions that this process works on right now, and how they are stopped; thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


class ShutDownError(Exception):
    """The process is asked to end: put the question back."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One question being worked on in this process."""

    row_id: int
    cancel: threading.Event = field(default_factory=threading.Event)


class Runs:
    """The runs of this process, by inbox row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[int, Run] = {}
        self._shut_down = threading.Event()

    @contextmanager
    def track(self, row_id: int) -> Iterator[Run]:
        """Register the run of an inbox row while it goes on."""
        run = Run(row_id=row_id)
        with self._lock:
            self._runs[row_id] = run
        if self._shut_down.is_set():
            run.cancel.set()
        try:
            yield run
        finally:
            with self._lock:
                self._runs.pop(row_id, None)

    def cancel(self, row_ids: Sequence[int]) -> tuple[int, ...]:
        """Cancel the runs of these rows; returns those that run here."""
        with self._lock:
            found = tuple(row_id for row_id in row_ids if row_id in self._runs)
            for row_id in found:
                self._runs[row_id].cancel.set()
        return found

    def shut_down(self) -> None:
        """Cancel everything, now and in future."""
        self._shut_down.set()
        with self._lock:
            for run in self._runs.values():
                run.cancel.set()

    @property
    def is_shut_down(self) -> bool:
        """Whether a cancelled run ends because the process does."""
        return self._shut_down.is_set()
