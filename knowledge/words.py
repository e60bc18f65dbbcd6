"""Word search: BM25 of the question's telling words, in memory, or over the FTS5 index until that is ready.

It takes any text, hostile or huge, and never hands FTS5 more than quoted words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import sqlalchemy as sa

from knowledge.hits import Hits, Mask, no_hits
from knowledge.snapshot import Snapshot
from knowledge.terms import split_words
from knowledge.word_index import WordIndex

# Counting a word takes about 0.05 ms, so only so many of an endless question's words are looked at.
_COUNTED_WORDS = 128
_SEARCHED_WORDS = 32
# Scoring a row costs FTS5 about 1.5 µs: this many matching rows bound a search in any collection. The rarest words go
# first: dropping common ones earlier is faster, but lost one in twenty of the right passages at 4,000 rows of 25,000.
SCORED_ROWS = 20_000
_SPARE_HITS = 2

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
    words = tuple(dict.fromkeys(split_words(text)))
    return tuple(word for word in words if word not in STOP_WORDS) or words


def weigh_words(*texts: tuple[str, float]) -> dict[str, float]:
    """The words of texts that matter more or less, each with the largest weight of a text that has it."""
    weights: dict[str, float] = {}
    for text, weight in texts:
        for word in question_words(text)[:_COUNTED_WORDS]:
            weights[word] = max(weight, weights.get(word, 0.0))
    return weights


def search_readable_words(
    connection: sa.Connection,
    index: WordIndex | None,
    weights: Mapping[str, float],
    k: int,
    snapshot: Snapshot,
    readable: Mask,
) -> Hits:
    """Find the `k` readable chunks with the best BM25 for weighted words.

    Without an index FTS5 answers. It cannot weigh words, so that it looks for the heaviest alone.
    """
    if index is not None:
        return index.search(weights, k, readable)
    heaviest = max(weights.values(), default=0.0)
    words = tuple(word for word, weight in weights.items() if weight == heaviest)
    # FTS5 knows no audiences: where chunks are hidden, more hits are taken, and all if those were too few.
    share = np.count_nonzero(readable) / max(1, snapshot.count)
    limit = k if share == 1 else int(_SPARE_HITS * k / share)
    hits = _search_fts(connection, words, limit, SCORED_ROWS)
    kept = snapshot.kept(hits, readable)
    if len(kept) < k and len(hits) == limit and share < 1:
        kept = snapshot.kept(_search_fts(connection, words, None, SCORED_ROWS), readable)
    return kept.first(k)


def search_words(connection: sa.Connection, text: str, limit: int | None, rows: int = SCORED_ROWS) -> Hits:
    """Find the chunks with the best BM25 for the text's rarer words in FTS5; all of them where limit is None."""
    return _search_fts(connection, question_words(text)[:_COUNTED_WORDS], limit, rows)


def _search_fts(connection: sa.Connection, words: tuple[str, ...], limit: int | None, rows: int) -> Hits:
    words = tuple(_telling_words(connection, words, rows))
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
