"""`lorekeeper eval retrieval`: indexes a data set's corpus as the bot indexes documents, asks its questions with their
history through the one retrieval function, and compares the documents found with the judgements.

The index is kept in the data folder under the corpus's hash, so a second run embeds nothing.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bot.app import Progress, open_embedder, open_parser, query_side, retrieval_options
from bot.database import open_database
from bot.errors import MisuseError
from bot.evaluate.files import first_existing, read_rows, write_rows
from bot.evaluate.passages import GivenPassage, PassageSource, index_passages
from bot.settings import Settings
from knowledge.audience import Audience
from knowledge.document import HistoryTurn, Question
from knowledge.embed import Embedder
from knowledge.library import Library
from knowledge.measure import mean, ndcg_at, percentile, recall_at, reciprocal_rank
from knowledge.parse import Parser
from knowledge.query_side import QuerySide
from knowledge.retrieve import RetrievalOptions

TOP = 10
# A document is found through its best chunk: so many chunks hold ten documents even where long ones crowd the list.
_CHUNKS = 5 * TOP
_CORPUS = ("corpus.jsonl", "corpus.jsonl.xz")
_FOLDER = "eval"


@dataclass(frozen=True, kw_only=True)
class JudgedQuery:
    """A question with its history, and how relevant which documents are."""

    id: str
    question: Question
    gains: Mapping[str, float] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds of one retrieval."""

    p50: float
    p95: float
    p99: float
    embed_p50: float
    search_p50: float
    """Without embedding the question."""
    search_p95: float


@dataclass(frozen=True, kw_only=True)
class RetrievalReport:
    """The measures, means over the judged queries."""

    documents: int
    chunks: int
    queries: int
    ndcg_at_5: float
    ndcg_at_10: float
    recall_at_5: float
    recall_at_10: float
    mrr: float
    """Mean reciprocal rank within the top 10."""
    latency_seconds: Latency
    index_seconds: float
    embedder: str


@dataclass(frozen=True, kw_only=True)
class RetrievalParts:
    """What is searched with."""

    embedder: Embedder
    parser: Parser
    options: RetrievalOptions
    chunk_tokens: int
    folder: Path
    """Where indexes of corpora are kept between runs."""
    query_side: QuerySide | None = None
    """None: weighted history."""


@dataclass(frozen=True, kw_only=True)
class FoundQuery:
    """The documents found for a query, the best first, with their scores."""

    query: JudgedQuery = field(repr=False)
    documents: tuple[tuple[str, float], ...]
    seconds: float
    embed_seconds: float


