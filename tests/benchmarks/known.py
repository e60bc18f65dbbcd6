"""What simulated people know: a topic with its documents, and questions about it with their answers."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KnownQuestion:
    """A question whose answer the people know."""

    id: str
    topic: str
    text: str
    gold: tuple[str, ...]
    """What the answer is, each way of saying it; empty where the documents do not say it."""
    sentence: str = ""
    """The words of the documents that say it: a sentence, of a long answer all of them."""
    long: bool = False
    """The answer is all that `gold` says, not a few words: most of it must be told."""
    evidence: tuple[str, ...] = ()
    """The paragraphs where it stands."""

    @classmethod
    def told_whole(cls, *, id: str, topic: str, text: str, answer: str, evidence: tuple[str, ...]) -> KnownQuestion:
        """A question with a long answer, in the words of the documents."""
        return cls(id=id, topic=topic, text=text, gold=(answer,), sentence=answer, long=True, evidence=evidence)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One article: what is documented of it, and what can be asked about it."""

    name: str
    paragraphs: tuple[str, ...]
    questions: tuple[KnownQuestion, ...]

    @property
    def title(self) -> str:
        """As people read it."""
        return self.name.replace("_", " ")

    @property
    def channel(self) -> str:
        """The name of the channel where people ask about it."""
        return re.sub(r"[^\w-]+", "-", self.name.lower()).strip("-")
