"""Which passage does each sentence of an answer stand on?

The model's own numbers are not trusted: a sentence is cited to the passage whose sentence holds most of its words, and
a sentence that no passage holds is not passed on. Citations are by value, taken from our own rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.evidence import EARLIER, SECOND_HAND, Evidence, rarity
from bot.sentences import content_words, words
from bot.turn import Citation
from knowledge.document import Passage
from knowledge.embed import Embedder

_MARKER = re.compile(r"\s*[\[【(](?:passage\s*|source\s*)?\d{1,2}(?:\s*,\s*\d{1,2})*[\]】)](?!\()", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)*_]*(?=\s)|(?<=[。！？])|\n")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NOT_ANSWERED = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|can)(?:\s+not|n['’]t)|no)\s+(?:\w+\s+){0,2}?"
    r"(?:mention|specif|provid|contain|state|say|answer|know|find|found|information|enough)",
    re.IGNORECASE,
)
_MOST_QUOTED = 300
_MOST_COMPARED = 8
# Sentences of two languages that say the same: near 1 where the embedder knows both. Strict, as nothing else checks it.
_SAME_MEANING = 0.8
_LEAST_SAID = 0.6


@dataclass(frozen=True, kw_only=True)
class Support:
    """The sentence of a passage that a written sentence stands on."""

    evidence: Evidence
    share: float
    """Share of the written sentence's content words that the evidence holds, weighed by rarity, 0 to 1."""


class Citer:
    """Numbers passages in the order in which the answer first stands on them."""

    def __init__(self, passages: Sequence[Passage], evidence: Sequence[Evidence], question: str) -> None:
        self._passages = passages
        self._evidence = evidence
        self._held = [set(content_words(f"{passages[item.passage].header} {item.text}")) for item in evidence]
        self._numbers = [set(_NUMBER.findall(f"{passages[item.passage].header} {item.text}")) for item in evidence]
        self._asked = set(content_words(question))
        self._asked_numbers = set(_NUMBER.findall(question))
        self._cited: dict[int, Citation] = {}

    def support(self, sentence: str) -> Support | None:
        """Find what a sentence stands on; None where it says nothing, or a number that no passage holds beside it."""
        said = set(content_words(sentence))
        numbers = set(_NUMBER.findall(sentence)) - self._asked_numbers
        telling = said - self._asked or said
        best: Support | None = None
        held_best = 0.0
        for item, held, held_numbers in zip(self._evidence, self._held, self._numbers, strict=True):
            if not numbers <= held_numbers:
                continue
            share = self._share(said, telling, held)
            weight = SECOND_HAND if self._passages[item.passage].source == EARLIER else 1.0
            if share * weight > held_best:
                best, held_best = Support(evidence=item, share=share), share * weight
        return best

    def support_across(self, sentence: str, embedder: Embedder) -> Support | None:
        """Find what a sentence stands on that is in another language than the sources: by its meaning and its numbers.

        An embedder of one language places such sentences far apart, and then nothing is supported.
        """
        numbers = set(_NUMBER.findall(sentence)) - self._asked_numbers
        able = [item for item, held in zip(self._evidence, self._numbers, strict=True) if numbers <= held]
        able = sorted(able, key=lambda item: -item.score)[:_MOST_COMPARED]
        if not able:
            return None
        said, *held = embedder.embed([sentence, *(item.text for item in able)])
        best = max(range(len(able)), key=lambda index: float(said @ held[index]))
        cosine = float(said @ held[best])
        return Support(evidence=able[best], share=cosine) if cosine >= _SAME_MEANING else None

    def is_said(self, evidence: Evidence, text: str) -> bool:
        """Tell whether a text holds about all that a sentence of the sources says."""
        held = set(content_words(evidence.text))
        return len(held & set(content_words(text))) >= _LEAST_SAID * len(held)

    def cite(self, evidence: Evidence) -> int:
        """Give the number of the passage that holds this sentence, a new one where it was not cited yet."""
        if evidence.passage not in self._cited:
            number = len(self._cited) + 1
            self._cited[evidence.passage] = citation_of(self._passages[evidence.passage], number, evidence.text)
        return self._cited[evidence.passage].n

    @property
    def cited_passages(self) -> frozenset[int]:
        """The places of the passages that were cited so far."""
        return frozenset(self._cited)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All citations so far, in order."""
        return tuple(self._cited.values())

    def _share(self, said: set[str], telling: set[str], held: set[str]) -> float:
        """What the sentence adds to the question counts twice: repeating the question proves nothing."""
        total = found = 0.0
        for word in said:
            weight = rarity(len(self._held), sum(word in some for some in self._held)) * (2 if word in telling else 1)
            total += weight
            found += weight * (word in held)
        return found / total if total else 0.0


@dataclass
class SentenceStream:
    """Turns pieces of generated text into whole sentences, each with the white space in front of it."""

    _pending: str = field(default="", repr=False)

    def add(self, piece: str) -> Iterator[str]:
        """Yield the sentences that this piece completes."""
        self._pending += piece
        start = 0
        for match in _SENTENCE_END.finditer(self._pending):
            if self._pending[start : match.end()].strip() and not _abbreviated(self._pending[start : match.end()]):
                yield self._pending[start : match.end()]
                start = match.end()
        self._pending = self._pending[start:]

    def rest(self) -> str:
        """The unfinished sentence at the end of the text."""
        rest, self._pending = self._pending, ""
        return rest


def citation_of(passage: Passage, number: int, quote: str) -> Citation:
    """Cite a passage by value."""
    return Citation(
        n=number,
        uri=passage.uri,
        title=passage.title,
        header=passage.header,
        source=passage.source,
        chunk_id=passage.id,
        text_hash=passage.text_hash,
        line=passage.line,
        quote=quote if len(quote) <= _MOST_QUOTED else f"{quote[:_MOST_QUOTED].rsplit(' ', 1)[0]} …",
        dated="" if passage.modified_at is None else passage.modified_at.date().isoformat(),
        owner=passage.owner,
        trust=passage.trust,
    )


def without_markers(sentence: str) -> str:
    """Drop the citation marks that the model wrote itself."""
    return _MARKER.sub("", sentence)


def says_not_answered(sentence: str) -> bool:
    """Tell whether the model says that the text does not answer."""
    return bool(_NOT_ANSWERED.search(sentence)) and bool(
        {"text", "facts", "fact", "passage", "passages", "sources", "information", "know", "context"}
        & set(words(sentence))
    )


def _abbreviated(sentence: str) -> bool:
    last = sentence.rsplit(None, 1)[-1].rstrip(".").lower() if sentence.split() else ""
    return sentence.endswith(".") and (
        last in {"e.g", "i.e", "dr", "mr", "mrs", "ms", "st", "vs", "no", "prof"}
        or (len(last) == 1 and last.isalpha())
        or (last.isdigit() and sentence.strip() == f"{last}.")
    )
