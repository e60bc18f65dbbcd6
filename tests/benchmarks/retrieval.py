"""How long a retrieval takes without embedding, at any size and for readers of any share, and what it misses.

    python -m tests.benchmarks.retrieval --chunks 1000 10000 100000 --plot retrieval.png
    python -m tests.benchmarks.retrieval --chunks 1000000 --words 30 --no-graph --vectors clapnq.npz

Each question goes through the way of today (words in memory; signs or the graph) and the way of before (words in FTS5;
comparing with every vector) in turn. Above `--sql-up-to` chunks there is no database: vectors and words alone are
searched. The old way and the exact search read all vectors between two of today's searches; "alone" is today's way
after itself, as in service. The collection is made up, around real vectors where a file of them (`vectors`) is given.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import psutil
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading
from knowledge.document import Question
from knowledge.embed import Role, Vectors
from knowledge.hits import Hits, Mask
from knowledge.index import ExactIndex, HnswIndex
from knowledge.measure import mean, percentile
from knowledge.query_side import weighted_query_side
from knowledge.retrieve import RetrievalOptions, View, retrieve
from knowledge.signs import SignCodes, sign_words
from knowledge.snapshot import Snapshot, SnapshotReader
from knowledge.tables import create_tables
from knowledge.vector_search import SnapshotSearch
from knowledge.word_index import WordIndex
from knowledge.word_reader import WordReader, tidied
from knowledge.words import weigh_words
from tests.benchmarks.made_up import DIM, Collection, audience_name, store
from tests.benchmarks.retrieval_plot import draw
from tests.knowledge.fake_embedder import FakeEmbedder

_EMBEDDER = "prepared"
_K, _DEPTH = 10, 100
_MEGABYTE = 1 << 20
_Found = TypeVar("_Found")


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds: of the clock, and of this thread's own work, which other programs disturb less."""

    p50: float
    p95: float
    work_p50: float
    work_p95: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """What readers of one share wait for."""

    share: float
    vectors: Times
    words: Times
    whole: Times
    """The whole retrieval; without a database the two searches."""
    before: Times
    alone: Times
    """The whole retrieval once more, one after the other."""
    ratio: float
    """Median of before over today for the same question, own work."""
    recall_at_10: float
    """Of the vector search, against comparing with every vector."""
    recall_at_100: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one collection size showed."""

    chunks: int
    sql: bool
    graph: int
    load_seconds: float
    words_seconds: float
    graph_seconds: float
    word_bytes: float
    """Of the segments, for each chunk."""
    resident_megabytes: float
    rows: tuple[Row, ...]


class PreparedEmbedder(FakeEmbedder):
    """Knows the vectors of its questions beforehand, so that no time is spent on making them."""

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        super().__init__(_EMBEDDER, DIM)
        self._vectors = vectors

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """Look the vectors up."""
        return np.stack([self._vectors[text] for text in texts])


class ScannedSearch(SnapshotSearch):
    """The way of before: compare with every vector."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot, None)
        self._exact = ExactIndex(snapshot.ids, snapshot.vectors)

    def search(self, vector: Vectors, k: int, readable: Mask) -> Hits:
        """Find the `k` nearest, exactly."""
        return self._exact.search(vector, k, readable)


class Stopwatch:
    """Times of one kind of work, call by call."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.work: list[float] = []

    def time(self, call: Callable[[], _Found]) -> _Found:
        """Call and time it."""
        clock, work = time.perf_counter(), time.thread_time()
        found = call()
        self.work.append(1_000 * (time.thread_time() - work))
        self.clock.append(1_000 * (time.perf_counter() - clock))
        return found

    @property
    def times(self) -> Times:
        """What was seen."""
        return Times(
            p50=percentile(self.clock, 0.5),
            p95=percentile(self.clock, 0.95),
            work_p50=percentile(self.work, 0.5),
            work_p95=percentile(self.work, 0.95),
        )


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to measure."""

    questions: int
    shares: tuple[float, ...]
    words: int
    sql_up_to: int
    graph: bool
    vectors: Path | None
    float16: bool = False
    """Search vectors kept as float16; what is true is said by float32 all the same."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A collection ready to be searched, and how long that took."""

    snapshot: Snapshot
    exact: Snapshot
    """The same vectors as float32."""
    reader: WordReader
    engine: sa.Engine | None
    load_seconds: float
    words_seconds: float


