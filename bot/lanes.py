"""The threads that work the inbox off: one lane per kind of work, so that a vote never waits for an answer.

Knows leases, not what is done with them. A thread survives whatever its work raises.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.inbox import Inbox, Kind, Lease, Waiting

logger = logging.getLogger(__name__)

# News of this process arrive at once; this is for rows of other processes and for leases that ended.
_LOOK_SECONDS = 1.0
_AFTER_FAULT_SECONDS = 1.0
_LINE_SECONDS = 4.0
# Slack clears a status after two minutes.
_SAY_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Rows of these kinds are worked on by this many threads."""

    name: str
    kinds: tuple[Kind, ...]
    threads: int
    work: Callable[[Lease], None]


class Lanes:
    """Starts and stops the threads; their leases are renewed while they work."""

    def __init__(
        self,
        inbox: Inbox,
        lanes: Sequence[Lane],
        *,
        announce: Callable[[Waiting], None] | None = None,
        clear: Callable[[Waiting], None] = lambda _waiting: None,
    ) -> None:
        """`announce` tells a question's place in the line, `clear` takes it back where the question was dropped."""
        self._inbox = inbox
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"{lane.name}-{number}", daemon=True)
            for lane in lanes
            for number in range(lane.threads)
        ]
        self._threads.append(threading.Thread(target=self._renew, name="lease-keeper", daemon=True))
        if announce is not None:
            line = threading.Thread(target=self._tell_line, args=(announce, clear), name="waiting-line", daemon=True)
            self._threads.append(line)

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience_seconds: float) -> bool:
        """Take no more work and wait for what is under way; False when something did not end in time.

        What did not end keeps its lease until that runs out, then somebody else takes it up.
        """
        self._stopping.set()
        self._inbox.wake()
        deadline = time.monotonic() + patience_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        if late:
            logger.warning("still at work after %.0f s: %s", patience_seconds, ", ".join(late))
        return not late

    def _work(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            seen = self._inbox.news
            try:
                lease = self._inbox.claim(lane.kinds)
                if lease is None:
                    self._inbox.wait(seen, _LOOK_SECONDS)
                    continue
                self._hold(lease, lane.work)
            except Exception:
                # The row stays; when its lease ends it is taken up again.
                logger.exception("the %s lane stumbled and goes on", lane.name)
                self._stopping.wait(_AFTER_FAULT_SECONDS)

    def _hold(self, lease: Lease, work: Callable[[Lease], None]) -> None:
        with self._lock:
            self._held[lease.token] = lease
        try:
            work(lease)
        finally:
            with self._lock:
                self._held.pop(lease.token, None)
            self._inbox.wake()

    def _renew(self) -> None:
        # Goes on while threads finish after a stop: their leases must not end under them.
        while not self._stopping.wait(self._inbox.lease_seconds / 3) or self._held:
            with self._lock:
                leases = list(self._held.values())
            if not leases:
                continue
            try:
                self._inbox.renew(leases)
            except Exception:
                logger.exception("leases could not be renewed; trying again")
            if self._stopping.is_set():
                time.sleep(min(1.0, self._inbox.lease_seconds / 3))

    def _tell_line(self, announce: Callable[[Waiting], None], clear: Callable[[Waiting], None]) -> None:
        told: dict[int, tuple[Waiting, float]] = {}
        while not self._stopping.is_set():
            try:
                line = {waiting.id: waiting for waiting in self._inbox.waiting_line()}
                for waiting in self._dropped([before for before, _ in told.values() if before.id not in line]):
                    clear(waiting)
                told = {row_id: told[row_id] for row_id in line if row_id in told}
                for waiting in line.values():
                    before, at = told.get(waiting.id, (None, 0.0))
                    is_old = time.monotonic() - at > _SAY_AGAIN_SECONDS
                    if before is None or before.ahead != waiting.ahead or is_old:
                        announce(replace(waiting, told=before is not None))
                        told[waiting.id] = (waiting, time.monotonic())
            except Exception:
                logger.exception("the waiting line could not be told; trying again")
            seen = self._inbox.news
            self._inbox.wait(seen, _LINE_SECONDS)
            # A free worker takes a new question at once: then there is nothing to say.
            self._stopping.wait(0.5)

    def _dropped(self, gone: Sequence[Waiting]) -> list[Waiting]:
        dropped = self._inbox.were_dropped([waiting.id for waiting in gone]) if gone else frozenset()
        return [waiting for waiting in gone if waiting.id in dropped]
