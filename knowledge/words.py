"""Word search over the FTS5 index: BM25 of the question's telling words.

It takes any text, hostile or huge, and never hands FTS5 more than quoted words. It does not know who may read
what.
"""

from __future__ import annotations

import json
import re
import unicodedata

import numpy as np
import sqlalchemy as sa

from knowledge.hits import Hits, no_hits

# The word index splits text at everything that is neither a letter nor a digit, the underscore included.
_WORD = re.compile(r"[^\W_]+")
# Counting a word takes about 0.05 ms, so only so many of an endless question's words are looked at.
_COUNTED_WORDS = 128
_SEARCHED_WORDS = 32
# Scoring a row costs about 1.5 µs, so this many matching rows bound a search in any collection. The rarest words go
# first: dropping common ones earlier is faster, but lost one in twenty of the right passages at 4,000 rows of 25,000.
SCORED_ROWS = 20_000

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being between both but by can
could d did do does doing don down during each few for from further had has have having he her here hers
him his how i if in into is it its itself just ll m may me might more most must my no nor not now of off
on once only or other our out over own re s same shall she should so some such t than that the their them
then there these they this those through to too under until up us ve very was we were what when where
which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def question_words(text: str) -> tuple[str, ...]:
    """The distinct words of a text in lower case, without stop words unless there is nothing else."""
    found = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    words = tuple(dict.fromkeys(found))
    return tuple(word for word in words if word not in STOP_WORDS) or words


def search_words(connection: sa.Connection, text: str, limit: int | None, rows: int = SCORED_ROWS) -> Hits:
    """Find the chunks with the best BM25 for the text's rarer words; all of them where limit is None."""
    words = _telling_words(connection, question_words(text)[:_COUNTED_WORDS], rows)
    if not words:
        return no_hits()
    found = connection.exec_driver_sql(
        "SELECT rowid, rank FROM chunk_words WHERE chunk_words MATCH ? ORDER BY rank LIMIT ?",
        (" OR ".join(_quoted(word) for word in words), -1 if limit is None else limit),
    ).fetchall()
    ids = np.fromiter((row[0] for row in found), np.int64, len(found))
    # FTS5 gives BM25 with its sign turned, so that the best comes first in ascending order.
    scores = np.fromiter((-row[1] for row in found), np.float32, len(found))
    return Hits(ids=ids, scores=scores)


def _telling_words(connection: sa.Connection, words: tuple[str, ...], rows: int) -> list[str]:
    counts = _row_counts(connection, words)
    chosen: list[str] = []
    matching = 0
    for word in sorted((word for word in words if counts[word] > 0), key=lambda word: counts[word]):
        matching += counts[word]
        if chosen and (matching > rows or len(chosen) == _SEARCHED_WORDS):
            break
        chosen.append(word)
    return chosen


def _row_counts(connection: sa.Connection, words: tuple[str, ...]) -> dict[str, int]:
    quoted = {_quoted(word): word for word in words}
    counted = connection.exec_driver_sql(
        "SELECT value, (SELECT count(*) FROM chunk_words WHERE chunk_words MATCH value) FROM json_each(?)",
        (json.dumps(list(quoted)),),
    )
    return {quoted[phrase]: count for phrase, count in counted}


def _quoted(word: str) -> str:
    return f'"{word}"'
