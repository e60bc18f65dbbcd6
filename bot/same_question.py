"""Do two questions ask the same? Their words decide: what one has and the other lacks may only be ways of asking.

Strict: a question that is held for another gets a wrong answer, one that is not recognised gets an ordinary one.
"""

from __future__ import annotations

import re

from bot.sentences import content_words, is_negated, words
from knowledge.document import Question

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_LEANS = frozenset("it its that this they them their those these he she his her him there one ones same".split())
_GOES_ON = frozenset("and or but also so then".split())
_LEAST_WORDS = 3
# Ways of asking, by stem: they name no topic.
_KINDS = frozenset("who whom whose when where why how".split())
_AMOUNTS = frozenset("many much old long often far high big large late soon".split())
_FILLERS = frozenset(
    "step way proces procedur address locat plac exact current now correct length long duration name person "
    "find get obtain request possibl explain describ detail question answer inform what how who where when "
    "which".split()
)
# Words of one group ask for the same.
_GROUPS = (
    "cost pric charg",
    "book reserv",
    "submit hand send fil",
    "issu giv hand",
    "request apply order get",
    "permit allow",
    "show display",
    "chang modify edit alter",
    "creat mak add",
    "remov delet eras",
    "begin start",
    "end finish stop",
    "repair fix mend",
)
_GROUP_OF: dict[str, frozenset[int]] = {
    stem: frozenset(number for number, group in enumerate(_GROUPS) if stem in group.split())
    for stem in " ".join(_GROUPS).split()
}


def asks_the_same(one: str, other: str) -> bool:
    """Tell whether two questions, close in meaning, agree in their topic, their numbers and their negations."""
    if not agrees_in_numbers(one, other):
        return False
    mine, theirs = set(content_words(one)), set(content_words(other))
    if not mine or not theirs:
        return words(one) == words(other)
    return _covered(mine - theirs, theirs) and _covered(theirs - mine, mine)


def agrees_in_numbers(one: str, other: str) -> bool:
    """Tell whether two questions have the same numbers, and are both negated or both not."""
    return _numbers(one) == _numbers(other) and is_negated(one) == is_negated(other)


def asks_for_another_kind(one: str, other: str) -> bool:
    """Tell whether one question wants a person and the other a time, a place, a number: both name what they want."""
    mine, theirs = _kinds(one), _kinds(other)
    return bool(mine and theirs) and not mine & theirs


def _kinds(question: str) -> set[str]:
    said = words(question)
    pairs = zip(said, [*said[1:], ""], strict=True)
    return {f"how {after}" if word == "how" and after in _AMOUNTS else word for word, after in pairs if word in _KINDS}


def telling_difference(one: str, other: str) -> frozenset[str]:
    """The words, by stem, that only one of two questions has and that are no mere way of asking."""
    mine, theirs = set(content_words(one)), set(content_words(other))
    return frozenset(_uncovered(mine - theirs, theirs) | _uncovered(theirs - mine, mine))


def stands_alone(question: Question) -> bool:
    """Tell whether a question can be understood without what was said before it."""
    if not question.history:
        return True
    said = words(question.text)
    return (
        len(content_words(question.text)) >= _LEAST_WORDS
        and not _LEANS & set(said)
        and said[0] not in _GOES_ON
        and said[:2] != ["what", "about"]
    )


def _covered(left: set[str], others: set[str]) -> bool:
    """Tell whether each of these words is only a way of asking, or has its like among the others."""
    return not _uncovered(left, others)


def _uncovered(left: set[str], others: set[str]) -> set[str]:
    groups = frozenset(number for word in others for number in _GROUP_OF.get(word, ()))
    return {word for word in left if word not in _FILLERS and not _GROUP_OF.get(word, frozenset()) & groups}


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))
