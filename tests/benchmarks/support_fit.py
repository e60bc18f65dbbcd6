"""Fits the weights of `bot.support` and says how well they tell answerable questions from others.

Run: python -m tests.benchmarks.support_fit --rows FILE.jsonl ... --corpora DIR ... --asked DIR DIR ...

`--rows`: files as `lorekeeper eval answers` takes them; the label is the row's own. `--corpora`: folders as
`lorekeeper eval retrieval` takes them; every query of `--asked` is asked of every corpus, and counts as answerable
where a relevant passage is among those found. Half of the conversations are fitted, the other half is reported. It
does not change code: copy the printed weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.app import open_parser, retrieval_options
from bot.database import open_database
from bot.evaluate.answers import load_answer_rows
from bot.evaluate.passages import PassageSource, index_passages
from bot.evaluate.retrieval import corpus_database, load_corpus, load_queries
from bot.evidence import rank_evidence
from bot.settings import Settings, load_settings
from bot.support import SupportFeatures, SupportWeights, estimate_support, support_features
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.embed import Embedder, load_embedder
from knowledge.library import Library
from knowledge.parse import Parser

Floats = npt.NDArray[np.float64]
# Enough to keep the weights of five features small on a few hundred questions.
_RIDGE = 0.5


@dataclass(frozen=True, kw_only=True)
class Example:
    """A question's features, whether it can be answered, and the conversation it is from."""

    features: SupportFeatures
    answerable: bool
    conversation: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What questions are asked with."""

    settings: Settings
    embedder: Embedder
    parser: Parser

    def features(self, library: Library, question: Question) -> tuple[SupportFeatures, set[str]]:
        """The features of one question, and the documents found."""
        found = library.retrieve(question, Audience.everyone(), self.settings.file.answer.passages)
        evidence = rank_evidence(question, found.passages, found.query_vector, self.embedder)
        return support_features(question, found.passages, evidence), {passage.uri for passage in found.passages}


def examples_of_rows(file: Path, bench: Bench, limit: int) -> Iterator[Example]:
    """One example for each row, from its own passages."""
    for number, row in enumerate(load_answer_rows(file)):
        if number >= limit:
            return
        with Library.in_memory(bench.embedder, retrieval_options(bench.settings.file)) as library:
            source = PassageSource(id="row", passages=row.passages)
            index_passages(library, source, bench.parser, chunk_tokens=bench.settings.file.knowledge.chunk_tokens)
            features, _ = bench.features(library, row.question)
        yield Example(
            features=features, answerable=row.answerable, conversation=row.id.split("<::>")[0], kind=file.name
        )


def examples_of_corpora(folders: Sequence[Path], asked_folders: Sequence[Path], bench: Bench) -> Iterator[Example]:
    """One example for each query and corpus."""
    for corpus in folders:
        with ExitStack() as opened:
            engine = open_database(f"sqlite:///{corpus_database(corpus, bench.settings, bench.embedder)}")
            opened.callback(engine.dispose)
            library = Library.open(engine, bench.embedder, None, retrieval_options(bench.settings.file))
            opened.callback(library.close)
            passages = load_corpus(corpus)
            index_passages(
                library,
                PassageSource(id="corpus", passages=passages),
                bench.parser,
                chunk_tokens=bench.settings.file.knowledge.chunk_tokens,
            )
            for asked in asked_folders:
                for query in load_queries(asked):
                    features, found = bench.features(library, query.question)
                    yield Example(
                        features=features,
                        answerable=asked == corpus and any(query.gains.get(uri, 0) > 0 for uri in found),
                        conversation=query.id.split("<::>")[0],
                        kind=f"{asked.name} in {corpus.name}",
                    )


def fit(examples: Sequence[Example]) -> SupportWeights:
    """Logistic regression with a ridge, by Newton's method; both classes weigh the same."""
    x = np.asarray([[1.0, *astuple(example.features)] for example in examples])
    y = np.asarray([float(example.answerable) for example in examples])
    balance = np.where(y == 1, 0.5 / max(y.mean(), 1e-9), 0.5 / max(1 - y.mean(), 1e-9))
    ridge = np.diag([0.0] + [_RIDGE] * (x.shape[1] - 1))
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (balance * (p - y)) + ridge @ weights
        hessian = (x * (balance * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    names = [field.name for field in fields(SupportWeights)]
    return SupportWeights(**dict(zip(names, (float(weight) for weight in weights), strict=True)))


def auroc(scores: Floats, labels: npt.NDArray[np.bool_]) -> float:
    """The chance that an answerable question scores above another."""
    positive, negative = scores[labels], scores[~labels]
    if not len(positive) or not len(negative):
        return float("nan")
    return float(((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean())


def report(examples: Sequence[Example], weights: SupportWeights) -> None:
    """Print AUROC for each kind, and what thresholds would do."""
    scores = np.asarray([estimate_support(example.features, weights) for example in examples])
    labels = np.asarray([example.answerable for example in examples])
    kinds = np.asarray([example.kind for example in examples])
    for kind in [*sorted(set(kinds)), "all"]:
        chosen = kinds == kind if kind != "all" else np.ones(len(kinds), bool)
        print(
            f"{kind:28} n {chosen.sum():4} answerable {labels[chosen].mean():.2f} "
            f"AUROC {auroc(scores[chosen], labels[chosen]):.3f} mean support {scores[chosen].mean():.2f}"
        )
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        kept = scores >= threshold
        print(
            f"threshold {threshold:.1f}: answers {kept[labels].mean():.2f} of the answerable, "
            f"abstains on {(~kept[~labels]).mean():.2f} of the others"
        )


def main() -> None:
    """Collect, fit on one half, report on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, nargs="*", default=[])
    parser.add_argument("--corpora", type=Path, nargs="*", default=[])
    parser.add_argument(
        "--asked", type=Path, nargs="*", help="folders with the queries; those of --corpora unless given"
    )
    parser.add_argument("--home", type=Path)
    parser.add_argument("--limit", type=int, default=400, help="rows of each file")
    options = parser.parse_args()
    settings = load_settings(os.environ, options.home)
    with open_parser(settings.file) as documents:
        bench = Bench(settings=settings, embedder=load_embedder(settings.file.knowledge.embedder), parser=documents)
        examples = [item for file in options.rows for item in examples_of_rows(file, bench, options.limit)]
        examples += examples_of_corpora(options.corpora, options.asked or options.corpora, bench)
    fitted = [item for item in examples if _half(item.conversation) == 0]
    held_back = [item for item in examples if _half(item.conversation) == 1]
    weights = fit(fitted)
    print(json.dumps({field.name: round(getattr(weights, field.name), 2) for field in fields(weights)}))
    report(held_back, weights)


def _half(conversation: str) -> int:
    return hashlib.sha256(conversation.encode()).digest()[0] % 2


if __name__ == "__main__":
    main()
