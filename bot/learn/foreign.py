"""What an answer may not hold unless the text that it was made from holds it: links, mentions, orders to the reader.

One rule for the rows that a model learns from and for what it says afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINK = re.compile(
    r"(?:https?|ftp|slack|data|javascript):/{0,2}[^\s)>\]]+|\bwww\.\S+|!?\[[^\]]*\]\([^)]*\)", re.IGNORECASE
)
_HOST = re.compile(
    r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|example|info|biz|ru|cn|xyz|top|app|dev)\b", re.IGNORECASE
)
_MENTION = re.compile(r"<[@!#][^>\s]*>|(?<!\w)@(?:channel|here|everyone)\b|[\w.+-]+@[\w-]+\.\w[\w.-]*")
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+|your\s+|every\s+)*(?:previous|prior|above|earlier|"
    r"instructions?|rules?|text|question|documents?)\b"
    r"|\bsystem prompt\b|\bdeveloper mode\b|\byou are now\b|\bclick (?:here|this|the link)\b"
    r"|\b(?:send|tell|give|enter|email|paste|share)\b.{0,30}\b(?:password|passcode|credentials?|secret|api key)\b",
    re.IGNORECASE,
)
KINDS = (("link", _LINK), ("link", _HOST), ("mention", _MENTION), ("instruction", _ORDER))


def foreign_parts(answer: str, read: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of what an answer adds to what was read."""
    known = " ".join(read.lower().split())
    for kind, pattern in KINDS:
        for match in pattern.finditer(answer):
            if " ".join(match.group().lower().split()) not in known:
                yield kind, match.group()
