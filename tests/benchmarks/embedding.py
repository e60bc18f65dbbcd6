"""The embedder beside plain `SentenceTransformer.encode` on the same passages, and what 8-bit numbers cost in recall.

    python -m tests.benchmarks.embedding FOLDER [--passages 128] [--rounds 5]
    python -m tests.benchmarks.embedding FOLDER [FOLDER ...] --recall [--cache FOLDER]

FOLDER is a judged collection as `lorekeeper eval retrieval` takes it. Each round embeds the same passages with the
library's defaults and with the product, in turn, so that both meet the same machine: medians over rounds, wall time
and processor time of all threads. `--recall` embeds the whole corpus, cut as the product cuts it, in both precisions,
and asks each last turn as it is: dense search alone, paired differences with a bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from bot.evaluate.passages import GivenPassage
from bot.evaluate.retrieval import JudgedQuery, load_corpus, load_queries
from bot.learn.intervals import bootstrap
from knowledge.chunk import Chunker
from knowledge.document import FetchedDocument
from knowledge.embed import Embedder, Vectors, embedded_model_folder, load_embedder
from knowledge.measure import mean, ndcg_at, percentile, recall_at
from knowledge.parse import Parser

_TOP = 10
# Chunks looked at for ten documents, as in the product's evaluation.
_CHUNKS = 5 * _TOP
_SHORT = "How do I request a new laptop?"
# About 60 word pieces: a question with its circumstances.
_LONG = (
    "I moved from the Berlin office to the one in Madrid last month and my badge still opens only the old doors. "
    "Whom do I have to ask for a new one, which papers do they need from me and my manager, and how many days does "
    "it usually take until it works?"
)
_ASKED = 100


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds of one pass over the passages."""

    wall: float
    processor: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--passages", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recall", action="store_true")
    parser.add_argument("--cache", type=Path, help="keeps vectors as NAME-fp32.npz and NAME-int8.npz between runs")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made_in:
        fast = load_embedder("embedded", precision="auto", made_in=chosen.cache or Path(made_in))
        for folder in chosen.folders:
            figures = (
                recalls(folder, fast, chosen.cache)
                if chosen.recall
                else speeds(folder, fast, chosen.passages, chosen.rounds)
            )
            print(json.dumps({"data": folder.name, "embedder": fast.name, **figures}, indent=2), flush=True)


def speeds(folder: Path, fast: Embedder, passages: int, rounds: int) -> dict[str, float | int]:
    """Time both on passages spread over the corpus, and single questions with the product's embedder."""
    corpus = load_corpus(folder)
    texts = [f"{one.title}\n{one.text}" for one in islice(corpus, 0, None, max(1, len(corpus) // passages))][:passages]
    plain = SentenceTransformer(str(embedded_model_folder()), local_files_only=True, device="cpu")

    def encode() -> object:
        return plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    took = [(time_of(encode), time_of(lambda: fast.embed(texts))) for _ in range(rounds + 1)][1:]
    return {
        "passages": len(texts),
        "plain_passages_per_second": round(len(texts) / statistics.median(one.wall for one, _ in took), 1),
        "passages_per_second": round(len(texts) / statistics.median(one.wall for _, one in took), 1),
        "ratio": round(statistics.median(one.wall / other.wall for one, other in took), 2),
        "processor_ratio": round(statistics.median(one.processor / other.processor for one, other in took), 2),
        **latencies("short", fast, _SHORT),
        **latencies("long", fast, _LONG),
    }


def time_of(work: Callable[[], object]) -> Took:
    """Wall and processor time of this process, all threads."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Took(wall=time.perf_counter() - wall, processor=time.process_time() - processor)


def latencies(name: str, embedder: Embedder, text: str) -> dict[str, float | int]:
    """Milliseconds of one question after another."""
    embedder.embed([text], "question")
    took = [time_of(lambda: embedder.embed([text], "question")) for _ in range(_ASKED)]
    return {
        f"{name}_question_tokens": embedder.count_tokens(text),
        f"{name}_question_ms_p50": round(1_000 * percentile([one.wall for one in took], 0.5), 2),
        f"{name}_question_ms_p95": round(1_000 * percentile([one.wall for one in took], 0.95), 2),
        f"{name}_question_processor_ms_p50": round(1_000 * percentile([one.processor for one in took], 0.5), 2),
    }


def recalls(folder: Path, fast: Embedder, cache: Path | None) -> dict[str, float | int]:
    """Compare dense search of both precisions, question by question."""
    queries = list(load_queries(folder))
    full = load_embedder("embedded")
    found = []
    for embedder, kind in ((full, "fp32"), (fast, "int8")):
        file = None if cache is None else cache / f"{folder.name}-{kind}.npz"
        documents, vectors = corpus_vectors(folder, embedder, file)
        asked = embedder.embed([query.question.text for query in queries], "question")
        found.append([nearest(documents, vectors, one) for one in asked])
    figures: dict[str, float | int] = {"queries": len(queries)}
    for name, measured in (("recall_at_5", _recall_at_5), ("ndcg_at_10", _ndcg_at_10)):
        full_values, fast_values = (
            [measured(ids, query) for ids, query in zip(ranked, queries, strict=True)] for ranked in found
        )
        differences = np.asarray(fast_values) - np.asarray(full_values)
        found_in = bootstrap(differences)
        figures |= {
            f"{name}_full": round(mean(full_values), 4),
            f"{name}": round(mean(fast_values), 4),
            f"{name}_difference": round(float(differences.mean()), 4),
            f"{name}_difference_low": round(found_in.low, 4),
            f"{name}_difference_high": round(found_in.high, 4),
            f"{name}_changed_queries": int(np.count_nonzero(differences)),
        }
    return figures


def corpus_vectors(folder: Path, embedder: Embedder, file: Path | None) -> tuple[list[str], Vectors]:
    """The documents of all chunks with their vectors, from the cache where it has them."""
    if file is not None and file.is_file():
        with np.load(file) as kept:
            return kept["doc_ids"].tolist(), np.asarray(kept["vectors"], np.float32)
    documents, texts = chunks_of(load_corpus(folder), embedder)
    vectors = embedder.embed(texts)
    if file is not None:
        np.savez(file, doc_ids=np.asarray(documents), texts=np.asarray(texts), vectors=vectors)
    return documents, vectors


def chunks_of(corpus: Sequence[GivenPassage], embedder: Embedder) -> tuple[list[str], list[str]]:
    """Cut as the product does: the document of each chunk, and its text."""
    documents: list[str] = []
    texts: list[str] = []
    chunker = Chunker(embedder.tokenizer)
    with Parser() as parser:
        for one in corpus:
            fetched = FetchedDocument(uri=one.uri, title=one.title, content=one.text.encode(), media_type="text/plain")
            for chunk in chunker.split(parser.parse(fetched)):
                documents.append(one.uri)
                texts.append(chunk.embedded_text)
    return documents, texts


def nearest(documents: Sequence[str], vectors: Vectors, question: Vectors) -> list[str]:
    """The ten nearest documents, each by its best chunk."""
    order = np.argsort(-(vectors @ question), kind="stable")[:_CHUNKS]
    return list(dict.fromkeys(documents[place] for place in order))[:_TOP]


def _recall_at_5(ids: list[str], query: JudgedQuery) -> float:
    return recall_at(ids, query.gains, 5)


def _ndcg_at_10(ids: list[str], query: JudgedQuery) -> float:
    return ndcg_at(ids, query.gains, 10)


if __name__ == "__main__":
    main()
