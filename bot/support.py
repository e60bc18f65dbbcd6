"""Do these passages answer this question? A calibrated estimate between 0 and 1.

Logistic regression on four plain features; the weights were fitted by `python -m tests.benchmarks.support_fit` (data,
split and figures are in `tests/benchmarks/README.md`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.evidence import Evidence, rarity
from bot.sentences import content_words
from knowledge.document import Passage, Question


@dataclass(frozen=True, kw_only=True)
class SupportFeatures:
    """What the estimate looks at, each about 0 to 1."""

    passage_cosine: float
    """Best cosine of question and passage."""
    sentence_cosine: float
    """Best cosine of question and sentence."""
    word_share: float
    """Best share of the question's words in one sentence with its header."""
    coverage: float
    """Share of the question's words found anywhere in the passages."""


@dataclass(frozen=True, kw_only=True)
class SupportWeights:
    """A fitted logistic regression over SupportFeatures."""

    bias: float
    passage_cosine: float
    sentence_cosine: float
    word_share: float
    coverage: float


FITTED = SupportWeights(bias=-4.96, passage_cosine=3.21, sentence_cosine=4.66, word_share=1.06, coverage=-0.29)


def support_features(question: Question, passages: Sequence[Passage], evidence: Sequence[Evidence]) -> SupportFeatures:
    """Measure how well the passages fit the question; all zero without evidence."""
    return SupportFeatures(
        passage_cosine=max((passage.cosine for passage in passages), default=0.0),
        sentence_cosine=max((item.cosine for item in evidence), default=0.0),
        word_share=max((item.word_share for item in evidence), default=0.0),
        coverage=_coverage(question.text, passages),
    )


def estimate_support(features: SupportFeatures, weights: SupportWeights = FITTED) -> float:
    """The estimated probability that the passages answer the question."""
    logit = (
        weights.bias
        + weights.passage_cosine * features.passage_cosine
        + weights.sentence_cosine * features.sentence_cosine
        + weights.word_share * features.word_share
        + weights.coverage * features.coverage
    )
    return 1 / (1 + math.exp(-logit))


def _coverage(question: str, passages: Sequence[Passage]) -> float:
    asked = set(content_words(question))
    held = [set(content_words(f"{passage.header} {passage.text}")) for passage in passages]
    weights = {word: rarity(len(held), sum(word in some for some in held)) for word in asked}
    total = sum(weights.values())
    found = sum(weight for word, weight in weights.items() if any(word in some for some in held))
    return found / total if total else 0.0
