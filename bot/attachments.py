"""Files that came with a question, as passages for that one question: parsed in the limited child, cut, kept nowhere.

Knows no Slack: it gets bytes with a name.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import PurePath

from knowledge.chunk import Chunker
from knowledge.document import FetchedDocument, Passage
from knowledge.embed import Embedder
from knowledge.errors import UnsupportedFormatError
from knowledge.parse import ParsedDocument, Parser
from knowledge.sources.files import MEDIA_TYPES

# A file of more is no attachment to a question but a document: its beginning is what is read.
MOST_CHUNKS = 120
_CHUNK_TOKENS = 230


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
    suffix = PurePath(name).suffix.lower()
    media_type = MEDIA_TYPES.get(suffix) or ("text/plain" if mimetype.startswith("text/") else "")
    if not media_type:
        raise UnsupportedFormatError(f"{suffix or 'a file without an ending'} is not a format that can be read.")
    document = FetchedDocument(uri="", title=PurePath(name).stem, content=content, media_type=media_type)
    return parser.parse(document)
