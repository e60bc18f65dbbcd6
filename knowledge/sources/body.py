"""The body of an answer, read with limits on its size and its time. It knows no HTTP client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


class BodyError(Exception):
    """A body went beyond a limit; the message goes on behind its name."""


@dataclass(frozen=True, kw_only=True)
class BodyLimits:
    """What a body may cost."""

    max_bytes: int
    seconds: float
    """As a whole, from when it was asked for."""


def read_body(
    parts: Iterable[bytes], limits: BodyLimits, asked_at: float, clock: Callable[[], float] = time.monotonic
) -> bytes:
    """Put the parts of a body together, unpacked already; `asked_at` is by the same clock. Raises BodyError."""
    content = bytearray()
    for part in parts:
        content += part
        if len(content) > limits.max_bytes:
            raise BodyError(f"is larger than {limits.max_bytes / 1024 / 1024:g} MB")
        if clock() > asked_at + limits.seconds:
            raise BodyError(f"took longer than {limits.seconds:g} s")
    return bytes(content)
