"""The word index of the newest snapshot: a few new chunks are read while a question waits, many in a thread.

Until that has ended there is no index, and FTS5 answers. What is half built is seen by nobody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import sqlalchemy as sa

from knowledge.snapshot import Snapshot
from knowledge.word_index import WordIndex
from knowledge.word_reader import READ_AT_ONCE, WordReader, tidied

logger = logging.getLogger(__name__)


class WordFollower:
    """Call `follow` with each new snapshot, one at a time; `on_ready` is called from its thread when that has ended."""

    def __init__(self, engine: sa.Engine, header_weight: float, on_ready: Callable[[], None]) -> None:
        self._engine = engine
        self._on_ready = on_ready
        self._reader = WordReader(header_weight)
        # A database in memory has one connection, which no second thread may use.
        self._at_once = None if isinstance(engine.pool, sa.StaticPool) else READ_AT_ONCE
        self._changing = threading.Lock()
        self._closing = threading.Event()
        self._reads = False
        self._thread: threading.Thread | None = None

    def follow(self, connection: sa.Connection, snapshot: Snapshot) -> WordIndex | None:
        """The index for this snapshot, as of the same moment as the connection; None where many chunks are missing."""
        with self._changing:
            missing = self._reader.missing(snapshot)
            if len(missing):
                if self._reads:
                    return None
                if self._at_once is not None and len(missing) > self._at_once:
                    self._start(self._read, snapshot)
                    return None
                self._reader.read(connection, missing)
            if self._reader.untidy(snapshot):
                self._start(self._tidy, snapshot)
            return self._reader.index(snapshot)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the work in the background; returns whether it has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """End the work in the background and forget all words."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()

    def _start(self, work: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        busy = self._thread is not None and self._thread.is_alive() and self._thread is not threading.current_thread()
        if busy or self._closing.is_set():
            return
        self._reads = work == self._read
        self._thread = threading.Thread(target=self._run, args=(work, snapshot), name="lorekeeper-words", daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        try:
            work(snapshot)
        except Exception:
            logger.exception("the words could not be read into memory; the word index in SQL answers")
            return
        finally:
            self._reads = False
        if not self._closing.is_set():
            self._on_ready()

    def _read(self, snapshot: Snapshot) -> None:
        read = self._reader.read_missing(self._engine, snapshot, self._closing.is_set)
        with self._changing:
            self._reads = False
            self._reader.replace((), read)

    def _tidy(self, snapshot: Snapshot) -> None:
        old = self._reader.untidy(snapshot)
        new = tidied(old, snapshot)
        with self._changing:
            self._reader.replace(old, new)
