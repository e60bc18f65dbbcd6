"""How sure is it that an earlier question asked the same? A fitted estimate between 0 and 1.

Logistic regression on a few plain features of the two questions and of the earlier questions around them; the weights
were fitted by `python -m tests.benchmarks.answer_cache` (data, split and figures are in `tests/benchmarks/README.md`).
It knows questions, and which sentences the answers to earlier ones stood on; no rows, and nothing of who asked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

import numpy as np
import numpy.typing as npt

from bot.same_question import agrees_in_numbers, asks_the_same
from bot.sentences import content_words, words

NEIGHBOURS = 10
"""So many earlier questions around the asked one are looked at."""
# A neighbour that is .1 further away by cosine says e times less.
_NEARNESS = 10.0
# Where all neighbours agree, the nearest other one is taken to be this far away.
_FAR = 0.3


@dataclass(frozen=True, kw_only=True)
class MeaningFeatures:
    """What the estimate looks at."""

    cosine: float
    common_words: float
    """Share of the words of the question that has more of its own, weighed by rarity among earlier questions."""
    rarest_other: float
    """Rarity of the rarest word that only one of them has, 0 to 1."""
    length: float
    """How much longer one is, as a logarithm."""
    crowd: float
    """Mean cosine of the next neighbours: many ways of asking the same lie around it."""
    agreement: float
    """Share of the neighbours whose answers stood on the same as the candidate's, weighed by nearness."""
    gap: float
    """How much nearer the candidate is than the nearest question whose answer stood on something else."""


@dataclass(frozen=True, kw_only=True)
class MeaningWeights:
    """A fitted logistic regression over MeaningFeatures."""

    bias: float
    cosine: float
    common_words: float
    rarest_other: float
    length: float
    crowd: float
    agreement: float
    gap: float


FITTED = MeaningWeights(
    bias=-2.68, cosine=1.59, common_words=0.8, rarest_other=-0.81, length=-0.6, crowd=1.48, agreement=4.42, gap=2.09
)
# Both were chosen on one half of clinc150's intents for 99 of 100 hits to be right: see the benchmark.
LEAST_SURE = 0.96
_LEAST_COSINE_WHERE_WORDS_AGREE = 0.85


@dataclass(kw_only=True)
class EarlierQuestions:
    """Questions that were answered, with what each answer stood on; used by one thread."""

    texts: list[str] = field(default_factory=list)
    stood_on: list[tuple[str, ...]] = field(default_factory=list)
    _words: list[frozenset[str]] = field(default_factory=list)
    _holding: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, stood_on: tuple[str, ...]) -> None:
        """Take in one more; `stood_on` names the sentences that its answer was made from, the best first."""
        said = frozenset(content_words(text))
        self.texts.append(text)
        self.stood_on.append(stood_on)
        self._words.append(said)
        self._holding.update(said)

    def features(
        self, asked: str, cosines: npt.NDArray[np.float32], nearest: Sequence[int], candidate: int
    ) -> MeaningFeatures:
        """Compare a question with one of these; `nearest` are the indices around it, the nearest first."""
        mine, theirs = frozenset(content_words(asked)), self._words[candidate]
        common = self._weight(mine & theirs)
        most = max(self._weight(mine), self._weight(theirs))
        others = (mine | theirs) - (mine & theirs)
        rarest = max((self._rarity(word) for word in others), default=0.0)
        lengths = (len(words(asked)) or 1, len(words(self.texts[candidate])) or 1)
        around = [float(cosines[index]) for index in nearest if index != candidate][:4]
        here = float(cosines[candidate])
        same = [stands_on_the_same(self.stood_on[index], self.stood_on[candidate]) for index in nearest]
        near = [math.exp(_NEARNESS * (float(cosines[index]) - here)) for index in nearest]
        # What is not there yet could be anything: a few earlier questions prove nothing by agreeing.
        unknown = NEIGHBOURS - len(nearest)
        apart = [float(cosines[index]) for index, agrees in zip(nearest, same, strict=True) if not agrees]
        return MeaningFeatures(
            cosine=here,
            common_words=common / most if most else float(asked == self.texts[candidate]),
            rarest_other=rarest / self._rarity("") if rarest else 0.0,
            length=abs(math.log(lengths[0] / lengths[1])),
            crowd=sum(around) / len(around) if around else 0.0,
            agreement=sum(weight for weight, agrees in zip(near, same, strict=True) if agrees) / (sum(near) + unknown),
            gap=here - (max(apart) if apart else min(here - _FAR, float(cosines[nearest[-1]]))),
        )

    def _rarity(self, word: str) -> float:
        return math.log(1 + (len(self.texts) + 1) / (0.5 + self._holding[word]))

    def _weight(self, some: frozenset[str]) -> float:
        return sum(self._rarity(word) for word in some)


def estimate_same(features: MeaningFeatures, weights: MeaningWeights = FITTED) -> float:
    """The estimated probability that two questions ask the same."""
    bias, *slopes = astuple(weights)
    logit = bias + sum(slope * value for slope, value in zip(slopes, astuple(features), strict=True))
    return 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))


def how_sure(asked: str, earlier: str, features: MeaningFeatures, weights: MeaningWeights = FITTED) -> float:
    """How sure it is that two questions ask the same, from 0 to 1, whatever their answers stand on."""
    if words(asked) == words(earlier):
        return 1.0
    if not agrees_in_numbers(asked, earlier):
        return 0.0
    if features.cosine >= _LEAST_COSINE_WHERE_WORDS_AGREE and asks_the_same(asked, earlier):
        return 1.0
    return estimate_same(features, weights)


def stands_on_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether two answers were made from the same best sentence."""
    return bool(one and other) and one[0] == other[0]
