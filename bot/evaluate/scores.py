"""How good are answers? Pure functions over texts and sets; the token F1 is SQuAD's (Rajpurkar et al., 2016)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WORD = re.compile(r"\w+")
_MARKER = re.compile(r"\s*\[\d+\]")


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """Two shares; None where nothing could be counted."""

    precision: float | None
    recall: float | None


def normalise(text: str) -> str:
    """Lower case, no accents' variants, articles, punctuation or citation marks; single spaces."""
    plain = unicodedata.normalize("NFKC", _MARKER.sub("", text)).lower()
    return " ".join(_WORD.findall(_ARTICLES.sub(" ", plain)))


def token_f1(answer: str, references: Sequence[str]) -> float:
    """The best overlap of words with any reference, 0 to 1."""
    return max((_f1(normalise(answer).split(), normalise(reference).split()) for reference in references), default=0.0)


def contains_answer(answer: str, references: Sequence[str]) -> bool:
    """Tell whether any reference stands in the answer, word for word."""
    text = f" {normalise(answer)} "
    return any(wanted and f" {wanted} " in text for wanted in map(normalise, references))


def precision_recall(found: Sequence[Collection[object]], wanted: Sequence[Collection[object]]) -> PrecisionRecall:
    """Pooled over all rows: how much of what was found is wanted, and how much of what is wanted was found."""
    hits = sum(len(set(some) & set(right)) for some, right in zip(found, wanted, strict=True))
    all_found, all_wanted = sum(map(len, found)), sum(map(len, wanted))
    return PrecisionRecall(
        precision=hits / all_found if all_found else None, recall=hits / all_wanted if all_wanted else None
    )


def _f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    if not answer or not reference:
        return float(not answer and not reference)
    shared = sum((Counter(answer) & Counter(reference)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(answer), shared / len(reference)
    return 2 * precision * recall / (precision + recall)
