"""From passages to the few sentences that speak to the question.

A small model answers far better from three right sentences than from four whole passages, and reads them sooner.
Sentences are scored by their vector and by the question's words, each word weighed by how rare it is among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.sentences import content_words, split_sentences
from knowledge.document import Passage, Question
from knowledge.embed import Embedder, Vectors

# Share of the words in a sentence's score; the rest is the vectors'. Flat between .3 and .5 on XQuAD's sentences.
WORD_SHARE = 0.4
# A table of a thousand rows must not be embedded for one question.
_MOST_SENTENCES = 96
_SHORTEST_WORDS = 2
_LONGEST_CHARACTERS = 600


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One sentence of a passage, with how well it speaks to the question."""

    text: str = field(repr=False)
    passage: int
    """Index of its passage among those it was chosen from."""
    position: int
    """Its place in the passage, from 0."""
    score: float
    cosine: float
    word_share: float
    """Share of the question's content words that the sentence and its header hold, weighed by rarity, 0 to 1."""


class Relevance:
    """How well sentences speak to one question, on one scale for those that are found and those that are written."""

    def __init__(self, question: Question, query_vector: Vectors, embedder: Embedder, known: Sequence[str]) -> None:
        self._vector = query_vector
        self._embedder = embedder
        asked = set(content_words(question.text))
        held = [asked.intersection(content_words(text)) for text in known]
        self._weights = {word: rarity(len(known), sum(word in some for some in held)) for word in asked}
        self._total = sum(self._weights.values())

    def cosines(self, texts: Sequence[str]) -> Vectors:
        """float32[len(texts)]: the cosine of each text with the question."""
        return np.asarray(self._embedder.embed(texts) @ self._vector, np.float32)

    def word_share(self, text: str) -> float:
        """Share of the question's content words that a text holds, weighed by rarity, 0 to 1."""
        held = self._weights.keys() & set(content_words(text))
        return sum(self._weights[word] for word in held) / self._total if self._total else 0.0

    def score(self, text: str) -> float:
        """The score of one written sentence."""
        return mixed_score(float(self.cosines([text])[0]), self.word_share(text))


@dataclass(frozen=True, kw_only=True)
class RankedEvidence:
    """The sentences of the passages, the best first, and the scale they were ranked on."""

    sentences: tuple[Evidence, ...]
    relevance: Relevance


def rank_evidence(
    question: Question, passages: Sequence[Passage], query_vector: Vectors, embedder: Embedder
) -> RankedEvidence:
    """Score every sentence of the passages; there are none where the passages hold no sentence."""
    places = _sentences(passages)
    known = [f"{passages[index].header} {text}" for index, _, text in places]
    relevance = Relevance(question, query_vector, embedder, known)
    cosines = relevance.cosines([text for _, _, text in places]) if places else ()
    sentences = [
        Evidence(
            text=text,
            passage=index,
            position=position,
            score=mixed_score(float(cosine), share := relevance.word_share(with_header)),
            cosine=float(cosine),
            word_share=share,
        )
        for (index, position, text), with_header, cosine in zip(places, known, cosines, strict=True)
    ]
    return RankedEvidence(sentences=tuple(sorted(sentences, key=lambda evidence: -evidence.score)), relevance=relevance)


def mixed_score(cosine: float, word_share: float) -> float:
    """One score of a sentence's vector and words."""
    return (1 - WORD_SHARE) * cosine + WORD_SHARE * word_share


def in_reading_order(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Put chosen sentences back into the order of their passages, so that they read as text."""
    return sorted(evidence, key=lambda item: (item.passage, item.position))


def rarity(texts: int, holding: int) -> float:
    """Inverse document frequency, never zero."""
    return math.log(1 + texts / (0.5 + holding))


def _sentences(passages: Sequence[Passage]) -> list[tuple[int, int, str]]:
    found: dict[str, tuple[int, int, str]] = {}
    for index, passage in enumerate(passages):
        for position, text in enumerate(split_sentences(passage.text)):
            if len(text.split()) >= _SHORTEST_WORDS:
                found.setdefault(text, (index, position, text[:_LONGEST_CHARACTERS]))
    return list(found.values())[:_MOST_SENTENCES]
