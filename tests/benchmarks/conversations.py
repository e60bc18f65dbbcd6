"""How well the passages for a follow-up question are found: every variant of retrieval, query by query.

Run: python -m tests.benchmarks.conversations ../shared/data/mtrag/clapnq ../shared/data/mtrag/fiqa [--half held]
Each folder is as `lorekeeper eval retrieval` takes it, with published runs beside it. The index
is kept in the data folder. Weights were chosen on one half of the conversations; the other half is reported. Which
conversation is in which half is written down in tests/benchmarks/splits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from bot.app import open_embedder, open_parser, query_side, retrieval_options
from bot.database import open_database
from bot.evaluate.files import read_rows
from bot.evaluate.passages import PassageSource, index_passages
from bot.evaluate.retrieval import JudgedQuery, corpus_database, load_corpus, load_queries
from bot.settings import Settings, load_settings
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.embed import Embedder
from knowledge.library import Library
from knowledge.match import TokenMatch
from knowledge.measure import ndcg_at, recall_at
from knowledge.query import HistoryWeights
from knowledge.query_encoder import AdaptedEncoder
from knowledge.query_side import QuerySide
from knowledge.retrieve import RetrievalOptions

SPLITS = Path(__file__).parent / "splits"
SEED = 20261128
DEFAULT = "DEFAULT"
MEASURES = ("R@5", "R@10", "nDCG@5", "nDCG@10")
_DEPTH = 50
_RANK_CONSTANT = 60
"""As in Cormack et al., SIGIR 2009."""
_RESAMPLES = 2_000
_KEPT_PASSAGES = 10_000

Ranking = Sequence[str]
Scores = npt.NDArray[np.float64]
"""One row for each query, one column for each measure."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A corpus that can be searched in every way, and its questions."""

    engine: sa.Engine
    embedder: Embedder
    query_side: QuerySide
    options: RetrievalOptions
    queries: Sequence[JudgedQuery] = field(repr=False)
    rewrites: Mapping[str, str] = field(repr=False)

    def rank(
        self, options: RetrievalOptions, questions: Sequence[Question], side: QuerySide | None = None
    ) -> list[Ranking]:
        """The documents of each question, best first, each at the rank of its best passage; weighted without a side."""
        with Library.open(self.engine, self.embedder, None, options, query_side=side) as library:
            library.wait_for_words(timeout_seconds=300)
            found = [library.retrieve(question, Audience.everyone(), _DEPTH).passages for question in questions]
        return [list(dict.fromkeys(passage.uri for passage in passages)) for passages in found]


@contextmanager
def open_bench(folder: Path, settings: Settings) -> Iterator[Bench]:
    """Open a corpus, indexed with the embedder of the settings."""
    embedder, options = open_embedder(settings, None), retrieval_options(settings.file)
    queries = list(load_queries(folder))
    rewrites = {str(row["_id"]): str(row.get("rewrite") or row["text"]) for row in read_rows(folder / "queries.jsonl")}
    engine = open_database(f"sqlite:///{corpus_database(folder, settings, embedder)}")
    with ExitStack() as opened:
        opened.callback(engine.dispose)
        parser = opened.enter_context(open_parser(settings.file))
        library = opened.enter_context(Library.open(engine, embedder, None, options, for_questions=False))
        source = PassageSource(id="corpus", passages=load_corpus(folder))
        index_passages(library, source, parser, chunk_tokens=settings.file.knowledge.chunk_tokens, progress=_say)
        side = query_side(settings, embedder)
        if isinstance(side.encoder, AdaptedEncoder):
            # The same passages come again with every variant.
            side = replace(side, match=TokenMatch(side.encoder.plain, side.encoder.tokenizer, kept=_KEPT_PASSAGES))
        yield Bench(
            engine=engine,
            embedder=embedder,
            query_side=side,
            options=options,
            queries=queries,
            rewrites=rewrites,
        )


def _say(what: str, done: int, total: int | None) -> None:
    if done % 1_000 == 0:
        print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)


