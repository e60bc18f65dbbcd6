"""The question's vector: the last turn, leaned towards the previous question and the previous answer.

A history-weighted vector finds what a language model's rewrite of the question would find, without a model
call; embedding the whole history as one string is always worse.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from knowledge.document import Question
from knowledge.embed import Embedder, Vectors

# A model reads a few hundred tokens; tokenizing the rest of a 100,000-character question would only cost
# time.
_CHARACTERS_PER_TOKEN = 12


@dataclass(frozen=True, kw_only=True)
class QueryPiece:
    """One text of the conversation and its share in the question's vector."""

    text: str = field(repr=False)
    weight: float


@dataclass(frozen=True, kw_only=True)
class HistoryWeights:
    """How far earlier turns pull the question's vector; the last turn weighs 1."""

    question: float = 0.2
    answer: float = 0.3


def query_pieces(question: Question, weights: HistoryWeights) -> tuple[QueryPiece, ...]:
    """Choose the texts: the last turn, then the previous question and answer where they weigh anything."""
    earlier = (
        QueryPiece(text=_latest(question, "user"), weight=weights.question),
        QueryPiece(text=_latest(question, "assistant"), weight=weights.answer),
    )
    last = QueryPiece(text=question.text, weight=1.0)
    return (last, *(piece for piece in earlier if piece.weight > 0 and piece.text))


def query_vector(embedder: Embedder, pieces: tuple[QueryPiece, ...]) -> Vectors:
    """Embed the pieces in one batch and add them up to one unit vector, float32[dim]."""
    longest = embedder.max_tokens * _CHARACTERS_PER_TOKEN
    vectors = embedder.embed([piece.text[:longest] for piece in pieces], role="question")
    weights = np.asarray([piece.weight for piece in pieces], np.float32)
    total = weights @ vectors
    length = float(np.linalg.norm(total))
    return np.ascontiguousarray(total / length if length > 0 else vectors[0], np.float32)


def _latest(question: Question, role: Literal["user", "assistant"]) -> str:
    texts = (turn.text.strip() for turn in reversed(question.history) if turn.role == role)
    return next((text for text in texts if text), "")
