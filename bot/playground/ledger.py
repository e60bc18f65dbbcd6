"""The ledger: every call, event, acknowledgement and connection with its time; the oracle of end-to-end tests."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any

KEPT_ENTRIES = 10_000
Entry = dict[str, Any]


class Ledger:
    """Keeps the newest entries and tells one listener about each; used from the server's loop only."""

    def __init__(self, listener: Callable[[Entry], None]) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._ids = itertools.count(1)
        self._listener = listener

    def add(
        self,
        kind: str,
        name: str,
        status: str,
        *,
        ms: float = 0.0,
        request: Any = None,
        response: Any = None,
        **details: Any,
    ) -> None:
        """Write one entry; kind is call, event, ack, interaction or connection."""
        entry = {
            "id": next(self._ids),
            "time": time.time(),
            "kind": kind,
            "name": name,
            "status": status,
            "ms": round(ms, 1),
            "request": request,
            "response": response,
            **details,
        }
        self._entries.append(entry)
        self._listener(entry)

    def entries(self, *, since: int = 0, kind: str | None = None) -> list[Entry]:
        """List entries with a higher id than `since`, oldest first."""
        return [entry for entry in self._entries if entry["id"] > since and kind in (None, entry["kind"])]

    def clear(self) -> None:
        """Forget all entries; ids go on counting."""
        self._entries.clear()
