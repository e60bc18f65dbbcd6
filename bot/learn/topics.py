"""What unanswered questions are about: groups of alike ones, each named by its most telling words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bot.sentences import STOP_WORDS, stem, words
from knowledge.embed import Embedder

# Questions whose vectors are about this near, on average over two groups, are about one thing: chosen on the first half
# of xquad's articles, see tests/benchmarks/README.md, "Advice".
LEAST_ALIKE = 0.35
# Linking compares all pairs: beyond this the newest say enough.
MOST_QUESTIONS = 2_000
_NAME_WORDS = 3


@dataclass(frozen=True, kw_only=True)
class TopicQuestion:
    """One question of a topic, with where it was asked."""

    answer_id: int
    channel: str
    user: str
    visibility: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """Questions about one thing; the most typical first."""

    name: str = field(repr=False)
    questions: tuple[TopicQuestion, ...] = field(repr=False)

    @property
    def count(self) -> int:
        """How many questions."""
        return len(self.questions)


def find_topics(questions: Sequence[TopicQuestion], embedder: Embedder) -> tuple[Topic, ...]:
    """Group questions by what they are about, the largest group first."""
    asked = [one for one in questions if one.text.strip()][:MOST_QUESTIONS]
    if not asked:
        return ()
    vectors = embedder.embed([one.text for one in asked], role="question")
    labels = _grouped(np.asarray(vectors, np.float64))
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        groups.setdefault(label, []).append(place)
    ordered = [[asked[place] for place in _typical_first(places, vectors)] for places in groups.values()]
    ordered.sort(key=lambda group: (-len(group), group[0].answer_id))
    return named(ordered)


def named(groups: Sequence[Sequence[TopicQuestion]]) -> tuple[Topic, ...]:
    """Name each group by the words that it has and the others lack; a name shows its own questions' words only."""
    held = [Counter(root for one in group for root in {stem(word) for word in _telling(one.text)}) for group in groups]
    spread = Counter(root for counts in held for root in counts)
    return tuple(
        Topic(name=_name(group, counts, spread, len(groups)), questions=tuple(group))
        for group, counts in zip(groups, held, strict=True)
    )


def visible(topics: Sequence[Topic], may_see: Callable[[TopicQuestion], bool]) -> tuple[Topic, ...]:
    """The topics as somebody may see them: named and counted by the questions that they may read, and no others."""
    groups = [[one for one in topic.questions if may_see(one)] for topic in topics]
    return tuple(sorted(named([group for group in groups if group]), key=lambda topic: -topic.count))


def _grouped(vectors: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[int]:
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(vectors) < 2:
        return [1] * len(vectors)
    tree = linkage(vectors, method="average", metric="cosine")
    return [int(label) for label in fcluster(tree, 1 - LEAST_ALIKE, criterion="distance")]


def _typical_first(places: Sequence[int], vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[int]:
    middle = vectors[list(places)].mean(axis=0)
    return sorted(places, key=lambda place: -float(vectors[place] @ middle))


def _name(group: Sequence[TopicQuestion], counts: Counter[str], spread: Counter[str], groups: int) -> str:
    said = Counter(word for one in group for word in _telling(one.text))
    forms: dict[str, str] = {}
    for word, _ in said.most_common():
        forms.setdefault(stem(word), word)
    weight = {root: count * math.log(1 + groups / spread[root]) for root, count in counts.items()}
    best = sorted(weight, key=lambda root: (-weight[root], root))[:_NAME_WORDS]
    return ", ".join(forms[root] for root in best) or " ".join(group[0].text.split()[:_NAME_WORDS])


def _telling(text: str) -> list[str]:
    return [word for word in words(text) if word not in STOP_WORDS and len(word) > 1]
