"""The values that travel through ANSWER: what came in, how it is wanted, what is said on the way, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from knowledge.document import Grounds, Passage
from knowledge.priors import Trust

ChannelKind = Literal["public", "private", "im", "mpim"]
Visibility = Literal["thread", "ephemeral", "if_sure"]
"""How an answer is shown: in the thread while it grows; to the asker alone, when it is finished; in the thread when it
is finished and sure enough (nobody asked the bot), or not at all."""
Length = Literal["short", "normal", "detailed"]
Purpose = Literal["edit", "regenerate", "shorter", "detail", "choose"]
"""Why an answer that stands is made again."""


@dataclass(frozen=True, kw_only=True)
class AttachedFile:
    """A file that came with a question, as Slack describes it."""

    id: str
    name: str
    mimetype: str
    size: int
    """Bytes."""
    url: str = field(repr=False)
    """Where it can be read with the bot's token."""


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
    visibility: Visibility = "thread"
    external: bool = False
    """It comes from a channel shared with another organisation, or from one of its people."""
    files: tuple[AttachedFile, ...] = ()
    user_team: str = ""
    """The person's own workspace, where Slack names it: in a shared channel it may be another one than `team`."""
    viewing: str | None = None
    """The channel that the person looks at beside this conversation, where Slack told."""

    @property
    def conversation(self) -> str:
        """The key of its conversation: a Slack thread is a conversation."""
        return conversation_key(self.team, self.channel, self.thread_ts or self.ts)


def incoming_of(payload: Mapping[str, Any]) -> Incoming:
    """Read back what `dataclasses.asdict` and JSON made of an Incoming; keys that it does not know are left out."""
    known = {key: payload[key] for key in Incoming.__dataclass_fields__ if key in payload}
    files = tuple(AttachedFile(**file) for file in known.pop("files", ()))
    return Incoming(**known, files=files)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The wish that an answer which stands is made again, in its place."""

    answer_id: int
    purpose: Purpose
    user: str
    """Who wants it."""
    text: str | None = field(default=None, repr=False)
    """For an edit: the question's new words; for a choice: what was meant, where we had asked back."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How an answer is wanted."""

    language: str = ""
    """ISO 639-1; empty for the language of the question."""
    length: Length = "normal"
    instructions: str = ""
    """The channel's own tone and rules, added to the house rules."""


@dataclass(frozen=True, kw_only=True)
class Brief:
    """All that goes with a question besides its words and its audience."""

    style: Style = field(default_factory=Style)
    sources: frozenset[str] | None = None
    """Ids of the sources that may be used; None for all. It narrows the audience's reach and never widens it."""
    context: tuple[Passage, ...] = ()
    """What lies on the table beside the library: attachments, the thread so far, the channel being viewed."""
    earlier: tuple[Passage, ...] = ()
    """What was said before, and what was asked to be remembered: second hand, so documents come first."""
    replaces: str = field(default="", repr=False)
    """The text of the answer that is to be made again, differently."""
    chosen: str = field(default="", repr=False)
    """What its asker meant, of what we asked back."""
    channel: str = ""
    conversation: str = ""
    """Where it was asked, so that one conversation is answered by one version; empty outside Slack."""


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
    dated: str = ""
    """The day of its document's last change, ISO 8601; empty where nobody knows."""
    owner: str = ""
    """Who answers for its document, where its source says so."""
    trust: Trust = "usual"
    """Of its source."""
    line: int | None = None
    """Where the passage begins in its document, from 1."""


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
class Reusable:
    """What an answer is kept with, so that it can be given again to the same question."""

    scope: str
    """A digest of all that must be the same: audience, sources, manner, model, embedder."""
    history: str
    """A digest of what was said before the question; empty for nothing."""
    vector: bytes = field(repr=False)
    """The question's, float32."""
    evidence: tuple[str, ...]
    """Digests of the sentences that the answer was made from, the best first."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer with everything it was based on."""

    text: str = field(repr=False)
    """Markdown; `[1]` refers to the citation with that number. Links in it are never trusted."""
    citations: tuple[Citation, ...]
    abstained: bool
    nearest: tuple[Citation, ...] = ()
    """For an abstention: the sources that came closest."""
    asks_back: bool = False
    """It abstains for now: the text asks what was meant."""
    passages: tuple[Passage, ...] = ()
    support: float = 0.0
    """0 to 1: how far the passages seem to answer the question."""
    version: str
    seconds: AnswerSeconds
    tokens: AnswerTokens
    stopped: bool = False
    """Somebody stopped it; the text is what had been written by then."""
    approved_by: str = ""
    """The person who approved this text as the answer to such questions; empty where the model wrote it."""
    understood: str = field(default="", repr=False)
    """The question as it was searched for, where the conversation or the place added to its words."""
    note: str = field(default="", repr=False)
    """What is said beside it about what it stands on; see `bot.caveats`."""
    given_before: datetime | None = None
    """When this text was written, where it was written for an earlier question; None for one written now."""
    reused_from: int | None = None
    """The answer that it was written for."""
    reusable: Reusable | None = None
    """None where it must not be given again."""
    beneath: Grounds = field(default=Grounds(), repr=False)
    """What the conversation before it stands on: an answer may repeat what was said there."""


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
