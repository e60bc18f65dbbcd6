"""Questions made from statements by rule: a sentence loses a name, a date or a phrase, and is asked for it.

After Lewis et al., 2019, "Unsupervised Question Answering by Cloze Translation": such questions are clumsy, but they
teach a model to find the place in a text and to say what stands there, and there are as many as there is text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.sentences import STOP_WORDS, split_sentences

_YEAR = re.compile(r"(?:1[0-9]|20)\d\d")
_NUMBER = re.compile(r"[$€£]?\d[\d,.]*\d%?|\d%?")
_NAME = re.compile(r"[A-Z][\w'’-]+")
_WORD = re.compile(r"[\w'’-]+")
_FEWEST_WORDS, _MOST_WORDS = 8, 34
_WINDOW = 14
_LONGEST_ANSWER = 5
# How often a word is left out of the question: people do not repeat a sentence to ask about it.
_DROPPED, _DROPPED_SMALL = 0.1, 0.2
_THINGS = ("What", "What kind of thing", "What")
_SMALL = STOP_WORDS - {"not", "no"}


@dataclass(frozen=True, kw_only=True)
class Cloze:
    """A question whose answer stands in one sentence."""

    question: str
    answer: str
    sentence: str


def clozes(text: str, chance: random.Random) -> Iterator[Cloze]:
    """One question to each sentence that allows one."""
    for sentence in split_sentences(text):
        tokens = sentence.rstrip(".!?").split()
        if not _FEWEST_WORDS <= len(tokens) <= _MOST_WORDS or not sentence.endswith("."):
            continue
        spans = list(_spans(tokens))
        if not spans:
            continue
        start, end, asking = chance.choice(spans)
        answer = " ".join(tokens[start:end]).strip(",;:()\"'“”")
        if answer and text.count(answer) == 1:
            question = _question(tokens, start, end, asking, chance)
            yield Cloze(question=question, answer=answer, sentence=sentence)


def _spans(tokens: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Start, end and question words of what could be asked for."""
    bare = [token.strip(",;:()\"'“”.") for token in tokens]
    for at, word in enumerate(bare):
        if _YEAR.fullmatch(word):
            yield from ((at, at + 1, ("When", "In what year", "Which year")) for _ in range(2))
        elif _NUMBER.fullmatch(word):
            following = bare[at + 1] if at + 1 < len(bare) else ""
            yield at, at + 1, ("How many", "How much", "What number of") if following.islower() else ("What number",)
    yield from _runs(tokens, bare)


def _runs(tokens: Sequence[str], bare: Sequence[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Names, and words between small words."""
    start: int | None = None
    for at in range(len(tokens) + 1):
        inside = at < len(tokens) and bool(_WORD.fullmatch(bare[at])) and bare[at].lower() not in _SMALL
        if inside and start is None:
            start = at
        ends = at == len(tokens) or not inside or not tokens[at][-1].isalnum()
        if start is not None and ends:
            end = at + 1 if inside else at
            names = [bool(_NAME.fullmatch(word)) for word in bare[start:end]]
            if 0 < end - start <= _LONGEST_ANSWER and not _YEAR.fullmatch(bare[start]):
                named = all(names) and (start > 0 or end - start > 1)
                asking = ("Who", "What", "Which one", "Who or what") if named else _THINGS
                yield from ((start, end, asking) for _ in range(2 if named else 1))
            start = None


def _question(tokens: Sequence[str], start: int, end: int, asking: tuple[str, ...], chance: random.Random) -> str:
    first = max(0, start - chance.randint(_WINDOW // 2, _WINDOW))
    before, after = list(tokens[first:start]), list(tokens[end : end + chance.randint(_WINDOW // 2, _WINDOW)])
    if (before and first == 0 and not _NAME.fullmatch(before[0])) or (before and before[0].lower() in _SMALL):
        before[0] = before[0].lower()
    wh = chance.choice(asking)
    if wh in ("When", "In what year", "Which year") and before and before[-1].lower() in ("in", "by", "since", "of"):
        before.pop()
    before, after = _thinned(before, chance), _thinned(after, chance)
    if before and chance.random() < 0.3:
        said = [*before, wh.lower(), *after]
    elif chance.random() < 0.5:
        said = [wh, *before, *after]
    else:
        said = [wh, *after, *before]
    text = " ".join(said).strip(",;: ")
    return f"{text[:1].upper()}{text[1:]}?"


def _thinned(words: Sequence[str], chance: random.Random) -> list[str]:
    return [
        word
        for word in words
        if chance.random() > (_DROPPED_SMALL if word.lower().strip(",;:") in _SMALL else _DROPPED)
    ]
