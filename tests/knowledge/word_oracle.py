"""BM25 in plain Python, word by word: slow, obvious, and what the word index must agree with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def bm25(
    headers: Sequence[Sequence[str]],
    texts: Sequence[Sequence[str]],
    weights: Mapping[str, float],
    header_weight: float = 1.0,
) -> list[float]:
    """The score of each chunk, given by the terms of its header and of its text."""
    lengths = [len(header) + len(text) for header, text in zip(headers, texts, strict=True)]
    average = max(1.0, sum(lengths) / len(lengths))
    scores = [0.0] * len(texts)
    for term, weight in weights.items():
        holding = sum(term in header or term in text for header, text in zip(headers, texts, strict=True))
        if holding == 0:
            continue
        rarity = max(1e-6, math.log((len(texts) - holding + 0.5) / (holding + 0.5)))
        for row, (header, text) in enumerate(zip(headers, texts, strict=True)):
            times = text.count(term) + header_weight * header.count(term)
            norm = 1.2 * (0.25 + 0.75 * lengths[row] / average)
            scores[row] += weight * rarity * 2.2 * times / (times + norm)
    return scores
