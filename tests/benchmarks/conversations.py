"""How well the passages for a follow-up question are found: every variant of retrieval, query by query.

Run: python -m tests.benchmarks.conversations ../shared/data/mtrag/clapnq ../shared/data/mtrag/fiqa [--half tune held]
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
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from bot.learn.intervals import bootstrap
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
_WORD_WEIGHTS = (0.1, 0.2, 0.3, 0.4)
_MATCH_WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0)

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


def variants(bench: Bench) -> dict[str, Callable[[], list[Ranking]]]:
    """Every way of searching, the simplest first."""
    asked = [query.question for query in bench.queries]
    rewritten = [Question(text=bench.rewrites[query.id]) for query in bench.queries]
    nothing, some = HistoryWeights(question=0.0, answer=0.0), HistoryWeights(question=0.2, answer=0.1)
    ours, side = bench.options, bench.query_side
    first = replace(ours, matched=0)
    alone = replace(first, history=nothing)
    words, vectors = replace(alone, word_weight=1.0), replace(first, word_weight=0.0)

    def run(
        options: RetrievalOptions, questions: Sequence[Question] = asked, by: QuerySide | None = side
    ) -> Callable[[], list[Ranking]]:
        return lambda: bench.rank(options, questions, by)

    return {
        "words, last turn": run(words, by=None),
        "words, earlier turns .2 and .1": run(replace(words, word_history=some), by=None),
        "words, LLM rewrite": run(words, rewritten, None),
        "vectors, last turn": run(replace(alone, word_weight=0.0), by=None),
        "vectors, LLM rewrite": run(replace(alone, word_weight=0.0), rewritten, None),
        "vectors, weighted history": run(vectors, by=None),
        "vectors, query encoder": run(vectors),
        "fused, weighted history": run(first, by=None),
        "fused, LLM rewrite": run(alone, rewritten, None),
        "fused by rank (RRF), query encoder": lambda: reciprocal_rank_fusion(run(vectors)(), run(words, by=None)()),
        **{
            f"fused, query encoder, words {weight}": run(replace(first, word_weight=weight)) for weight in _WORD_WEIGHTS
        },
        "query encoder, earlier turns' words .2 and .1": run(replace(first, word_history=some)),
        **{f"DEFAULT, matched by {weight}": run(replace(ours, match_weight=weight)) for weight in _MATCH_WEIGHTS},
        "DEFAULT, 10 matched": run(replace(ours, matched=10)),
        "LLM rewrite, else as DEFAULT": run(ours, rewritten),
        "two lists (RRF), as asked and the LLM rewrite": lambda: reciprocal_rank_fusion(
            run(ours)(), run(ours, rewritten)()
        ),
        "DEFAULT, 40 matched": run(replace(ours, matched=40)),
        DEFAULT: run(ours),
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
    found = bootstrap(one - other, groups, samples=_RESAMPLES, seed=seed)
    return found.low, found.high


def report(folder: Path, halves: Sequence[str], only: str, settings: Settings) -> None:
    """Print the table of every half of one corpus."""
    with open_bench(folder, settings) as bench:
        queries = bench.queries
        wanted = [(name, search) for name, search in variants(bench).items() if only in name or name == DEFAULT]
        runs = {**({} if only else published(folder, queries)), **{name: search() for name, search in wanted}}
    scores = {name: measured(rankings, queries) for name, rankings in runs.items()}
    tune = split_of(folder.name, queries)
    for half in halves:
        kept = [
            number
            for number, query in enumerate(queries)
            if half == "all" or (conversation_of(query) in tune) == (half == "tune")
        ]
        groups = [conversation_of(queries[number]) for number in kept]
        print(f"\n{folder.name}, {half}: {len(kept)} queries of {len(set(groups))} conversations\n")
        print("| variant | " + " | ".join(MEASURES) + " | DEFAULT's R@5 is higher by (95 %) |")
        print("|---|" + "---|" * (len(MEASURES) + 1))
        for name, one in scores.items():
            row = " | ".join(f"{value:.3f}" for value in one[kept].mean(0))
            print(f"| {name.replace('|', ', ')} | {row} | {_lead(scores[DEFAULT][kept], one[kept], groups)} |")


def _lead(best: Scores, one: Scores, groups: Sequence[str]) -> str:
    if best is one or np.array_equal(best, one):
        return ""
    low, high = interval(best[:, 0], one[:, 0], groups)
    return f"{(best - one)[:, 0].mean():+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", nargs="+", choices=("tune", "held", "all"), default=["held"])
    parser.add_argument("--only", default="", help="a part of the names of the variants to run")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        report(folder, arguments.half, arguments.only, load_settings(os.environ))


if __name__ == "__main__":
    main()
