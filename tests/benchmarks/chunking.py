"""How much of what answers a question do five retrieved pieces hold? Our chunks against other ways of cutting.

    python -m tests.benchmarks.chunking ../shared/data/chunking_eval

Everything is indexed with the same embedder and found by the product's one retrieval function; only the cutting, and
what is read around a piece, differs. Settings were chosen on the tuning half of the questions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa

from bot.evaluate.passages import GivenPassage, PassageSource, index_passages
from bot.learn.intervals import compare
from knowledge.audience import Audience
from knowledge.chunk import CHUNK_TOKENS
from knowledge.database import reading
from knowledge.document import Passage, Question
from knowledge.library import Library
from knowledge.measure import mean
from knowledge.parse import Parser
from knowledge.query_side import QuerySide
from knowledge.retrieve import RetrievalOptions
from knowledge.tables import chunk, document
from tests.benchmarks.chunking_data import Asked, Covered, Span, cover, load_corpora, load_questions, locate
from tests.benchmarks.chunking_rivals import Place, recursive, windows
from tests.benchmarks.kept_vectors import DEFAULT_FILE, KeptVectors, open_kept
from tests.knowledge.shelf import Shelf

_TOP = 5
_DEEP = 40
_PEER = "windows of 256"
_BUDGET = 256 * _TOP
"""What five of the peer's windows hold: the same number of tokens is also given to everybody."""
_OPTIONS = RetrievalOptions()
_SEARCHES: Mapping[str, RetrievalOptions] = {
    "vectors alone": replace(_OPTIONS, word_weight=0.0, matched=0),
    "vectors and words": replace(_OPTIONS, matched=0),
    "vectors and words, the best matched (the product)": _OPTIONS,
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is measured, and with what."""

    corpora: Mapping[str, str] = field(repr=False)
    questions: Sequence[Asked] = field(repr=False)
    embedder: KeptVectors
    query_side: QuerySide
    parser: Parser


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of cutting, and of reading what was found."""

    name: str
    fill: Callable[[Library, Bench], None]
    beside_characters: int = 0


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a question's retrieval gave to read."""

    five: Covered
    """The first five."""
    five_tokens: int
    budget: Covered
    """As many as fit into the budget, the last one cut off there."""


def ours(tokens: int) -> Callable[[Library, Bench], None]:
    """Fill a library as the bot does."""

    def fill(library: Library, bench: Bench) -> None:
        given = [
            GivenPassage(uri=name, title=name.replace("_", " "), text=text) for name, text in bench.corpora.items()
        ]
        source = PassageSource(id="corpora", passages=given)
        index_passages(library, source, bench.parser, chunk_tokens=tokens)

    return fill


def cut_by(cut: Callable[[str, Bench], Sequence[Place]]) -> Callable[[Library, Bench], None]:
    """Fill a library with the bare pieces of another way of cutting."""

    def fill(library: Library, bench: Bench) -> None:
        shelf = Shelf(library.engine, bench.embedder)
        for name, text in bench.corpora.items():
            shelf.put(name, *(text[start:end] for start, end in cut(text, bench)))

    return fill


WAYS = (
    Way(name=_PEER, fill=cut_by(lambda text, bench: windows(text, bench.embedder.tokenizer, 256))),
    Way(
        name="windows of 256, each 128",
        fill=cut_by(lambda text, bench: windows(text, bench.embedder.tokenizer, 256, 128)),
    ),
    Way(name="recursive, 200", fill=cut_by(lambda text, bench: recursive(text, bench.embedder.tokenizer, 200))),
    Way(name="recursive, 400", fill=cut_by(lambda text, bench: recursive(text, bench.embedder.tokenizer, 400))),
    Way(name="ours, 110", fill=ours(110)),
    Way(name="ours, 110, with 500 characters beside", fill=ours(110), beside_characters=500),
    Way(name=f"ours, {CHUNK_TOKENS}", fill=ours(CHUNK_TOKENS)),
    Way(
        name=f"ours, {CHUNK_TOKENS}, with {_OPTIONS.beside_characters} beside (the product)",
        fill=ours(CHUNK_TOKENS),
        beside_characters=_OPTIONS.beside_characters,
    ),
)

_QUICK = frozenset({_PEER, *(way.name for way in WAYS[-2:])})


def read_all(way: Way, bench: Bench, search: str) -> list[Read]:
    """Ask every question in a library cut in one way."""
    options = replace(_SEARCHES[search], beside_characters=way.beside_characters)
    with Library.in_memory(bench.embedder, options, query_side=bench.query_side) as library:
        way.fill(library, bench)
        library.refresh()
        library.wait_for_words(timeout_seconds=60)
        places = _places(library.engine, bench.corpora)
        return [_read(asked, library, places, bench) for asked in bench.questions]


def _read(asked: Asked, library: Library, places: Mapping[int, Span], bench: Bench) -> Read:
    question = Question(text=asked.text)
    five = library.retrieve(question, Audience.everyone(), _TOP).passages
    # What stands around five fills the budget; bare pieces are read on until it is full.
    bare = not any(passage.beside for passage in five)
    passages = library.retrieve(question, Audience.everyone(), _DEEP).passages if bare else five
    count = bench.embedder.count_tokens
    sizes = [sum(count(part.text) for part in one.section) + count(one.header) for one in passages]
    spans = [_spans(passage, places, bench.corpora) for passage in passages]
    within: list[Span] = []
    left = _BUDGET
    for passage, size, some in zip(passages, sizes, spans, strict=True):
        if size > left:
            within += _first_tokens(some, left - count(passage.header), bench)
            break
        left -= size
        within += some
    return Read(
        five=cover(asked, [span for some in spans[:_TOP] for span in some]),
        five_tokens=sum(sizes[:_TOP]),
        budget=cover(asked, within),
    )


def _places(engine: sa.Engine, corpora: Mapping[str, str]) -> dict[int, Span]:
    """Where each stored chunk stands in its corpus."""
    query = sa.select(chunk.c.id, document.c.uri, chunk.c.text).join(document).order_by(document.c.id, chunk.c.ordinal)
    places: dict[int, Span] = {}
    last: dict[str, int] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            text = corpora[row.uri]
            # Chunks follow one another; only overlapping windows begin before the last one began to end.
            near = last.get(row.uri, 0)
            found = locate(text, row.text, near, near + 4 * len(row.text) + 4_000) or locate(text, row.text)
            if found is None:
                raise ValueError(f"a chunk of {row.uri} is not a piece of it: {row.text[:60]!r}")
            last[row.uri] = found[0]
            places[row.id] = Span(corpus=row.uri, start=found[0], end=found[1])
    return places


def _spans(passage: Passage, places: Mapping[int, Span], corpora: Mapping[str, str]) -> list[Span]:
    spans = [places[passage.id]]
    for part in passage.beside:
        whole = places[part.id]
        found = locate(corpora[whole.corpus], part.text, whole.start, whole.end)
        assert found is not None
        spans.append(Span(corpus=whole.corpus, start=found[0], end=found[1]))
    return spans


def _first_tokens(spans: Sequence[Span], tokens: int, bench: Bench) -> Iterator[Span]:
    for span in spans:
        text = bench.corpora[span.corpus][span.start : span.end]
        offsets = bench.embedder.tokenizer.encode(text, add_special_tokens=False).offsets[: max(0, tokens)]
        tokens -= len(offsets)
        if offsets:
            yield Span(corpus=span.corpus, start=span.start, end=span.start + offsets[-1][1])


def main(arguments: Sequence[str]) -> None:
    """Measure every way and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, default=DEFAULT_FILE, help="where embedded texts are kept")
    parser.add_argument("--quick", action="store_true", help="the named peer and the product alone")
    parser.add_argument("--only", nargs="+", default=[], help="corpora; all where none is named")
    chosen = parser.parse_args(arguments)
    corpora = load_corpora(chosen.data)
    questions = load_questions(chosen.data, corpora)
    names = chosen.only or list(corpora)
    embedder, side = open_kept(chosen.vectors)
    with Parser() as documents:
        bench = Bench(
            corpora={name: corpora[name] for name in names},
            questions=[asked for asked in questions if asked.corpus in names],
            embedder=embedder,
            query_side=side,
            parser=documents,
        )
        for search in _SEARCHES:
            ways = [way for way in WAYS if not chosen.quick or way.name in _QUICK]
            results = {way.name: read_all(way, bench, search) for way in ways}
            for half in (False, True):
                print(f"\n{search}, {'reported' if half else 'tuning'} half")
                _print(results, bench.questions, half)


def _print(results: Mapping[str, Sequence[Read]], questions: Sequence[Asked], half: bool) -> None:
    rows = [number for number, asked in enumerate(questions) if asked.report == half]
    print(f"  {len(rows)} questions; recall, precision and IoU of five, their tokens, recall within {_BUDGET} tokens")
    for name, all_read in results.items():
        read = [all_read[row] for row in rows]
        peer = [results[_PEER][row] for row in rows]
        five = (mean([getattr(one.five, what) for one in read]) for what in ("recall", "precision", "iou"))
        print(
            f"  {name:42} {' '.join(f'{value:.3f}' for value in five)} {mean([one.five_tokens for one in read]):6.0f} "
            f"{mean([one.budget.recall for one in read]):.3f}"
        )
        if half and name != _PEER:
            print(f"      of five:       {compare(*([one.five.recall for one in some] for some in (read, peer)))}")
            print(f"      within budget: {compare(*([one.budget.recall for one in some] for some in (read, peer)))}")
            print(f"      by corpus:     {_by_corpus(rows, all_read, results[_PEER], questions)}")


def _by_corpus(rows: Sequence[int], ours: Sequence[Read], peer: Sequence[Read], questions: Sequence[Asked]) -> str:
    parts = []
    for name in sorted({questions[row].corpus for row in rows}):
        some = [row for row in rows if questions[row].corpus == name]
        first, second = (mean([read[row].five.recall for row in some]) for read in (ours, peer))
        parts.append(f"{name} {first:.3f} ({second:.3f})")
    return ", ".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
