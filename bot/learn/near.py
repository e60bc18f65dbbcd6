"""Texts that say nearly the same: found by MinHash, confirmed by their shingles; the only module that knows datasketch.

`knowledge.duplicates` knows exact copies of sentences only, which typed questions hardly ever are. Numbers and
negations have to agree: "not enabled" is no copy of "enabled", nor 2024 of 2025.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.same_question import agrees_in_numbers

LEAST_SHARED = 0.8
"""Jaccard's index of the shingles from which on two texts are nearly the same."""
_SHINGLE = 4
_PERMUTATIONS = 64
_WORD = re.compile(r"\w+")


def clusters(texts: Sequence[str]) -> list[int]:
    """Give each text the place of the first one that says nearly the same; its own where none does.

    Likeness is not passed on: a text joins the first text of a cluster, not just any of it.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=LEAST_SHARED - 0.15, num_perm=_PERMUTATIONS)
    shingles = [_shingles(text) for text in texts]
    firsts: list[int] = []
    for place, text in enumerate(texts):
        signature = MinHash(num_perm=_PERMUTATIONS, seed=1)
        signature.update_batch([one.encode("utf-8", "replace") for one in sorted(shingles[place])])
        for found in sorted(index.query(signature)):
            alike = _shared(shingles[place], shingles[found]) >= LEAST_SHARED
            if alike and agrees_in_numbers(text, texts[found]):
                firsts.append(found)
                break
        else:
            index.insert(place, signature)
            firsts.append(place)
    return firsts


def _shingles(text: str) -> frozenset[str]:
    said = f" {' '.join(_WORD.findall(text.lower()))} "
    return frozenset(said[start : start + _SHINGLE] for start in range(max(1, len(said) - _SHINGLE + 1)))


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
