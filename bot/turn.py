"""The values that travel through ANSWER: what came in, what is said on the way, and the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from knowledge.document import Passage

ChannelKind = Literal["public", "private", "im", "mpim"]


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A message for the bot, parsed once from Slack's event."""

    team: str
    channel: str
    channel_kind: ChannelKind
    user: str
    ts: str
    thread_ts: str | None
    """The thread it was written in; None for a message that starts one."""
    text: str = field(repr=False)
    """Plain text, without the mention of the bot."""
    mentioned: bool

    @property
    def conversation(self) -> str:
        """The key of its conversation: a Slack thread is a conversation."""
        return conversation_key(self.team, self.channel, self.thread_ts or self.ts)


def conversation_key(team: str, channel: str, thread_ts: str) -> str:
    """Name the conversation of a Slack thread."""
    return f"{team}:{channel}:{thread_ts}"


@dataclass(frozen=True, kw_only=True)
class Citation:
    """What an answer stands on, by value: it stays true when the document changes later."""

    n: int
    uri: str
    title: str
    header: str
    source: str
    chunk_id: int
    text_hash: str
    quote: str = field(repr=False)
    """The sentence of the passage that supports the answer best."""


@dataclass(frozen=True, kw_only=True)
class AnswerSeconds:
    """Where the time went; `first_token` and `total` count from the moment work began."""

    retrieve: float
    first_token: float
    total: float


@dataclass(frozen=True, kw_only=True)
class AnswerTokens:
    """Sizes in tokens of the model that answered."""

    prompt: int
    completion: int


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with everything it was based on."""

    text: str = field(repr=False)
    """Markdown; `[1]` refers to the citation with that number. Links in it are never trusted."""
    citations: tuple[Citation, ...]
    abstained: bool
    nearest: tuple[Citation, ...] = ()
    """For an abstention: the sources that came closest."""
    passages: tuple[Passage, ...] = ()
    support: float = 0.0
    """0 to 1: how far the passages seem to answer the question."""
    version: str
    seconds: AnswerSeconds
    tokens: AnswerTokens
    stopped: bool = False
    """Somebody stopped it; the text is what had been written by then."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is happening now, for the person who waits."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Delta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Done:
    """The finished answer."""

    answer: Answer


AnswerEvent = Status | Delta | Done