def measure(chunks: int, options: Options, folder: Path) -> Figures:
    """Make a collection, then ask the same questions in the name of readers of each share."""
    collection = Collection(chunks, options.shares, options.words, options.vectors)
    loaded = (
        _load_sql(collection, folder, float16=options.float16) if chunks <= options.sql_up_to else _load(collection)
    )
    prepared = collection.questions(options.questions)
    words = loaded.reader.index(loaded.snapshot)
    started, graph = time.perf_counter(), None
    if options.graph:
        rows = loaded.snapshot.distinct()
        graph = HnswIndex.build(loaded.snapshot.ids, loaded.snapshot.vectors, rows=rows)
    graph_seconds = time.perf_counter() - started
    if graph is not None:
        graph.fit()
    searches = SnapshotSearch(loaded.snapshot, graph), ScannedSearch(loaded.exact)
    measured = []
    for share in collection.shares:
        asked = Asked(prepared=prepared, audience=collection.reader_of(share), share=share)
        measured.append(_ask(loaded, searches, words, asked))
    if loaded.engine is not None:
        loaded.engine.dispose()
    return Figures(
        chunks=chunks,
        sql=loaded.engine is not None,
        graph=searches[0].graph_size,
        load_seconds=loaded.load_seconds,
        words_seconds=loaded.words_seconds,
        graph_seconds=graph_seconds,
        word_bytes=sum(segment.size for segment in loaded.reader.segments) / chunks,
        resident_megabytes=psutil.Process().memory_info().rss / _MEGABYTE,
        rows=tuple(measured),
    )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Questions with their vectors, in the name of somebody who may read a share."""

    prepared: dict[str, Vectors]
    audience: Audience
    share: float


def _load_sql(collection: Collection, folder: Path, *, float16: bool) -> Loaded:
    engine = open_engine(f"sqlite:///{folder / 'benchmark.db'}")
    create_tables(engine)
    store(collection, engine, _EMBEDDER)
    started, snapshots = time.perf_counter(), SnapshotReader(_EMBEDDER, DIM, np.float16 if float16 else np.float32)
    with reading(engine) as connection:
        snapshots.read(connection)
    exact = snapshots
    loaded_seconds = time.perf_counter() - started
    if float16:
        exact = SnapshotReader(_EMBEDDER, DIM)
        with reading(engine) as connection:
            exact.read(connection)
    loaded, reader = time.perf_counter(), WordReader(header_weight=1.0)
    reader.replace((), reader.read_missing(engine, snapshots.snapshot, lambda: False))
    done = time.perf_counter()
    return Loaded(
        snapshot=snapshots.snapshot,
        exact=exact.snapshot,
        reader=reader,
        engine=engine,
        load_seconds=loaded_seconds,
        words_seconds=done - loaded,
    )


def _load(collection: Collection) -> Loaded:
    vectors, codes = np.empty((collection.chunks, DIM), np.float32), list[npt.NDArray[np.uint64]]()
    parts, reader, done, seconds = list[npt.NDArray[np.int64]](), WordReader(header_weight=1.0), 0, 0.0
    for batch in collection.batches():
        ids = np.arange(done, done + len(batch.parts), dtype=np.int64)
        vectors[ids] = batch.vectors
        mean_ = vectors[: min(2_000, len(batch.parts))].mean(axis=0)
        codes.append(sign_words(batch.vectors, mean_))
        parts.append(batch.parts)
        texts = [collection.text(words) for words in batch.words]
        started = time.perf_counter()
        reader.replace((), (reader.make_segment(ids, [""] * len(ids), texts),))
        seconds += time.perf_counter() - started
        done += len(ids)
    snapshot = _made_snapshot(
        vectors, SignCodes(mean=mean_, words=np.concatenate(codes, axis=1)), np.concatenate(parts)
    )
    started, pieces = time.perf_counter(), reader.segments
    reader.replace(pieces, tidied(pieces, snapshot))
    seconds += time.perf_counter() - started
    return Loaded(
        snapshot=snapshot, exact=snapshot, reader=reader, engine=None, load_seconds=0.0, words_seconds=seconds
    )


def _made_snapshot(vectors: Vectors, codes: SignCodes, parts: npt.NDArray[np.int64]) -> Snapshot:
    ids = np.arange(len(vectors), dtype=np.int64)
    return Snapshot(
        ids=ids,
        vectors=vectors,
        codes=codes,
        texts=ids,
        audiences=parts.astype(np.int32),
        audience_names=tuple(map(audience_name, range(int(parts.max()) + 1))),
        sources=np.zeros(len(ids), np.int32),
        source_ids=("s1",),
        live=np.ones(len(ids), np.bool_),
    )


def _ask(loaded: Loaded, searches: tuple[SnapshotSearch, ScannedSearch], words: WordIndex, asked: Asked) -> Row:
    near, worded, whole, before, alone = Stopwatch(), Stopwatch(), Stopwatch(), Stopwatch(), Stopwatch()
    shares_of_10, shares_of_100 = list[float](), list[float]()
    today, scanned = searches
    for text, vector in asked.prepared.items():
        readable = loaded.snapshot.readable(asked.audience)
        mine = near.time(partial(today.search, vector, _DEPTH, readable))
        true = scanned.search(vector, _DEPTH, readable)
        worded.time(partial(words.search, weigh_words((text, 1.0)), _DEPTH, readable))
        shares_of_10.append(_shared(mine.first(_K), true.first(_K)))
        shares_of_100.append(_shared(mine, true))
        whole.time(partial(_retrieve, loaded, today, words, asked, text))
        before.time(partial(_retrieve, loaded, scanned, None, asked, text))
    for text in asked.prepared:
        alone.time(partial(_retrieve, loaded, today, words, asked, text))
    return Row(
        share=asked.share,
        vectors=near.times,
        words=worded.times,
        whole=whole.times,
        before=before.times,
        alone=alone.times,
        ratio=percentile([old / new for old, new in zip(before.work, whole.work, strict=True)], 0.5),
        recall_at_10=mean(shares_of_10),
        recall_at_100=mean(shares_of_100),
    )


def _retrieve(loaded: Loaded, search: SnapshotSearch, words: WordIndex | None, asked: Asked, text: str) -> None:
    if loaded.engine is None:
        readable = loaded.snapshot.readable(asked.audience)
        search.search(asked.prepared[text], _DEPTH, readable)
        if words is not None:
            words.search(weigh_words((text, 1.0)), _DEPTH, readable)
        return
    embedder = PreparedEmbedder(asked.prepared)
    options = RetrievalOptions()
    view = View(
        engine=loaded.engine,
        embedder=embedder,
        options=options,
        query_side=weighted_query_side(embedder, options.history),
        search=search,
        words=words,
    )
    retrieve(view, Question(text=text), asked.audience, _K)


def _shared(found: Hits, true: Hits) -> float:
    return len(np.intersect1d(found.ids, true.ids)) / len(true) if len(true) else 1.0


def main(arguments: Sequence[str]) -> None:
    """Measure each size and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--selectivity", type=float, nargs="+", default=[0.001, 0.01, 0.1, 0.5, 0.99, 1.0])
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--words", type=int, default=110, help="words of a chunk")
    parser.add_argument("--sql-up-to", type=int, default=100_000)
    parser.add_argument("--no-graph", action="store_true")
    parser.add_argument("--float16", action="store_true", help="keep vectors as float16, with a database only")
    parser.add_argument("--vectors", type=Path, help="an .npz file with real vectors")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, help="draw latency and memory against size into this file")
    chosen = parser.parse_args(arguments)
    options = Options(
        questions=chosen.questions,
        shares=tuple(chosen.selectivity),
        words=chosen.words,
        sql_up_to=chosen.sql_up_to,
        graph=not chosen.no_graph,
        vectors=chosen.vectors,
        float16=chosen.float16,
    )
    measured = []
    for chunks in chosen.chunks:
        with tempfile.TemporaryDirectory() as folder:
            measured.append(measure(chunks, options, Path(folder)))
        print(json.dumps(asdict(measured[-1])) if chosen.json else _table(measured[-1]), flush=True)
    if chosen.plot:
        draw([asdict(figures) for figures in measured], chosen.plot)


