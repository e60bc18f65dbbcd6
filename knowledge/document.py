"""The values that travel through INGEST and come back from retrieval."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from knowledge.audience import EVERYONE
from knowledge.priors import Trust

WEB_PAGE = "text/html; part=main"
"""A page of a web site, of which only the main content counts: menus and footers stand around it."""
STORAGE_PAGE = "text/html; part=storage"
"""A page in Confluence's storage format, with its macros."""


@dataclass(frozen=True, kw_only=True)
class FetchedDocument:
    """One document as its source delivers it, not parsed yet."""

    uri: str
    title: str
    content: bytes = field(repr=False)
    media_type: str
    audience: str = EVERYONE
    modified_at: datetime | None = None
    moved_from: str | None = None
    """The URI that it had before, where its source knows that: it stays the same document."""
    owner: str = ""
    """Who answers for it, as people call them; empty where its source does not say."""
    titled: bool = False
    """A person gave it this title: it counts more than what its content says."""
    retitled: bool = False
    """Its title is another than before, which may show nowhere in its content."""


@dataclass(frozen=True, kw_only=True)
class DeletedDocument:
    """A document that is no longer at its source."""

    uri: str


@dataclass(frozen=True, kw_only=True)
class FailedDocument:
    """A document that its source could not deliver; the reason is for people."""

    uri: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Who a group audience stands for; see `knowledge.audience.group_audience`."""

    audience: str
    members: frozenset[str]
    """Slack user ids, and e-mail addresses in lower case."""


@dataclass(frozen=True, kw_only=True)
class AudienceChange:
    """Other people may read a document that says the same as before."""

    uri: str
    audience: str


@dataclass(frozen=True, kw_only=True)
class PermissionsRead:
    """All that the source knows of who may read what has been told, as of now: see `knowledge.readers`."""


SourceChange = FetchedDocument | DeletedDocument | FailedDocument
PermissionStep = Readers | AudienceChange | PermissionsRead


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A stored piece of a document: at most 230 word pieces together with its header."""

    ordinal: int
    header: str
    """Title > heading path, in front of both the embedded text and the word index."""
    text: str = field(repr=False)
    line: int | None = None
    """First line in the converted text, from 1."""

    @property
    def embedded_text(self) -> str:
        """What the embedder and the word index see."""
        return f"{self.header}\n{self.text}" if self.header else self.text


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What something that was said stands on: see `bot.grounds`."""

    looked_at: frozenset[tuple[int, str]] = frozenset()
    """Id and URI of each chunk that it was made from."""
    cited: frozenset[tuple[str, str]] = frozenset()
    """URI and text hash of those that it cites."""
    audiences: frozenset[str] = frozenset()
    """The document audiences of all that it was made from, as they were then."""

    def __or__(self, other: Grounds) -> Grounds:
        """What two things stand on together."""
        return Grounds(
            looked_at=self.looked_at | other.looked_at,
            cited=self.cited | other.cited,
            audiences=self.audiences | other.audiences,
        )


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A chunk as retrieved for one audience."""

    id: int
    document_id: int
    source: str
    uri: str
    title: str
    header: str
    text: str = field(repr=False)
    text_hash: str
    audience: str
    score: float
    """Fused score with the prior, about 0 to 1, comparable within one retrieval."""
    cosine: float
    """Cosine of passage and question vector, -1 to 1."""
    word_score: float
    """Normalised BM25 within this retrieval, 0 to 1; 0 when no word matched."""
    modified_at: datetime | None = None
    synced_at: datetime | None = None
    trust: Trust = "usual"
    """Of its source."""
    owner: str = ""
    """Who answers for its document, where its source says so."""
    prior: float = 0.0
    """What its age and its source added to the score."""
    newer_version: int | None = None
    """The id of a passage found with it that says the same page anew; None where this is the newest."""
    line: int | None = None
    """Its first line in the converted text, from 1; of source code the line of the file."""
    ordinal: int = 0
    """Its place in its document."""
    beside: tuple[Passage, ...] = field(default=(), repr=False)
    """What stands next to it under the same heading, in order, where it was not found itself; none has more beside."""
    grounds: Grounds = Grounds()
    """Of what is no piece of a document: what it stands on itself."""

    @property
    def section(self) -> tuple[Passage, ...]:
        """The passage with what stands beside it, in the order of the document."""
        return tuple(sorted((replace(self, beside=()), *self.beside), key=lambda one: one.ordinal))


@dataclass(frozen=True, kw_only=True)
class HistoryTurn:
    """One earlier message of a conversation."""

    role: Literal["user", "assistant"]
    text: str = field(repr=False)
    grounds: Grounds = field(default=Grounds(), repr=False)
    """Of an answer, where that is known."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person asks now, with the conversation so far, oldest first."""

    text: str = field(repr=False)
    history: tuple[HistoryTurn, ...] = ()
