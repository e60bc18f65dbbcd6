"""From passages to the few sentences that speak to the question.

A small model answers far better from three right sentences than from four whole passages, and reads them sooner.
Sentences are scored by their vector and by the question's words, each word weighed by how rare it is among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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


def rank_evidence(
    question: Question, passages: Sequence[Passage], query_vector: Vectors, embedder: Embedder
) -> tuple[Evidence, ...]:
    """Score every sentence of the passages, the best first; empty where the passages hold no sentence."""
    places = _sentences(passages)
    if not places:
        return ()
    cosines = embedder.embed([text for _, _, text in places]) @ query_vector
    shares = _word_shares(question.text, [f"{passages[index].header} {text}" for index, _, text in places])
    ranked = (
        Evidence(
            text=text,
            passage=index,
            position=position,
            score=_mixed(float(cosine), share),
            cosine=float(cosine),
            word_share=share,
        )
        for (index, position, text), cosine, share in zip(places, cosines, shares, strict=True)
    )
    return tuple(sorted(ranked, key=lambda evidence: -evidence.score))


def rank_together(
    question: Question,
    passages: Sequence[Passage],
    beside: Sequence[Passage],
    query_vector: Vectors,
    embedder: Embedder,
    most: int,
) -> tuple[Passage, ...]:
    """Put passages that nobody searched for among those that were found, best first.

    They come on top: what was found keeps up to `most` places, what lay beside it gets as many.
    """
    cosines = embedder.embed([f"{item.header}\n{item.text}" for item in beside]) @ query_vector
    shares = _word_shares(question.text, [f"{item.header} {item.text}" for item in (*passages, *beside)])
    scored = [
        replace(item, cosine=float(cosine), word_score=share, score=_mixed(float(cosine), share))
        for item, cosine, share in zip(beside, cosines, shares[len(passages) :], strict=True)
    ]
    chosen = [*passages[:most], *sorted(scored, key=lambda item: -item.score)[:most]]
    share_of = {id(item): share for item, share in zip(passages, shares, strict=False)}
    # The fused score of a retrieval is comparable within it only: here both are measured alike.
    return tuple(sorted(chosen, key=lambda item: -_mixed(item.cosine, share_of.get(id(item), item.word_score))))


def in_reading_order(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Put chosen sentences back into the order of their passages, so that they read as text."""
    return sorted(evidence, key=lambda item: (item.passage, item.position))


def rarity(texts: int, holding: int) -> float:
    """Inverse document frequency, never zero."""
    return math.log(1 + texts / (0.5 + holding))


def _mixed(cosine: float, word_share: float) -> float:
    return (1 - WORD_SHARE) * cosine + WORD_SHARE * word_share


def _sentences(passages: Sequence[Passage]) -> list[tuple[int, int, str]]:
    found: dict[str, tuple[int, int, str]] = {}
    for index, passage in enumerate(passages):
        for position, text in enumerate(split_sentences(passage.text)):
            if len(text.split()) >= _SHORTEST_WORDS:
                found.setdefault(text, (index, position, text[:_LONGEST_CHARACTERS]))
    return list(found.values())[:_MOST_SENTENCES]


def _word_shares(question: str, texts: Sequence[str]) -> list[float]:
    asked = set(content_words(question))
    held = [asked.intersection(content_words(text)) for text in texts]
    weights = {word: rarity(len(texts), sum(word in some for some in held)) for word in asked}
    total = sum(weights.values())
    return [sum(weights[word] for word in some) / total if total else 0.0 for some in held]
