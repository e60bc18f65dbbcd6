"""Shows a message while it changes: at a pace that Slack allows all live messages together, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.slack.allowance import MINUTE, Allowance

logger = logging.getLogger(__name__)

# `chat.appendStream` is Tier 4, `chat.startStream` and `chat.stopStream` are Tier 2: a little is kept in hand.
APPENDS_A_MINUTE = 95
STARTS_A_MINUTE = 18
# The last starts of a minute are for answers that go on in another message.
_KEPT_STARTS = 4
# Slack clears a status after two minutes.
SAY_AGAIN_SECONDS = 60.0


class Pace:
    """How often live messages may change: the budgets are shared by all that are live; thread-safe."""

    def __init__(self, update_seconds: float, stream_seconds: float = 1.2, starts: int = STARTS_A_MINUTE) -> None:
        self._update_seconds = update_seconds
        self._stream_seconds = stream_seconds
        self._starts = Allowance(starts)
        self._lock = threading.Lock()
        self._live = 0

    @property
    def seconds(self) -> float:
        """Least time between two updates of one message."""
        with self._lock:
            return self._update_seconds * max(1, self._live)

    @property
    def append_seconds(self) -> float:
        """Least time between two pieces of one streamed message."""
        with self._lock:
            return max(self._stream_seconds, self._live * MINUTE / APPENDS_A_MINUTE)

    def take_start(self, *, goes_on: bool = False) -> bool:
        """Ask to open a stream; `goes_on`: for an answer that streams already."""
        return self._starts.take(keep=0 if goes_on else _KEPT_STARTS)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Count one more live message."""
        with self._lock:
            self._live += 1
        try:
            yield
        finally:
            with self._lock:
                self._live -= 1


class LiveMessage:
    """Calls what shows a message: the newest only, one call under way at most.

    The spine never waits for Slack while the model writes. Leave the context before the final update: then no
    older text can arrive after it.
    """

    def __init__(
        self,
        pace: Pace,
        pause: Callable[[], float],
        *,
        begin: Callable[[], object],
        remind: Callable[[], object],
        remind_seconds: float = SAY_AGAIN_SECONDS,
    ) -> None:
        self._pace = pace
        self._pause = pause
        self._begin = begin
        self._remind = remind
        self._remind_seconds = remind_seconds
        self._news = threading.Condition()
        self._newest: Callable[[], None] | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="live-message", daemon=True)

    def __enter__(self) -> LiveMessage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._over = True
            self._news.notify()
        self._thread.join()

    def offer(self, show: Callable[[], None]) -> None:
        """Take what shows the message as it is now: called when its turn comes, or never if newer comes."""
        with self._news:
            self._newest = show
            self._news.notify()

    def _run(self) -> None:
        with self._pace.live():
            self._call(self._begin)
            reminded = time.monotonic()
            while not self._over:
                show = self._next(reminded + self._remind_seconds - time.monotonic())
                if show is not None:
                    self._call(show)
                    with self._news:
                        self._news.wait_for(lambda: self._over, timeout=self._pause())
                if time.monotonic() - reminded >= self._remind_seconds:
                    self._call(self._remind)
                    reminded = time.monotonic()

    @staticmethod
    def _call(show: Callable[[], object]) -> None:
        try:
            show()
        except Exception:
            logger.exception("an interim text could not be shown")

    def _next(self, seconds: float) -> Callable[[], None] | None:
        with self._news:
            self._news.wait_for(lambda: self._over or self._newest is not None, timeout=max(0.0, seconds))
            show, self._newest = self._newest, None
            return None if self._over else show
