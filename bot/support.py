"""Do these passages answer this question? A calibrated estimate between 0 and 1.

Logistic regression on a few plain features; the weights were fitted by `python -m tests.benchmarks.support_fit` (data,
split and figures are in `tests/benchmarks/README.md`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from bot.evidence import Evidence
from bot.sentences import content_words
from knowledge.document import Passage, Question


@dataclass(frozen=True, kw_only=True)
class SupportFeatures:
    """What the estimate looks at, each about 0 to 1; all scale-free, so that collections of any size compare."""

    passage_cosine: float
    """Best cosine of question and passage."""
    sentence_cosine: float
    """Best cosine of question and sentence."""
    new_words: float
    """Best share of the question's words that a passage's header lacks and its text holds."""


@dataclass(frozen=True, kw_only=True)
class SupportWeights:
    """A fitted logistic regression over SupportFeatures, in their order."""

    bias: float
    weights: tuple[float, ...]


FITTED = SupportWeights(bias=-5.29, weights=(2.01, 5.23, 2.24))


def support_features(question: Question, passages: Sequence[Passage], evidence: Sequence[Evidence]) -> SupportFeatures:
    """Measure how well the passages fit the question; all zero without evidence."""
    if not evidence:
        return SupportFeatures(passage_cosine=0.0, sentence_cosine=0.0, new_words=0.0)
    asked = set(content_words(question.text))
    return SupportFeatures(
        passage_cosine=max(passage.cosine for passage in passages),
        sentence_cosine=max(item.cosine for item in evidence),
        new_words=max(_new_words(asked, passage) for passage in passages),
    )


def estimate_support(features: SupportFeatures, fitted: SupportWeights = FITTED) -> float:
    """The estimated probability that the passages answer the question."""
    pairs = zip(fitted.weights, astuple(features), strict=True)
    return 1 / (1 + math.exp(-(fitted.bias + sum(weight * value for weight, value in pairs))))


def _new_words(asked: set[str], passage: Passage) -> float:
    # A question whose words all stand in the header says nothing about the text: it counts as half found.
    new = asked.difference(content_words(passage.header or passage.title))
    return (len(new.intersection(content_words(passage.text))) + 0.5) / (len(new) + 1)
