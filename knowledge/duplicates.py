"""Copies among passages: versions of one page, quoted mails, the same paragraph in two places.

A passage is a copy where one document that was found before it says every sentence of it, in the same words. Whatever
changes a word (a number, a "not", a name) is no copy: likeness alone cannot tell "enabled" from "disabled".
It reads texts only, and knows neither rows nor vectors.
"""

from __future__ import annotations

import re

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
        if exact in self._exact or (long and self._is_said(passage.text)):
            return False
        self._exact.add(exact)
        self._said.setdefault(passage.document_id, []).append(_framed(words))
        return True

    def _is_said(self, text: str) -> bool:
        # Lines are where a mail or a page was wrapped as well as where an item ends: a whole text is looked for first.
        sentences = [_framed(words) for words in _sentences(text)]
        whole = _framed(_words(text))
        return any(
            any(whole in held for held in texts) or all(any(one in held for held in texts) for one in sentences)
            for texts in self._said.values()
        )


def _sentences(text: str) -> list[list[str]]:
    found: list[list[str]] = []
    for sentence in _END.split(text):
        words = _words(sentence)
        if found and min(len(words), len(found[-1])) < _SENTENCE_WORDS:
            found[-1] += words
        else:
            found.append(words)
    return found


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _LIGHT]


def _framed(words: list[str]) -> str:
    """Joined so that a search for them finds whole words only."""
    return f" {' '.join(words)} "
