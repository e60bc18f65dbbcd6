"""Texts that say nearly the same: found by MinHash, confirmed by their shingles; the only module that knows datasketch.

`knowledge.duplicates` knows exact copies of sentences only, which typed questions hardly ever are. Numbers and
negations have to agree: "not enabled" is no copy of "enabled", nor 2024 of 2025.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bot.same_question import agrees_in_numbers

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

LEAST_SHARED = 0.8
"""Jaccard's index of the shingles from which on two texts are nearly the same."""
_SHINGLE = 4
_PERMUTATIONS = 64
_WORD = re.compile(r"\w+")


def alike(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the places of every two texts that say nearly the same; of equal texts each with the first only."""
    firsts: dict[str, int] = {}
    for place, text in enumerate(texts):
        if firsts.setdefault(text, place) != place:
            yield firsts[text], place
    places = list(firsts.values())
    index, shingles = _index(), {place: _shingles(texts[place]) for place in places}
    for place in places:
        signature = _signature(shingles[place])
        for found in sorted(index.query(signature)):
            if _is_alike(texts[found], texts[place], shingles[found], shingles[place]):
                yield found, place
        index.insert(place, signature)


def clusters(texts: Sequence[str]) -> list[int]:
    """Give each text the place of the first one that says nearly the same; its own where none does.

    Likeness is not passed on: a text joins the first text of a cluster, not just any of it.
    """
    index = _index()
    shingles = [_shingles(text) for text in texts]
    firsts: list[int] = []
    for place, text in enumerate(texts):
        signature = _signature(shingles[place])
        for found in sorted(index.query(signature)):
            if _is_alike(text, texts[found], shingles[place], shingles[found]):
                firsts.append(found)
                break
        else:
            index.insert(place, signature)
            firsts.append(place)
    return firsts


def _index() -> MinHashLSH:
    from datasketch import MinHashLSH

    # Below what counts: few pairs are overlooked then, and the shingles have the last word.
    return MinHashLSH(threshold=LEAST_SHARED - 0.15, num_perm=_PERMUTATIONS)


def _signature(shingles: frozenset[str]) -> MinHash:
    from datasketch import MinHash

    signature = MinHash(num_perm=_PERMUTATIONS, seed=1)
    signature.update_batch([one.encode("utf-8", "replace") for one in sorted(shingles)])
    return signature


def _is_alike(one: str, other: str, of_one: frozenset[str], of_other: frozenset[str]) -> bool:
    return _shared(of_one, of_other) >= LEAST_SHARED and agrees_in_numbers(one, other)


def _shingles(text: str) -> frozenset[str]:
    said = f" {' '.join(_WORD.findall(text.lower()))} "
    return frozenset(said[start : start + _SHINGLE] for start in range(max(1, len(said) - _SHINGLE + 1)))


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
