"""How well the passages for a follow-up question are found: every variant of retrieval, query by query.

Run: python -m tests.benchmarks.conversations ../shared/data/mtrag/clapnq ../shared/data/mtrag/fiqa [--half held]
[--picture FILE.png]. Each folder is as `lorekeeper eval retrieval` takes it, with published runs beside it. The index
is kept in the data folder. Weights were chosen on one half of the conversations; the other half is reported. Which
conversation is in which half is written down in tests/benchmarks/splits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.app import load_embedding, open_parser, retrieval_options
from bot.database import open_database
from bot.evaluate.files import read_rows
from bot.evaluate.passages import PassageSource, index_passages
from bot.evaluate.retrieval import JudgedQuery, corpus_database, load_corpus, load_queries
from bot.settings import load_settings
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.library import Library
from knowledge.measure import ndcg_at, recall_at
from knowledge.query import HistoryWeights
from knowledge.retrieve import RetrievalOptions

SPLITS = Path(__file__).parent / "splits"
SEED = 20261128
MEASURES = ("R@5", "R@10", "nDCG@5", "nDCG@10")
_DEPTH = 50
_RANK_CONSTANT = 60
"""As in Cormack et al., SIGIR 2009."""
_RESAMPLES = 2_000

Ranking = Sequence[str]
Scores = npt.NDArray[np.float64]
"""One row for each query, one column for each measure."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A corpus that can be searched in every way, and its questions."""

    library: Callable[[RetrievalOptions, bool], Library]
    """Opens the corpus with these options, with or without the query encoder."""
    options: RetrievalOptions
    queries: Sequence[JudgedQuery] = field(repr=False)
    rewrites: Mapping[str, str] = field(repr=False)


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


def rank(library: Library, questions: Sequence[Question]) -> list[Ranking]:
    """The documents of each question, best first, each at the rank of its best passage."""
    found = (library.retrieve(question, Audience.everyone(), _DEPTH).passages for question in questions)
    return [list(dict.fromkeys(passage.uri for passage in passages)) for passages in found]


def reciprocal_rank_fusion(*lists: Sequence[Ranking]) -> list[Ranking]:
    """Add up 1 / (60 + rank) over the lists of each query."""
    fused = []
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
    lone = HistoryWeights(question=0.0, answer=0.0)
    ours, alone = bench.options, replace(bench.options, history=lone)

    def run(options: RetrievalOptions, questions: Sequence[Question], *, encoder: bool = False) -> list[Ranking]:
        with bench.library(options, encoder) as library:
            return rank(library, questions)

    words = run(replace(alone, word_weight=1.0, word_history=lone), asked)
    vectors = run(replace(ours, word_weight=0.0), asked, encoder=True)
    return {
        "words, last turn": words,
        "words, with history": run(replace(alone, word_weight=1.0), asked),
        "words, LLM rewrite": run(replace(alone, word_weight=1.0, word_history=lone), rewritten),
        "vectors, last turn": run(replace(alone, word_weight=0.0), asked),
        "vectors, LLM rewrite": run(replace(alone, word_weight=0.0), rewritten),
        "vectors, history-weighted": run(replace(ours, word_weight=0.0), asked),
        "vectors, query encoder": vectors,
        "fused, history-weighted": run(ours, asked),
        "fused, LLM rewrite": run(alone, rewritten),
        "fused by rank (RRF), query encoder": reciprocal_rank_fusion(vectors, words),
        "fused, words .1": run(replace(ours, word_weight=0.1), asked, encoder=True),
        "fused, words .2": run(replace(ours, word_weight=0.2), asked, encoder=True),
        "fused, words .3": run(replace(ours, word_weight=0.3), asked, encoder=True),
        "fused, words .4": run(replace(ours, word_weight=0.4), asked, encoder=True),
        "fused, words of the last turn only": run(replace(ours, word_history=lone), asked, encoder=True),
        "DEFAULT": run(ours, asked, encoder=True),
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


def report(folder: Path, half: str) -> dict[str, Scores]:
    """Print the table of one corpus and return the scores of every variant."""
    with open_bench(folder) as bench:
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
    best = scores["DEFAULT"]
    for name, one in scores.items():
        low, high = interval(best[:, 0], one[:, 0], groups)
        difference = "" if name == "DEFAULT" else f"{(best - one)[:, 0].mean():+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in one.mean(0)) + f" | {difference} |")
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", choices=("tune", "held", "all"), default="held")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        report(folder, arguments.half)


if __name__ == "__main__":
    main()