def evaluate_retrieval(
    folder: Path,
    settings: Settings,
    *,
    run_file: Path | None = None,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> RetrievalReport:
    """Measure with the embedder, the parser and the options of the settings; see `measure_retrieval`."""
    with open_parser(settings.file) as parser:
        embedder = open_embedder(settings, None, progress=progress)
        parts = RetrievalParts(
            embedder=embedder,
            query_side=query_side(settings, embedder),
            parser=parser,
            options=retrieval_options(settings.file),
            chunk_tokens=settings.file.knowledge.chunk_tokens,
            folder=settings.home / _FOLDER,
        )
        return measure_retrieval(folder, parts, run_file=run_file, limit=limit, progress=progress)


def measure_retrieval(
    folder: Path,
    parts: RetrievalParts,
    *,
    run_file: Path | None = None,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> RetrievalReport:
    """Index the corpus, retrieve for every judged query, score. Raises MisuseError for files that cannot be used."""
    queries = list(islice(load_queries(folder), limit))
    if not queries:
        raise MisuseError(f"{folder} has no query with a judgement: check queries.jsonl against qrels.tsv.")
    database = parts.folder / _database_name(folder, parts.embedder.name, parts.chunk_tokens)
    engine = open_database(f"sqlite:///{database}")
    try:
        with Library.open(
            engine, parts.embedder, database.with_suffix(".index"), parts.options, query_side=parts.query_side
        ) as library:
            started = time.perf_counter()
            documents = load_corpus(folder)
            source = PassageSource(id="corpus", passages=documents)
            index_passages(library, source, parts.parser, chunk_tokens=parts.chunk_tokens, progress=progress)
            index_seconds = time.perf_counter() - started
            library.wait_for_index(timeout_seconds=600)
            found = list(_retrieve_all(library, queries, progress))
            chunks = library.state.chunks
    finally:
        engine.dispose()
    if run_file is not None:
        write_rows(run_file, [_run_row(item) for item in found])
    return _score(found, len(documents), chunks, index_seconds, parts.embedder.name)


def load_queries(folder: Path) -> Iterable[JudgedQuery]:
    """Read the queries that have a judgement."""
    judgements: dict[str, dict[str, float]] = {}
    path = first_existing(folder, "qrels.tsv")
    with path.open(encoding="utf-8", newline="") as lines:
        for number, cells in enumerate(csv.reader(lines, delimiter="\t"), 1):
            if number == 1 and cells[-1:] == ["score"]:
                continue
            try:
                query, document, gain = cells[0], cells[-2], float(cells[-1])
            except (IndexError, ValueError) as error:
                raise MisuseError(f"{path}, line {number}: expected query, document, score, got {cells!r}.") from error
            judgements.setdefault(query, {})[document] = gain
    queries = first_existing(folder, "queries.jsonl", "queries.jsonl.xz")
    for row in read_rows(queries):
        try:
            gains = judgements.get(str(row["_id"]), {})
            history = tuple(HistoryTurn(role=turn["role"], text=turn["text"]) for turn in row.get("history") or [])
            question = Question(text=row["text"], history=history)
        except (KeyError, TypeError) as error:
            raise MisuseError(
                f"{queries}: a row lacks or has a bad {error}; expected _id, text and history."
            ) from error
        if any(gain > 0 for gain in gains.values()):
            yield JudgedQuery(id=str(row["_id"]), question=question, gains=gains)


def load_corpus(folder: Path) -> list[GivenPassage]:
    """Read the passages that hold text."""
    path = first_existing(folder, *_CORPUS)
    return [
        GivenPassage(uri=str(row["_id"]), title=str(row.get("title") or ""), text=str(row.get("text") or ""))
        for row in read_rows(path)
        if str(row.get("text") or "").strip()
    ]


def _retrieve_all(library: Library, queries: list[JudgedQuery], progress: Progress) -> Iterable[FoundQuery]:
    for done, query in enumerate(queries):
        progress("Searching", done, len(queries))
        started = time.perf_counter()
        retrieved = library.retrieve(query.question, Audience.everyone(), _CHUNKS)
        seconds = time.perf_counter() - started
        best: dict[str, float] = {}
        for passage in retrieved.passages:
            best.setdefault(passage.uri, passage.score)
        documents = tuple(best.items())[:TOP]
        yield FoundQuery(query=query, documents=documents, seconds=seconds, embed_seconds=retrieved.seconds.embed)
    progress("Searching", len(queries), len(queries))


def _score(
    found: list[FoundQuery], documents: int, chunks: int, index_seconds: float, embedder: str
) -> RetrievalReport:
    ranked = [([document for document, _ in item.documents], item.query.gains) for item in found]
    seconds = [item.seconds for item in found]
    search = [item.seconds - item.embed_seconds for item in found]
    return RetrievalReport(
        documents=documents,
        chunks=chunks,
        queries=len(found),
        ndcg_at_5=mean([ndcg_at(ids, gains, 5) for ids, gains in ranked]),
        ndcg_at_10=mean([ndcg_at(ids, gains, 10) for ids, gains in ranked]),
        recall_at_5=mean([recall_at(ids, gains, 5) for ids, gains in ranked]),
        recall_at_10=mean([recall_at(ids, gains, 10) for ids, gains in ranked]),
        mrr=mean([reciprocal_rank(ids, gains) for ids, gains in ranked]),
        latency_seconds=Latency(
            p50=percentile(seconds, 0.5),
            p95=percentile(seconds, 0.95),
            p99=percentile(seconds, 0.99),
            embed_p50=statistics.median(item.embed_seconds for item in found),
            search_p50=percentile(search, 0.5),
            search_p95=percentile(search, 0.95),
        ),
        index_seconds=index_seconds,
        embedder=embedder,
    )


def corpus_database(folder: Path, settings: Settings, embedder: Embedder) -> Path:
    """Where the index of a corpus is kept under these settings."""
    return settings.home / _FOLDER / _database_name(folder, embedder.name, settings.file.knowledge.chunk_tokens)


def _database_name(folder: Path, embedder: str, chunk_tokens: int) -> str:
    """One index for each corpus text, embedder and chunk size."""
    with first_existing(folder, *_CORPUS).open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
    digest.update(json.dumps([embedder, chunk_tokens]).encode())
    return f"{digest.hexdigest()[:20]}.db"


def _run_row(item: FoundQuery) -> dict[str, object]:
    return {
        "query": item.query.id,
        "documents": [{"id": document, "score": round(value, 6)} for document, value in item.documents],
        "seconds": item.seconds,
    }
