"""Files that came with a question, as passages for that one question: parsed in the limited child, cut, kept nowhere.

What can be read for a question can be kept as knowledge, too, and what cannot is told with the same words.

Knows no Slack: it gets bytes with a name.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from bot import words
from bot.turn import AttachedFile
from knowledge.chunk import Chunker
from knowledge.document import FetchedDocument, Passage
from knowledge.embed import Embedder
from knowledge.errors import (
    DocumentError,
    LockedDocumentError,
    NoTextError,
    ParseLimitError,
    UnsupportedFormatError,
)
from knowledge.parse import ParsedDocument, Parser
from knowledge.sources.files import MEDIA_TYPES

# A file of more is no attachment to a question but a document: its beginning is what is read.
MOST_CHUNKS = 120
_CHUNK_TOKENS = 230
_UNSAFE = re.compile(r"[^\w .,()+&'-]+")
# Of a name in a folder, in bytes: file systems take 255, and a draft's mark is put in front.
_LONGEST_STEM, _LONGEST_SUFFIX = 120, 20


ATTACHMENT = "attachment"
"""The kind of their origin."""


@dataclass(frozen=True, kw_only=True)
class AttachmentLimits:
    """What the attachments of one question may cost."""

    files: int = 5
    bytes_of_one: int = 10_000_000
    bytes_of_all: int = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a text on the table comes from, and who may read it."""

    kind: str
    """In the place of a source's id: attachment, thread or channel."""
    title: str
    uri: str
    audience: str


class Cutter:
    """Cuts texts into passages as the library does; may be used from several threads."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._chunker: Chunker | None = None
        self._turn = threading.Lock()

    def cut(self, document: ParsedDocument, origin: Origin) -> tuple[Passage, ...]:
        """Cut a text; its passages have no place in the library, so their ids are negative."""
        with self._turn:
            if self._chunker is None:
                limit = min(_CHUNK_TOKENS, self._embedder.max_tokens - 8)
                self._chunker = Chunker(self._embedder.tokenizer, limit)
            chunks = self._chunker.split(document)[:MOST_CHUNKS]
        return tuple(passage_of(origin, chunk.text, header=chunk.header) for chunk in chunks)


def passage_of(origin: Origin, text: str, *, header: str = "") -> Passage:
    """One passage that lies on the table; it was not searched for, so it has no scores yet."""
    digest = hashlib.sha256(f"{origin.uri}\0{header}\0{text}".encode("utf-8", "surrogatepass"))
    number = -int.from_bytes(digest.digest()[:6], "big") - 1
    return Passage(
        id=number,
        document_id=number,
        source=origin.kind,
        uri=origin.uri,
        title=origin.title,
        header=header or origin.title,
        text=text,
        text_hash=digest.hexdigest(),
        audience=origin.audience,
        score=0.0,
        cosine=0.0,
        word_score=0.0,
    )


def read_attachment(parser: Parser, name: str, mimetype: str, content: bytes) -> ParsedDocument:
    """Convert a file by its name, or as plain text where Slack says that it is text; raises DocumentError."""
    media_type = media_type_of(name, mimetype)
    if not media_type:
        suffix = PurePath(name).suffix.lower()
        raise UnsupportedFormatError(f"{suffix or 'a file without an ending'} is not a format that can be read.")
    document = FetchedDocument(uri="", title=PurePath(name).stem, content=content, media_type=media_type)
    return parser.parse(document)


def media_type_of(name: str, mimetype: str) -> str:
    """As what a file is read; empty for what is not."""
    return MEDIA_TYPES.get(PurePath(name).suffix.lower()) or ("text/plain" if mimetype.startswith("text/") else "")


def keepable(files: Sequence[AttachedFile], limits: AttachmentLimits | None = None) -> tuple[AttachedFile, ...]:
    """The files that may become knowledge, as far as that shows without reading them."""
    limits = limits or AttachmentLimits()
    readable = [one for one in files if media_type_of(one.name, one.mimetype) and one.size <= limits.bytes_of_one]
    return tuple(readable[: limits.files])


def why_unread(error: DocumentError) -> str:
    """Say to people why a file cannot be read, and what they can do."""
    match error:
        case UnsupportedFormatError():
            return words.FILE_KIND
        case LockedDocumentError():
            return words.FILE_LOCKED
        case NoTextError():
            return words.FILE_NO_TEXT
        case ParseLimitError():
            return words.FILE_TOO_MUCH
        case _:
            return words.FILE_DAMAGED


def stored_name(name: str, taken: Collection[str]) -> str:
    """What a file may be called in a folder: like its name, harmless, with an ending by which it is read, and new."""
    suffix = PurePath(name).suffix
    if suffix.lower() not in MEDIA_TYPES:
        suffix = f"{_UNSAFE.sub('_', suffix)[:_LONGEST_SUFFIX]}.txt"
    stem = _UNSAFE.sub("_", PurePath(name).stem).encode()[:_LONGEST_STEM].decode("utf-8", "ignore").strip(" .")
    numbered = (f"{stem or 'file'}{f' {number}' if number else ''}{suffix}" for number in range(len(taken) + 1))
    used = {one.casefold() for one in taken}
    return next(one for one in numbered if one.casefold() not in used)
