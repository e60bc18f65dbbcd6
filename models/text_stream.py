"""From the bytes of tokens to text that may be shown: whole characters only, and nothing of a stop text.

Knows nothing of models: bytes go in, text comes out as early as it is certain.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Decodes one generated text. A token may end inside a character or inside what becomes a stop text."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False
        """A stop text was seen; nothing comes after it."""

    def push(self, piece: bytes) -> str:
        """Take the next bytes and return the text that is certain now, which may be empty."""
        return self._release(self._decoder.decode(piece), final=False)

    def finish(self) -> str:
        """Return what was held back; half a character at the end becomes U+FFFD."""
        return self._release(self._decoder.decode(b"", final=True), final=True)

    def _release(self, text: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        self._held += text
        found = [at for at in (self._held.find(stop) for stop in self._stops) if at >= 0]
        self.stopped = bool(found)
        end = min(found) if found else len(self._held) - (0 if final else self._uncertain())
        certain, self._held = self._held[:end], self._held[end:]
        return certain

    def _uncertain(self) -> int:
        """Count the last characters that may be the start of a stop text."""
        longest = min(len(self._held), max((len(stop) - 1 for stop in self._stops), default=0))
        for length in range(longest, 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
