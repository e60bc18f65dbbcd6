"""How well each turn of earlier conversations speaks to a question, and each conversation by its best turns.

The one scoring function of memory: the bot and `python -m tests.benchmarks.earlier` both call it. Pure arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowledge.hits import Scores


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What counts how much; tuned on two of five long chats, see tests/benchmarks/README.md."""

    words: float = 0.6
    """Share of the words in a turn's score; the rest is the vectors'."""
    further_turns: tuple[float, ...] = (0.3, 0.3, 0.3)
    """What the second, third and fourth best turn add to the score of their conversation."""
    conversation: float = 0.2
    """How far a good conversation lifts each of its turns."""


@dataclass(frozen=True, kw_only=True)
class TurnScores:
    """One score for each turn, in the order given, and one for each conversation, by number."""

    turns: Scores
    conversations: Scores


def score_turns(cosines: Scores, words: Scores, conversations: npt.NDArray[np.int64], weights: Weights) -> TurnScores:
    """Fuse the cosines and BM25 scores of turns; `conversations` numbers each turn's conversation from 0.

    Both are divided by the best of their kind and never shifted: zero means "nothing in common" for either, so that
    scores do not depend on how many turns were compared (arXiv:2210.11934 calls it a theoretical minimum).
    """
    own = (1.0 - weights.words) * _of_best(cosines) + weights.words * _of_best(words)
    count = int(conversations.max()) + 1 if len(conversations) else 0
    of_conversations = np.zeros(count, np.float32)
    shares = (1.0, *weights.further_turns)
    for number in range(count):
        best = np.sort(own[conversations == number])[::-1][: len(shares)]
        of_conversations[number] = np.dot(best, shares[: len(best)])
    lifted = own + weights.conversation * of_conversations[conversations]
    return TurnScores(turns=np.asarray(lifted, np.float32), conversations=of_conversations)


def _of_best(scores: Scores) -> Scores:
    positive = np.maximum(scores, 0.0)
    best = positive.max(initial=0.0)
    return np.asarray(positive / best if best > 0 else positive, np.float32)
