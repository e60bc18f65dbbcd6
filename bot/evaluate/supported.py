"""Does the passage that a sentence cites hold what the sentence says?

Independent of `bot.cite`, by which ANSWER lets a sentence pass, and stricter, so that it can find that wrong: it looks
into the one passage that the sentence cites and into no other, counts plainly the words that the question did not
already hold, wants nearly all of them close together, every number, and the same "not".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from bot.sentences import content_words, is_negated, split_sentences
from bot.words import NOTHING_ELSE, QUOTING, QUOTING_MORE

# ANSWER passes a sentence with .6 of its words, weighed by rarity; a quarter may be the model's own joining words.
LEAST_HELD = 0.75
_MARKERS = re.compile(r"(?:\s*\[(\d{1,2})\])+")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_OUR_WORDS = tuple(text.strip() for text in (QUOTING, QUOTING_MORE, NOTHING_ELSE))


@dataclass(frozen=True, kw_only=True)
class CitedSentence:
    """A sentence of an answer with the numbers that stand behind it."""

    text: str
    numbers: tuple[int, ...]


def cited_sentences(answer: str) -> Iterator[CitedSentence]:
    """Cut an answer into sentences, each with the citation that closes it; what our own words add is left out."""
    start = 0
    for marker in _MARKERS.finditer(answer):
        numbers = tuple(int(digits) for digits in re.findall(r"\d+", marker.group()))
        yield from _sentences(answer[start : marker.start()], numbers)
        start = marker.end()
    yield from _sentences(answer[start:], ())


def supported_share(answer: str, question: str, passages: Mapping[int, str]) -> float | None:
    """Share of an answer's sentences that their passage holds, by citation number; None where it says nothing."""
    found = [
        any(is_supported(one.text, question, passages[number]) for number in one.numbers if number in passages)
        for one in cited_sentences(answer)
    ]
    return sum(found) / len(found) if found else None


def is_said(reference: str, question: str, answer: str) -> bool:
    """Tell whether an answer says what a reference says: it holds every sentence of it, as a passage would."""
    plain = _MARKERS.sub("", answer)
    sentences = split_sentences(reference)
    return bool(sentences) and all(is_supported(one, question, plain) for one in sentences)


def is_supported(sentence: str, question: str, passage: str) -> bool:
    """Tell whether a passage holds a sentence; two neighbouring sentences of the passage may hold it together."""
    said, asked = set(content_words(sentence)), set(content_words(question))
    telling = said - asked or said
    if not telling or not set(_NUMBER.findall(sentence)) <= set(_NUMBER.findall(f"{passage} {question}")):
        return False
    sentences = split_sentences(passage)
    held = [telling & set(content_words(one)) for one in sentences]
    together = held + [first | second for first, second in pairwise(held)]
    if max(map(len, together), default=0) < LEAST_HELD * len(telling):
        return False
    nearest = sentences[max(range(len(sentences)), key=lambda place: len(held[place]))]
    return is_negated(nearest) == is_negated(sentence) or sentence.strip(" .“”\"'") in nearest


def _sentences(text: str, numbers: tuple[int, ...]) -> Iterator[CitedSentence]:
    clean = text.strip()
    for ours in _OUR_WORDS:
        clean = clean.removeprefix(ours).strip()
    for sentence in split_sentences(clean):
        if content_words(sentence):
            yield CitedSentence(text=sentence, numbers=numbers)
