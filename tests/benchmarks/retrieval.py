"""How long a retrieval takes without embedding, and how much HNSW finds of what exact search finds.

    python -m tests.benchmarks.retrieval --chunks 10000 100000

The collection is made up: words by Zipf's law with some of their own for each topic, vectors around the topics. One
chunk in five belongs to a private channel, so that the filtered search has something to hide.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from knowledge.audience import EVERYONE, Audience
from knowledge.database import open_engine
from knowledge.document import Question
from knowledge.embed import Role, Vectors
from knowledge.library import Library
from knowledge.measure import mean, percentile
from knowledge.retrieve import RetrievalOptions
from knowledge.tables import create_tables
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

DIM = 384
_TOPICS = 200
_VOCABULARY = 40_000
_TOPIC_WORDS = 60
_CHUNK_WORDS = 110
# What 388 real questions have left without their stop words: four words on average; a few more, to be on the safe side.
_QUESTION_WORDS = 6
# The commonest made-up words stand for stop words, which a search leaves out.
_STOP_WORDS = 120
_DOCUMENT_CHUNKS = 12
_PRIVATE = "channel:C1"
_PUBLIC_ONLY, _ALL = Audience.everyone(), Audience.of_channel("C1")
_BUILD_SECONDS = 1_800.0


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of one way of searching, without embedding."""

    chunks: int
    search: str
    audience: str
    p50: float
    p95: float
    p99: float
    vectors_p50: float
    words_p50: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one collection size showed."""

    chunks: int
    load_seconds: float
    build_seconds: float
    recall_at_10: float
    """Of HNSW against exact search, fused passages, the same questions."""
    latencies: tuple[Latency, ...]


class PreparedEmbedder(FakeEmbedder):
    """Knows the vectors of its questions beforehand, so that no time is spent on making them."""

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        super().__init__("prepared", DIM)
        self._vectors = vectors

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """Look the vectors up."""
        return np.stack([self._vectors[text] for text in texts])


class Collection:
    """A made-up collection with questions about it, the same for the same size."""

    def __init__(self, chunks: int) -> None:
        self._random = np.random.default_rng(chunks)
        self._centres = self._random.standard_normal((_TOPICS, DIM))
        self._topic_words = self._random.integers(500, _VOCABULARY, (_TOPICS, _TOPIC_WORDS))
        weights = 1.0 / np.arange(1, _VOCABULARY + 1)
        self._common = np.cumsum(weights / weights.sum())

    def documents(self, chunks: int) -> Iterator[tuple[list[str], Vectors, str]]:
        """Texts, vectors and audience of one document after another."""
        for start in range(0, chunks, _DOCUMENT_CHUNKS):
            size = min(_DOCUMENT_CHUNKS, chunks - start)
            topic = int(self._random.integers(_TOPICS))
            texts = [self._text(topic, _CHUNK_WORDS) for _ in range(size)]
            yield texts, self._near(topic, size), _PRIVATE if self._random.random() < 0.2 else EVERYONE

    def questions(self, count: int) -> dict[str, Vectors]:
        """Questions with their vectors."""
        topics = self._random.integers(_TOPICS, size=count)
        return {
            self._text(int(topic), _QUESTION_WORDS, rarer_than=_STOP_WORDS): self._near(int(topic), 1)[0]
            for topic in topics
        }

    def _near(self, topic: int, count: int) -> Vectors:
        vectors = self._centres[topic] + 0.9 * self._random.standard_normal((count, DIM))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _text(self, topic: int, length: int, rarer_than: int = 0) -> str:
        least = self._common[rarer_than - 1] if rarer_than else 0.0
        common = np.searchsorted(self._common, self._random.uniform(least, 1.0, length))
        own = self._topic_words[topic, self._random.integers(_TOPIC_WORDS, size=length)]
        chosen = np.where(self._random.random(length) < 0.25, own, common)
        return " ".join(f"w{word}" for word in chosen)


def measure(chunks: int, questions: int, folder: Path) -> Figures:
    """Fill a database, then ask the same questions with and without the graph, filtered and not."""
    collection = Collection(chunks)
    engine = open_engine(f"sqlite:///{folder / 'benchmark.db'}")
    create_tables(engine)
    shelf = Shelf(engine, PreparedEmbedder({}))
    for number, (texts, vectors, audience) in enumerate(collection.documents(chunks)):
        shelf.put_vectors(f"d{number}", texts, vectors, audience=audience)
    prepared = collection.questions(questions)
    embedder = PreparedEmbedder(prepared)
    asked = [Question(text=text) for text in prepared]
    started = time.perf_counter()
    with Library.open(engine, embedder, None) as exact:
        loaded = time.perf_counter() - started
        wanted, exact_latency = _ask(exact, asked, _ALL, ("exact", "all"))
        _, filtered_latency = _ask(exact, asked, _PUBLIC_ONLY, ("exact", "4 in 5"))
    started = time.perf_counter()
    with Library.open(engine, embedder, folder / "index", RetrievalOptions(exact_search_below=1)) as graph:
        graph.wait_for_index(_BUILD_SECONDS)
        built = time.perf_counter() - started
        found, graph_latency = _ask(graph, asked, _ALL, ("hnsw", "all"))
    engine.dispose()
    shares = [len(one & other) / max(1, len(one)) for one, other in zip(wanted, found, strict=True)]
    return Figures(
        chunks=chunks,
        load_seconds=loaded,
        build_seconds=built,
        recall_at_10=mean(shares),
        latencies=(exact_latency, filtered_latency, graph_latency),
    )


def _ask(
    library: Library, questions: Sequence[Question], audience: Audience, how: tuple[str, str]
) -> tuple[list[set[int]], Latency]:
    for question in questions[:10]:
        library.retrieve(question, audience, 10)
    retrieved = [library.retrieve(question, audience, 10) for question in questions]
    times = [1_000 * (one.seconds.total - one.seconds.embed) for one in retrieved]
    latency = Latency(
        chunks=library.state.chunks,
        search=how[0],
        audience=how[1],
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        p99=percentile(times, 0.99),
        vectors_p50=percentile([1_000 * one.seconds.vectors for one in retrieved], 0.5),
        words_p50=percentile([1_000 * one.seconds.words for one in retrieved], 0.5),
    )
    return [{passage.id for passage in one.passages} for one in retrieved], latency


def main(arguments: Sequence[str]) -> None:
    """Measure each size and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    for chunks in chosen.chunks:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(chunks, chosen.questions, Path(folder))
        if chosen.json:
            print(json.dumps(asdict(figures)))
        else:
            _print(figures)


def _print(figures: Figures) -> None:
    print(
        f"{figures.chunks} chunks: loaded in {figures.load_seconds:.2f} s, HNSW built and checked in "
        f"{figures.build_seconds:.1f} s, recall@10 of its passages against exact {figures.recall_at_10:.4f}"
    )
    for row in figures.latencies:
        print(
            f"  {row.search:5} readable: {row.audience:6}  p50 {row.p50:6.2f}  p95 {row.p95:6.2f}  "
            f"p99 {row.p99:6.2f} ms  "
            f"(vectors {row.vectors_p50:.2f}, words {row.words_p50:.2f})"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
