"""Copies among passages: versions of one page, quoted mails, the same paragraph in two places.

A passage is a copy where one document that was found before it says every sentence of it, in the same words. Whatever
changes a word (a number, a "not", a name) is no copy: likeness alone cannot tell "enabled" from "disabled".
It reads texts only, and knows neither rows nor vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from knowledge.document import Passage

# A text this short says nothing without its heading ("Yes, up to 500."): only longer ones are copies whatever
# is above.
_COPY_WORDS = 20
_WORD = re.compile(r"[^\W_]+")
# A sentence ends here; so does whatever a list item, a table row or a quoted line holds.
_END = re.compile(r"(?<=[.!?。！？])\s+|\n")
# "No." says nothing without what stands before it.
_SENTENCE_WORDS = 4
# What comes and goes between versions and changes nothing. "All", "not", "or", "may" do.
_LIGHT = frozenset({"a", "an", "the"})


class Copies:
    """Remembers the passages of one retrieval, best first, and recognises what only repeats them."""

    def __init__(self) -> None:
        self._exact: set[str] = set()
        self._said: dict[int, list[str]] = {}

    def add(self, passage: Passage) -> bool:
        """Remember a passage; returns False, and does not, where it is a copy of earlier ones."""
        words = _words(passage.text)
        long = len(words) >= _COPY_WORDS
        exact = " ".join(words if long else _words(f"{passage.header} {passage.text}"))
        whole = _framed(words)
        if exact in self._exact or (long and self._is_begun(words) and self._is_said(passage.text, whole)):
            return False
        self._exact.add(exact)
        self._said.setdefault(passage.document_id, []).append(whole)
        return True

    def _is_begun(self, words: list[str]) -> bool:
        """Whether an earlier text holds the first words: without them it cannot say the first sentence."""
        first = _framed(words[:_SENTENCE_WORDS])
        return any(first in held for texts in self._said.values() for held in texts)

    def _is_said(self, text: str, whole: str) -> bool:
        # Lines are where a mail or a page was wrapped as well as where an item ends: a whole text is looked for first.
        if any(whole in held for texts in self._said.values() for held in texts):
            return True
        saying = list(self._said.values())
        for words in _sentences(text):
            one = _framed(words)
            saying = [texts for texts in saying if any(one in held for held in texts)]
            if not saying:
                return False
        return bool(saying)


def _sentences(text: str) -> Iterator[list[str]]:
    last: list[str] = []
    for sentence in _END.split(text):
        words = _words(sentence)
        if last and min(len(words), len(last)) >= _SENTENCE_WORDS:
            yield last
            last = words
        else:
            last += words
    yield last


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _LIGHT]


def _framed(words: list[str]) -> str:
    """Joined so that a search for them finds whole words only."""
    return f" {' '.join(words)} "
