"""Is a request from Slack: its signature, checked over the bytes that came. Whatever is odd about one is a no, never an
error."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable

OLDEST_SECONDS = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}\Z", re.ASCII)


class Verifier:
    """Checks requests against one signing secret."""

    def __init__(self, secret: str, *, now: Callable[[], float] = time.time) -> None:
        if not secret:
            raise ValueError("the signing secret is empty: everybody could sign")
        self._secret = secret.encode()
        self._now = now

    def accepts(self, timestamp: str | None, signature: str | None, body: bytes) -> bool:
        """Tell whether Slack signed this body within the last five minutes."""
        if timestamp is None or signature is None:
            return False
        if not _TIMESTAMP.match(timestamp) or not _SIGNATURE.match(signature):
            return False
        if abs(self._now() - int(timestamp)) > OLDEST_SECONDS:
            return False
        return hmac.compare_digest(sign(self._secret, timestamp, body), signature) and _is_text(body)


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature that Slack puts on a body."""
    return f"v0={hmac.new(secret, b'v0:' + timestamp.encode() + b':' + body, hashlib.sha256).hexdigest()}"


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
