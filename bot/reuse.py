"""May an answer be given again? What must be the same, and what is kept out, as values; knows neither SQL nor Slack.

A question is answered again from an earlier answer only before the same readers, in the same manner, by the same model,
where it was asked after the same words or after none, and where the same sentences of the same documents speak to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

from bot.answer_options import AnswerOptions
from bot.cite import without_markers
from bot.same_question import asks_for_another_kind, stands_alone, telling_difference
from bot.sentences import STOP_WORDS, content_words, plain, stem, words
from bot.turn import Answer, AnswerEvent, Citation, Done, Reusable
from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.embed import Vectors

# A number, or a word with a capital letter or a sign of an address inside: what names somebody or something.
_NAMING = re.compile(r"(?<!\w)(?:[@#<]?\w*[\d@]\w*(?:[.,:/-]\w+)*|[A-ZÀ-Þ]\w*)")
_PERSONAL = re.compile(r"<[@#!]|\w@\w|\d{6,}")
_DIGEST = 16


@dataclass(frozen=True, kw_only=True)
class Same:
    """All that must be exactly the same of two questions, besides what they say and what speaks to them."""

    audience: Audience
    sources: frozenset[str] | None
    language: str
    """The one that is wanted, or that the question is in."""
    length: str
    options: AnswerOptions
    """With the house rules, and with the channel's own."""
    version: str
    embedder: str

    @property
    def scope(self) -> str:
        """A digest of it."""
        plain_values = {
            **asdict(replace(self, audience=Audience(readable=frozenset()))),
            "audience": self.audience.key,
            "sources": None if self.sources is None else sorted(self.sources),
        }
        return _digest_of(plain_values)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that may be answered from an earlier answer, with all that the earlier answer must agree with."""

    question: Question
    same: Same
    vector: Vectors = field(repr=False)
    """Of its own words, without what was said before."""
    passages: tuple[Passage, ...]
    """What was found for it now."""
    evidence: tuple[str, ...]
    """Digests of the documents' sentences that an answer would be made from, the best first."""
    against: frozenset[str] = frozenset()
    """Digests of those among them that say otherwise than what is answered: an answer that did not know of them is no
    answer any more."""
    said_earlier: tuple[str, ...] = field(default=(), repr=False)
    """What it would be made from besides: sentences of earlier conversations, which are for who took part in them."""

    @property
    def history(self) -> str:
        """A digest of what was said before; empty for nothing."""
        said = [[turn.role, turn.text] for turn in self.question.history]
        return _digest_of(said) if said else ""

    @property
    def histories(self) -> frozenset[str]:
        """The conversations before it that an earlier question may have had: this one, or none where none matters."""
        return frozenset({self.history, ""} if stands_alone(self.question) else {self.history})

    def reusable(self) -> Reusable:
        """What the answer that is written now is kept with."""
        return Reusable(
            scope=self.same.scope,
            history=self.history,
            vector=self.vector.tobytes(),
            evidence=self.evidence,
        )


def is_personal(question: str) -> bool:
    """Tell whether a question names a person, an address or a long number: then it is about its asker's own things."""
    return bool(_PERSONAL.search(question))


def kept_for_reuse(events: Iterator[AnswerEvent], asked: Asked) -> Iterator[AnswerEvent]:
    """Pass the events of an answer on; the finished one tells what it is kept with."""
    for event in events:
        if isinstance(event, Done) and may_be_given_again(event.answer):
            yield Done(answer=replace(event.answer, reusable=asked.reusable()))
        else:
            yield event


def may_be_given_again(answer: Answer) -> bool:
    """Tell whether an answer is finished, stands on something, and names nothing that its passages do not name."""
    if answer.stopped or answer.abstained or answer.approved_by or not answer.citations:
        return False
    held = set(words(" ".join(f"{item.title} {item.header} {item.text}" for item in answer.passages)))
    stems = {stem(word) for word in held}
    said = plain(without_markers(answer.text))
    naming = {word for match in _NAMING.finditer(said) for word in words(match.group())} - STOP_WORDS
    return all(word in held or stem(word) in stems for word in naming)


def cites_what_is_found(citations: Sequence[Citation], asked: Asked) -> bool:
    """Tell whether all that an answer cites was found again just now, unchanged and current, for these readers."""
    current = (item for item in asked.passages if item.newer_version is None)
    found = {(item.uri, item.text_hash) for item in current if asked.same.audience.may_read(item.audience)}
    return bool(citations) and all((item.uri, item.text_hash) in found for item in citations)


def says_what_was_said_earlier(answer: str, asked: Asked) -> bool:
    """Tell whether an answer holds all that earlier conversations say: who asks again finds that answer among them."""
    held = set(words(without_markers(answer)))
    return all(held.issuperset(words(said)) for said in asked.said_earlier)


def differs_in_what_is_found(question: str, asked: Asked) -> bool:
    """Tell whether two questions want things of another kind, or differ in a word that the passages speak of.

    Such a word may be just what tells them apart: "staging" and "production" in one text about both.
    """
    if asks_for_another_kind(question, asked.question.text):
        return True
    spoken_of = {word for item in asked.passages for word in content_words(f"{item.title} {item.header} {item.text}")}
    return bool(telling_difference(question, asked.question.text) & spoken_of)


def digest(text: str) -> str:
    """A short name for a text that tells nothing of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


def _digest_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
