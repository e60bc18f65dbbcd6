"""The newest advice, kept in memory for the admins' page: worked out in the background, and anew when it is old.

It holds people's questions, so it is never written anywhere: what is forgotten or withdrawn is gone with the next one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.learn.advise import Advice

logger = logging.getLogger(__name__)

FRESH = timedelta(hours=6)


class LatestAdvice:
    """Works advice out where somebody asks for it; may be used from several threads."""

    def __init__(
        self, work_out: Callable[[], Advice], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._work_out = work_out
        self._now = now
        self._lock = threading.Lock()
        self._advice: Advice | None = None
        self._at: datetime | None = None
        self._thread: threading.Thread | None = None

    def current(self) -> Advice | None:
        """The newest there is, at once; None where the first is still being worked out."""
        with self._lock:
            is_old = self._at is None or self._now() - self._at > FRESH
            if is_old and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._renew, name="advice", daemon=True)
                self._thread.start()
            return self._advice

    def wait(self, seconds: float) -> None:
        """Wait for what is being worked out."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _renew(self) -> None:
        try:
            advice = self._work_out()
        except Exception:
            logger.exception("advice could not be worked out")
            return
        finally:
            # Also after a failure: it is not tried again at every look.
            with self._lock:
                self._at = self._now()
        with self._lock:
            self._advice = advice