def split_of(name: str, queries: Sequence[JudgedQuery]) -> frozenset[str]:
    """The conversations that weights are chosen on; the list is made once, and read from then on."""
    file = SPLITS / f"{name}.json"
    if not file.is_file():
        conversations = sorted({conversation_of(query) for query in queries})
        random.Random(SEED).shuffle(conversations)
        chosen = sorted(conversations[: len(conversations) // 2])
        file.write_text(json.dumps({"seed": SEED, "tune": chosen}, indent=1) + "\n", encoding="utf-8")
    return frozenset(json.loads(file.read_text(encoding="utf-8"))["tune"])


def conversation_of(query: JudgedQuery) -> str:
    """The conversation that a query is from."""
    return query.id.split("<::>")[0]


def reciprocal_rank_fusion(*lists: Sequence[Ranking]) -> list[Ranking]:
    """Add up 1 / (60 + rank) over the lists of each query."""
    fused: list[Ranking] = []
    for rankings in zip(*lists, strict=True):
        scores: dict[str, float] = {}
        for ranking in rankings:
            for place, document in enumerate(ranking, start=1):
                scores[document] = scores.get(document, 0.0) + 1 / (_RANK_CONSTANT + place)
        fused.append(sorted(scores, key=lambda document: (-scores[document], document)))
    return fused


def measured(rankings: Sequence[Ranking], queries: Sequence[JudgedQuery]) -> Scores:
    """Score each ranking."""
    return np.asarray(
        [
            (
                recall_at(ranking, query.gains, 5),
                recall_at(ranking, query.gains, 10),
                ndcg_at(ranking, query.gains, 5),
                ndcg_at(ranking, query.gains, 10),
            )
            for ranking, query in zip(rankings, queries, strict=True)
        ],
        np.float64,
    )


def variants(bench: Bench) -> dict[str, list[Ranking]]:
    """Every way of searching, the simplest first."""
    asked = [query.question for query in bench.queries]
    rewritten = [Question(text=bench.rewrites[query.id]) for query in bench.queries]
    nothing = HistoryWeights(question=0.0, answer=0.0)
    some = HistoryWeights(question=0.2, answer=0.1)
    ours = bench.options
    first = replace(ours, matched=0)
    alone = replace(first, history=nothing)
    words, vectors = replace(alone, word_weight=1.0), replace(first, word_weight=0.0)
    side = bench.query_side
    words_alone = bench.rank(words, asked)
    encoded = bench.rank(vectors, asked, side)
    return {
        "words, last turn": words_alone,
        "words, earlier turns .2 and .1": bench.rank(replace(words, word_history=some), asked),
        "words, LLM rewrite": bench.rank(words, rewritten),
        "vectors, last turn": bench.rank(replace(alone, word_weight=0.0), asked),
        "vectors, LLM rewrite": bench.rank(replace(alone, word_weight=0.0), rewritten),
        "vectors, weighted history": bench.rank(vectors, asked),
        "vectors, query encoder": encoded,
        "fused, weighted history": bench.rank(first, asked),
        "fused, LLM rewrite": bench.rank(alone, rewritten),
        "fused by rank (RRF), query encoder": reciprocal_rank_fusion(encoded, words_alone),
        **{
            f"fused, query encoder, words {weight}": bench.rank(replace(first, word_weight=weight), asked, side)
            for weight in (0.1, 0.2, 0.3, 0.4)
        },
        "the same as the default, earlier turns' words .2 and .1": bench.rank(
            replace(first, word_history=some), asked, side
        ),
        **{
            f"fused, query encoder, 20 matched by {weight}": bench.rank(
                replace(ours, matched=20, match_weight=weight), asked, side
            )
            for weight in (1.0, 2.0, 4.0)
        },
        "fused, query encoder, 10 matched": bench.rank(replace(ours, matched=10), asked, side),
        "fused, LLM rewrite, 20 matched": bench.rank(ours, rewritten, side),
        DEFAULT: bench.rank(ours, asked, side),
    }


def published(folder: Path, queries: Sequence[JudgedQuery]) -> dict[str, list[Ranking]]:
    """The top ten of systems that others ran, by name."""
    file = folder / "published_runs.jsonl.xz"
    runs = list(read_rows(file)) if file.is_file() else []
    return {
        run["run"]: [[document for document, _ in run["results"].get(query.id, [])] for query in queries]
        for run in runs
    }


def interval(one: Scores, other: Scores, groups: Sequence[str], seed: int = SEED) -> tuple[float, float]:
    """95 % of the mean difference of two columns, resampled by conversation."""
    names = sorted(set(groups))
    places = [np.flatnonzero(np.asarray(groups) == name) for name in names]
    sums = np.asarray([(one[rows] - other[rows]).sum() for rows in places])
    sizes = np.asarray([len(rows) for rows in places])
    drawn = np.random.default_rng(seed).integers(0, len(names), (_RESAMPLES, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def report(folder: Path, half: str, settings: Settings) -> dict[str, Scores]:
    """Print the table of one corpus and return the scores of every variant."""
    with open_bench(folder, settings) as bench:
        tune = split_of(folder.name, bench.queries)
        kept = [
            number
            for number, query in enumerate(bench.queries)
            if half == "all" or (conversation_of(query) in tune) == (half == "tune")
        ]
        queries = [bench.queries[number] for number in kept]
        runs = {**published(folder, bench.queries), **variants(bench)}
    scores = {name: measured(rankings, bench.queries)[kept] for name, rankings in runs.items()}
    groups = [conversation_of(query) for query in queries]
    print(f"\n{folder.name}, {half} half: {len(queries)} queries of {len(set(groups))} conversations\n")
    print("| variant | " + " | ".join(MEASURES) + " | DEFAULT's R@5 is higher by (95 %) |")
    print("|---|" + "---|" * (len(MEASURES) + 1))
    best = scores[DEFAULT]
    for name, one in scores.items():
        low, high = interval(best[:, 0], one[:, 0], groups)
        difference = "" if name == DEFAULT else f"{(best - one)[:, 0].mean():+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in one.mean(0)) + f" | {difference} |")
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", choices=("tune", "held", "all"), default="held")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        report(folder, arguments.half, load_settings(os.environ))


if __name__ == "__main__":
    main()