def _table(figures: Figures) -> str:
    head = (
        f"{figures.chunks} chunks ({'with' if figures.sql else 'without'} a database): vectors loaded in "
        f"{figures.load_seconds:.1f} s, words in {figures.words_seconds:.1f} s, graph of {figures.graph} in "
        f"{figures.graph_seconds:.0f} s; words {figures.word_bytes:.0f} B a chunk, resident "
        f"{figures.resident_megabytes:.0f} MB\n"
        "readable  recall@10, @100   whole, ms: clock p50 p95  work p50 p95   vectors  words   before: work p50 p95  "
        "ratio   alone: clock p50 p95"
    )
    return "\n".join((head, *map(_line, figures.rows)))


def _line(row: Row) -> str:
    whole, before = row.whole, row.before
    return (
        f"{row.share:8.1%}  {row.recall_at_10:8.4f}  {row.recall_at_100:.4f}  {whole.p50:15.2f} {whole.p95:6.2f} "
        f"{whole.work_p50:9.2f} {whole.work_p95:5.2f} {row.vectors.work_p50:8.2f} {row.words.work_p50:6.2f} "
        f"{before.work_p50:14.2f} {before.work_p95:6.2f} {row.ratio:8.1f}  {row.alone.p50:8.2f} {row.alone.p95:6.2f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
