"""Words to terms: "Descaled" and "descaling" both to "descal", exactly as the word index in SQL does it.

It asks FTS5 itself, once for each distinct word, so the two can never disagree on a word's form. It knows nothing of
chunks.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

TermNumbers = npt.NDArray[np.int32]

# The word index splits text at everything that is neither a letter nor a digit, the underscore included.
_WORD = re.compile(r"[^\W_]+")
_TABLE = "CREATE VIRTUAL TABLE given USING fts5(word, content='', tokenize='porter unicode61')"
_TERMS = "CREATE VIRTUAL TABLE seen USING fts5vocab(given, instance)"


def split_words(text: str) -> list[str]:
    """All words of a text in lower case and reading order."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return _WORD.findall(text.lower())


class Terms:
    """The terms seen so far, numbered from 0. Several threads may call `numbers`, one at a time `learn`."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._of_word: dict[str, int] = {}
        self._asking = threading.Lock()
        self._fts = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._fts.execute(_TABLE).close()
        self._fts.execute(_TERMS).close()

    def __len__(self) -> int:
        return len(self._numbers)

    def close(self) -> None:
        """Let go of the connection."""
        with self._asking:
            self._fts.close()

    def learn(self, texts: Iterable[Sequence[str]]) -> TermNumbers:
        """The numbers of the terms of all words, text after text; new ones get the next number."""
        texts = list(texts)
        new = set(chain.from_iterable(texts)) - self._of_word.keys()
        for word, term in zip(new, self._forms(new), strict=True):
            self._of_word[word] = self._numbers.setdefault(term, len(self._numbers))
        words = chain.from_iterable(texts)
        return np.fromiter(map(self._of_word.__getitem__, words), np.int32, sum(map(len, texts)))

    def numbers(self, words: Sequence[str]) -> list[int | None]:
        """The numbers of the words' terms, None for those never seen; remembers nothing of what is asked."""
        found = [self._of_word.get(word) for word in words]
        unknown = [word for word, number in zip(words, found, strict=True) if number is None]
        if unknown:
            forms = dict(zip(unknown, self._forms(unknown), strict=True))
            found = [
                self._numbers.get(forms[word]) if number is None else number
                for word, number in zip(words, found, strict=True)
            ]
        return found

    def _forms(self, words: Collection[str]) -> list[str]:
        """The term of each word. What FTS5 does not take for one word stays as it is."""
        terms: dict[int, list[str]] = {}
        with self._asking:
            self._fts.execute("BEGIN")
            self._fts.executemany("INSERT INTO given(rowid, word) VALUES (?, ?)", enumerate(words))
            for number, term in self._fts.execute("SELECT doc, term FROM seen"):
                terms.setdefault(number, []).append(term)
            self._fts.execute("ROLLBACK")
        return [terms[number][0] if len(terms.get(number, ())) == 1 else word for number, word in enumerate(words)]
