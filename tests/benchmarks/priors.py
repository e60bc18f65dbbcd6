"""What the preference for newer documents costs where age says nothing, and what it gives where it does.

Run: python -m tests.benchmarks.priors ../shared/data/mtrag/clapnq ../shared/data/mtrag/fiqa
Each folder is as for `tests.benchmarks.conversations`, whose index is copied and not changed. The cost: every document
gets a date of the last three years by chance, so that any move is a wrong one. The gain: beside documents that answer,
an older version is put in which every number is another; how often is the newer one read first?
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from bot.database import open_database
from bot.settings import load_settings
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.library import Library
from knowledge.priors import PriorWeights
from knowledge.tables import chunk, document
from tests.benchmarks.conversations import SEED, Bench, conversation_of, interval, measured, open_bench
from tests.knowledge.shelf import Shelf

_WEIGHTS = (0.0, 0.03, 0.05)
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_OLDEST_DAYS = 3 * 365
_LEAST_DAYS_BETWEEN = 90
_VERSIONS = 200
_LOOKED_AT = 20
_NUMBER = re.compile(r"\d+")
_OLD = "old version of "


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A query, a document that answers it, and that document's older version."""

    query: int
    newer: str
    older: str


def main() -> None:
    """Print both tables of every corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    arguments = parser.parse_args()
    for folder in arguments.folders:
        with open_bench(folder, load_settings(os.environ)) as bench, copied(bench) as dated:
            _date_all(dated.engine)
            _print_cost(folder.name, dated)
            _print_gain(folder.name, dated, _put_older_versions(dated))


@contextmanager
def copied(bench: Bench) -> Iterator[Bench]:
    """The same bench over a copy of its database."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "copy.db"
        with sqlite3.connect(str(bench.engine.url.database)) as original, sqlite3.connect(place) as copy:
            original.backup(copy)
        engine = open_database(f"sqlite:///{place}")
        try:
            yield replace(bench, engine=engine)
        finally:
            engine.dispose()


def _date_all(engine: sa.Engine) -> None:
    chance = random.Random(SEED)
    with writing(engine) as connection:
        ids = connection.scalars(sa.select(document.c.id).order_by(document.c.id)).all()
        rows = [{"key": key, "at": _NOW - timedelta(days=chance.uniform(0, _OLDEST_DAYS))} for key in ids]
        dated = sa.update(document).where(document.c.id == sa.bindparam("key"))
        connection.execute(dated.values(modified_at=sa.bindparam("at")), rows)


def _print_cost(name: str, bench: Bench) -> None:
    questions = [query.question for query in bench.queries]
    groups = [conversation_of(query) for query in bench.queries]
    print(f"\n{name}: {len(questions)} queries, every document dated by chance\n")
    print("| weight | R@5 | nDCG@10 | R@5 changes by (95 %) | nDCG@10 changes by (95 %) |\n|---|---|---|---|---|")
    without = None
    for weight in _WEIGHTS:
        options = replace(bench.options, priors=PriorWeights(recency=weight))
        scores = measured(bench.rank(options, questions, bench.query_side), bench.queries)[:, [0, 3]]
        without = scores if without is None else without
        changes = []
        for column in range(2):
            low, high = interval(scores[:, column], without[:, column], groups)
            changes.append(f"{(scores - without)[:, column].mean():+.4f} ({low:+.4f} to {high:+.4f})")
        row = " | ".join(f"{value:.3f}" for value in scores.mean(0))
        print(f"| {weight} | {row} | {changes[0]} | {changes[1]} |", flush=True)


def _put_older_versions(bench: Bench) -> list[Pair]:
    """Put in an older version of documents that answer and hold a number; it is as long and speaks of the same."""
    chance = random.Random(SEED)
    shelf = Shelf(bench.engine, bench.embedder)
    pairs: list[Pair] = []
    done: set[str] = set()
    for number, query in enumerate(bench.queries):
        for uri in sorted(query.gains):
            texts = _texts(bench.engine, uri) if uri not in done else None
            if texts is None or not _NUMBER.search(texts[0]) or len(pairs) == _VERSIONS:
                continue
            text, header, modified_at = texts
            days = chance.uniform(_LEAST_DAYS_BETWEEN, _OLDEST_DAYS)
            other = _NUMBER.sub(lambda found: str(int(found.group()) + chance.randint(1, 9)), text)
            shelf.put(_OLD + uri, other, header=header, modified_at=modified_at - timedelta(days=days))
            done.add(uri)
            pairs.append(Pair(query=number, newer=uri, older=_OLD + uri))
    return pairs


def _texts(engine: sa.Engine, uri: str) -> tuple[str, str, datetime] | None:
    """The text, header and date of a document of one passage; None for longer ones."""
    query = (
        sa.select(chunk.c.text, chunk.c.header, document.c.modified_at)
        .join(document, document.c.id == chunk.c.document_id)
        .where(document.c.uri == uri)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    if len(rows) != 1:
        return None
    return str(rows[0].text), str(rows[0].header), rows[0].modified_at


def _print_gain(name: str, bench: Bench, pairs: Sequence[Pair]) -> None:
    print(f"\n{name}: {len(pairs)} documents with an older version in which the numbers differ\n")
    print("| weight | both found | newer first |\n|---|---|---|")
    for weight in _WEIGHTS:
        options = replace(bench.options, priors=PriorWeights(recency=weight))
        with Library.open(bench.engine, bench.embedder, None, options, query_side=bench.query_side) as library:
            library.wait_for_words(timeout_seconds=300)
            first = [_newer_is_first(library, bench, pair) for pair in pairs]
        both = [one for one in first if one is not None]
        print(f"| {weight} | {len(both)} | {np.mean(both):.3f} |", flush=True)


def _newer_is_first(library: Library, bench: Bench, pair: Pair) -> bool | None:
    """Whether the newer version comes before the older; None where not both are found."""
    question = bench.queries[pair.query].question
    found = [one.uri for one in library.retrieve(question, Audience.everyone(), _LOOKED_AT).passages]
    if pair.newer not in found or pair.older not in found:
        return None
    return found.index(pair.newer) < found.index(pair.older)


if __name__ == "__main__":
    main()
