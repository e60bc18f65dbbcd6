"""What every converter gives, and how bytes become text. Runs in the parsing child only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from knowledge.code import Code
from knowledge.errors import UnreadableDocumentError


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a converter found; an empty title means that the document names none."""

    title: str
    markdown: str = field(repr=False)
    owner: str = ""
    """Whoever wrote it, where the document itself says so."""
    code: Code | None = None
    """Of source code, which is no Markdown: the text is the file's own then."""


def decode(content: bytes) -> str:
    """Text of the usual encodings, with line feeds only; raises UnreadableDocumentError for what is no text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    if text.count("\0") > 8 + len(text) // 1000:
        raise UnreadableDocumentError("It is not text, whatever its name says.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_prose(text: str) -> str:
    """Text in which a line that only looks like a heading does not become one."""
    return re.sub(r"^(#{1,6}\s|={3,}\s*$|-{3,}\s*$)", r"\\\1", text, flags=re.MULTILINE)
