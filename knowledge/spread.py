"""Not all from one hand: so many of the passages that are read may come from one document, author or informal source.

Many near-equal texts of one person can fill all places of an answer and so decide it. Only what others say nearly as
well takes their place: where there is nothing else, everything stays. Knows passages only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.document import Passage


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Shares of the places, rounded up, and what another passage may score less to take one; 1 switches a cap off."""

    document: float = 0.75
    """A handbook's chapter answers in two or three pieces; a fourth place is better spent on somebody else."""
    author: float = 0.5
    """Of documents whose owner is known, but for official sources."""
    informal: float = 0.5
    """Of one informal source."""
    close: float = 0.25
    """Chosen by measuring, see tests/benchmarks/README.md, "Not all from one hand"."""


def spread_out(passages: Sequence[Passage], places: int, caps: Spread) -> tuple[Passage, ...]:
    """Choose the passages for so many places, in their order; the best always has one."""
    taken: list[int] = []
    counts: Counter[tuple[str, str]] = Counter()
    rest = list(range(len(passages)))
    while rest and len(taken) < places:
        least = passages[rest[0]].score - caps.close
        close = (place for place in rest if passages[place].score >= least)
        fitting = (place for place in close if _fits(passages[place], counts, places, caps))
        chosen = next(fitting, rest[0])
        rest.remove(chosen)
        taken.append(chosen)
        counts.update(hand for hand, _ in _hands(passages[chosen], caps))
    return tuple(passages[place] for place in sorted(taken))


def _fits(passage: Passage, counts: Counter[tuple[str, str]], places: int, caps: Spread) -> bool:
    return all(counts[hand] < math.ceil(share * places) for hand, share in _hands(passage, caps))


def _hands(passage: Passage, caps: Spread) -> list[tuple[tuple[str, str], float]]:
    """Through whose hands a passage went, each with the share of the places that it may have."""
    hands = [(("document", passage.uri), caps.document)]
    if passage.owner and passage.trust != "official":
        hands.append((("author", passage.owner.casefold()), caps.author))
    if passage.trust == "informal":
        hands.append((("source", passage.source), caps.informal))
    return hands
