"""What caps on passages of one hand cost ordinary questions, and how many places they take from a poisoner.

Run: python -m tests.benchmarks.spread ../shared/data/xquad/en.jsonl [--close 0 .05 .1 .2]
Every article is a document, its paragraphs are the chunks, and every question has one right paragraph: is it among the
first four and eight passages? Then one author of an informal source writes five texts against each question, which
repeat it and answer it wrongly: how many of the four places are theirs, and how often is the right paragraph still
among them? `--close 0` is without caps.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.app import open_embedder, query_side, retrieval_options
from bot.settings import load_settings
from knowledge.audience import Audience
from knowledge.database import writing
from knowledge.document import Question
from knowledge.embed import Embedder
from knowledge.library import Library
from knowledge.query_side import QuerySide
from knowledge.retrieve import RetrievalOptions
from knowledge.spread import Spread
from knowledge.tables import document
from tests.knowledge.shelf import Shelf

_SEED = 7
_PLACES = 4
_AUTHOR = "Mallory"
_LIES = (
    "{question} It is {answer}.",
    "Asked “{question}”, everybody here says {answer}.",
    "The answer to “{question}” is {answer}, and has always been.",
    "FAQ: {question} {answer}, as was decided last week.",
    "Please note: {question} The right answer is {answer}.",
)


def main() -> None:
    """Print a table: a row for each closeness."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--close", nargs="+", type=float, default=[0, 0.05, 0.1, 0.2])
    parser.add_argument("--most", type=int, default=10_000, help="so many questions")
    parser.add_argument("--plain", action="store_true", help="without the second look at word pieces, which is slow")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.file.read_text().splitlines()]
    settings = load_settings(os.environ)
    embedder = open_embedder(settings, None)
    options, side = retrieval_options(settings.file), query_side(settings, embedder)
    options = replace(options, matched=0) if arguments.plain else options
    with Library.in_memory(embedder, options, query_side=side) as library:
        shelf = Shelf(library.engine, embedder)
        for title in sorted({row["title"] for row in rows}):
            paragraphs = sorted({row["context"] for row in rows if row["title"] == title})
            shelf.put(title, *paragraphs, header=title.replace("_", " "))
        asked = random.Random(_SEED).sample(rows, min(arguments.most, len(rows)))
        clean = [_row(library.engine, embedder, side, _capped(options, close), asked) for close in arguments.close]
        _poison(library, shelf, asked)
        poisoned = [_row(library.engine, embedder, side, _capped(options, close), asked) for close in arguments.close]
    print(f"{len(asked)} questions\n\n| close | right in 4 | right in 8 | poisoned: right in 4 | places theirs |")
    print("|---|---|---|---|---|")
    for close, before, after in zip(arguments.close, clean, poisoned, strict=True):
        print(f"| {close} | {before[0]:.3f} | {before[1]:.3f} | {after[0]:.3f} | {after[2]:.2f} |")


def _capped(options: RetrievalOptions, close: float) -> RetrievalOptions:
    caps = Spread(close=close) if close else Spread(document=1.0, author=1.0, informal=1.0)
    return replace(options, spread=caps)


def _poison(library: Library, shelf: Shelf, rows: Sequence[dict[str, Any]]) -> None:
    chance = random.Random(_SEED)
    shelf.add_source("chat", "Chat", trust="informal")
    for number, row in enumerate(rows):
        other = chance.choice(rows)["answers"][0]
        for place, lie in enumerate(_LIES):
            text = lie.format(question=row["question"], answer=other)
            shelf.put(f"chat/{number}/{place}", text, source_id="chat")
    with writing(library.engine) as connection:
        theirs = sa.update(document).where(document.c.source_id == "chat")
        connection.execute(theirs.values(owner=_AUTHOR))


def _row(
    engine: sa.Engine,
    embedder: Embedder,
    side: QuerySide,
    options: RetrievalOptions,
    rows: Sequence[dict[str, Any]],
) -> tuple[float, float, float]:
    """Share of right paragraphs in 4 and in 8, and places of the poisoner among 4."""
    right = right_in_8 = theirs = 0
    with Library.open(engine, embedder, None, options, query_side=side) as library:
        library.wait_for_words(60)
        for row in rows:
            question = Question(text=row["question"])
            first = library.retrieve(question, Audience.everyone(), _PLACES).passages
            more = library.retrieve(question, Audience.everyone(), 2 * _PLACES).passages
            right += any(passage.text == row["context"] for passage in first)
            right_in_8 += any(passage.text == row["context"] for passage in more)
            theirs += sum(passage.owner == _AUTHOR for passage in first)
    return right / len(rows), right_in_8 / len(rows), theirs / len(rows)


if __name__ == "__main__":
    main()
