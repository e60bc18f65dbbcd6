"""What is known, ready to be searched: live vectors in memory, the newest HNSW generation, one retrieval.

Another process or thread may sync at any time: each retrieval first looks at SQL's revision number and reads
what changed.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading, writing
from knowledge.document import Question
from knowledge.embed import Embedder
from knowledge.errors import DatabaseError, EmbedderMismatchError, IndexFileError
from knowledge.generation import Generations, Manifest, described
from knowledge.index import BuildStoppedError, HnswIndex, graph_bytes
from knowledge.query_side import QuerySide, weighted_query_side
from knowledge.read_ahead import read_ahead
from knowledge.retrieve import RetrievalOptions, Retrieved, View, retrieve
from knowledge.snapshot import SnapshotReader
from knowledge.tables import chunk, create_tables
from knowledge.tables import generation as generation_table
from knowledge.tables import vector as vector_table
from knowledge.vector_search import SnapshotSearch
from knowledge.word_follower import WordFollower

logger = logging.getLogger(__name__)

_KEPT_GENERATIONS = 2
_KEPT_AS: dict[str, type[np.float32 | np.float16]] = {"float32": np.float32, "float16": np.float16}
# Measured with 100,000 chunks of 110 words: what is found by words takes about so much of each.
_WORD_BYTES = 1_500
# Ids, texts, places and flags of a chunk, and its signs for every 64 dimensions.
_ROW_BYTES, _SIGN_BYTES = 33, 8


@dataclass(frozen=True, kw_only=True)
class LibraryState:
    """What doctor and the home page say about the index."""

    chunks: int
    graph_chunks: int
    """Vectors in the HNSW generation in use; 0 while every search is exact."""
    problem: str
    """Why there is no generation although there should be one; empty where all is well."""


class Library:
    """Open with `Library.open`; every method but `close` may be called from several threads."""

    def __init__(
        self,
        engine: sa.Engine,
        embedder: Embedder,
        generations: Generations | None,
        options: RetrievalOptions,
        query_side: QuerySide | None = None,
        for_questions: bool = True,
    ) -> None:
        self._engine = engine
        self._embedder = embedder
        self._generations = generations
        self._options = options
        self._query_side = query_side or weighted_query_side(embedder, options.history)
        self._for_questions = for_questions
        self._reader = SnapshotReader(embedder.name, embedder.dim, _KEPT_AS[self._options.vectors])
        self._refreshing = threading.Lock()
        self._publishing = threading.Lock()
        self._closing = threading.Event()
        self._graph: HnswIndex | None = None
        self._newest_generation = 0
        self._newest = _newest_generation(embedder)
        self._words = WordFollower(engine, self._options.header_weight, self._use_words)
        self._view = self._see(None)
        self._indexer: threading.Thread | None = None
        self._ahead: threading.Thread | None = None
        self._problem = ""
        self._on_close = ExitStack()

    @classmethod
    def open(
        cls,
        engine: sa.Engine,
        embedder: Embedder,
        folder: Path | None,
        options: RetrievalOptions | None = None,
        *,
        query_side: QuerySide | None = None,
        for_questions: bool = True,
    ) -> Library:
        """Read the live vectors; the words and the generation in `folder` follow in the background.

        Without a folder there is no graph, without a query side weighted history reads the questions. Who asks none is
        spared the reading of the words. Raises EmbedderMismatchError where the stored vectors come from another
        embedder.
        """
        check_embedder(engine, embedder)
        generations = None if folder is None else Generations(folder)
        library = cls(engine, embedder, generations, options or RetrievalOptions(), query_side, for_questions)
        library.refresh()
        if library._generation_missing():
            library._index_in_background()
        return library

    @classmethod
    def in_memory(
        cls, embedder: Embedder, options: RetrievalOptions | None = None, *, query_side: QuerySide | None = None
    ) -> Library:
        """An empty library of its own, for one thread: ingest into its `engine`, retrieve, close."""
        engine = open_engine("sqlite://")
        create_tables(engine)
        library = cls.open(engine, embedder, None, options, query_side=query_side)
        library._on_close.callback(engine.dispose)
        return library

    @property
    def engine(self) -> sa.Engine:
        """The database behind it."""
        return self._engine

    @property
    def embedder(self) -> Embedder:
        """What turns questions into vectors."""
        return self._embedder

    @property
    def state(self) -> LibraryState:
        """How much is known and how it is searched."""
        search = self._view.search
        return LibraryState(chunks=search.snapshot.count, graph_chunks=search.graph_size, problem=self._problem)

    def retrieve(
        self, question: Question, audience: Audience, k: int, *, sources: frozenset[str] | None = None
    ) -> Retrieved:
        """Find up to `k` passages that this audience may read, best first; `sources`, ids, narrows where to look."""
        self.refresh()
        return retrieve(self._view, question, audience, k, sources)

    def refresh(self) -> None:
        """Read what any thread or process committed since the last look."""
        with self._refreshing:
            with reading(self._engine) as connection:
                changed = self._reader.read(connection)
                newest = connection.execute(self._newest).scalar() or 0
                if changed:
                    self._view = self._see(connection)
            published = newest > self._newest_generation
            self._newest_generation = max(newest, self._newest_generation)
        if published:
            self._index_in_background()

    def publish_if_due(self) -> bool:
        """Publish a new generation where the current one has fallen behind; returns whether it did.

        A failure is logged and shown in `state`: the vectors in SQL are whole, and search goes on exactly.
        """
        self.refresh()
        if self._generations is None or not self._is_large() or not self._view.search.graph_is_stale:
            return False
        try:
            return self._publish(self._generations)
        except (IndexFileError, DatabaseError) as error:
            self._problem = str(error)
            logger.warning("no new index generation: %s", error)
            return False
        except BuildStoppedError:
            return False

    def read_ahead(self) -> None:
        """Read passages for the second look in the background, until closed; for a process that stays."""
        match = self._query_side.match
        if self._ahead is None and match is not None and self._options.matched:
            work = (self._engine, match, self._closing)
            self._ahead = threading.Thread(target=read_ahead, args=work, name="read-ahead", daemon=True)
            self._ahead.start()

    def wait_for_words(self, timeout_seconds: float) -> bool:
        """Wait for the words that are read in the background; returns whether that has ended."""
        return self._words.wait(timeout_seconds)

    def wait_for_index(self, timeout_seconds: float) -> bool:
        """Wait for the index work in the background; returns whether it has ended."""
        indexer = self._indexer
        if indexer is not None:
            indexer.join(timeout_seconds)
        return indexer is None or not indexer.is_alive()

    def close(self) -> None:
        """End the background work and let go of the vectors."""
        self._closing.set()
        for thread in (self._indexer, self._ahead):
            if thread is not None:
                thread.join()
        self._words.close()
        self._reader, self._graph = (
            SnapshotReader(self._embedder.name, self._embedder.dim, _KEPT_AS[self._options.vectors]),
            None,
        )
        self._view = self._see(None)
        self._on_close.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_large(self) -> bool:
        return self._view.search.snapshot.count >= max(1, self._options.exact_search_below)

    def _generation_missing(self) -> bool:
        return self._generations is not None and self._newest_generation == 0 and self._is_large()

    def _index_in_background(self) -> None:
        if self._generations is None or self._closing.is_set():
            return
        before = self._indexer
        self._indexer = threading.Thread(
            target=self._index, args=(self._generations, before), name="lorekeeper-index", daemon=True
        )
        self._indexer.start()

    def _index(self, generations: Generations, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        try:
            if not self._load_newest(generations) and self._is_large():
                self._publish(generations)
        except BuildStoppedError:
            logger.info("the index is not finished; the next start builds it")
        except IndexFileError as error:
            self._problem = str(error)
            logger.warning("no index generation can be used, search goes on exactly: %s", error)
        except Exception as error:
            self._problem = str(error)
            logger.exception("no index generation could be made; search goes on exactly")

    def _load_newest(self, generations: Generations) -> bool:
        with reading(self._engine) as connection:
            manifests = _manifests(connection, self._embedder)
        for manifest in manifests:
            try:
                self._use(generations.load(manifest))
            except IndexFileError as error:
                logger.warning("an index generation was skipped: %s", error)
            else:
                return True
        return False

    def _publish(self, generations: Generations) -> bool:
        with self._publishing, generations.only_builder() as may_build:
            if not may_build:
                # What the other process publishes is taken up with the next look, as everything that others do.
                return False
            snapshot = self._view.search.snapshot
            rows = snapshot.distinct()
            index = HnswIndex.build(snapshot.ids, snapshot.vectors, rows=rows, stop=self._closing.is_set)
            manifest = generations.publish(index, self._embedder, int(snapshot.ids[-1]))
            with writing(self._engine) as connection:
                number, expired = _record(connection, manifest)
                known = {row.file for row in connection.execute(sa.select(generation_table.c.file))}
            with self._refreshing:
                self._newest_generation = max(number, self._newest_generation)
            generations.tidy(frozenset(known), expired)
        self._use(index)
        return True

    def _use(self, graph: HnswIndex) -> None:
        with self._refreshing:
            self._graph = graph
            self._view = replace(self._view, search=SnapshotSearch(self._reader.snapshot, graph))
            self._problem = ""

    def _use_words(self) -> None:
        with self._refreshing, reading(self._engine) as connection:
            self._view = replace(self._view, words=self._words.follow(connection, self._reader.snapshot))

    def _see(self, connection: sa.Connection | None) -> View:
        """The view of the newest snapshot; with words where there is a connection to read them from."""
        snapshot = self._reader.snapshot
        return View(
            engine=self._engine,
            embedder=self._embedder,
            options=self._options,
            query_side=self._query_side,
            search=SnapshotSearch(snapshot, self._graph),
            words=self._words.follow(connection, snapshot) if connection is not None and self._for_questions else None,
        )


@dataclass(frozen=True, kw_only=True)
class IndexMemory:
    """What a library takes in memory, in bytes: worked out from how much is stored, before it is opened."""

    chunks: int
    vectors: int
    graph: int
    words: int


def index_memory(engine: sa.Engine, options: RetrievalOptions) -> IndexMemory:
    """Work out what the stored chunks take once they are read."""
    dims = stored_embedders(engine) or {}
    dim = max(dims.values(), default=0)
    with reading(engine) as connection:
        chunks = connection.execute(sa.select(sa.func.count()).select_from(chunk)).scalar_one()
        texts = connection.execute(sa.select(sa.func.count(chunk.c.text_hash.distinct()))).scalar_one()
    width = np.dtype(_KEPT_AS[options.vectors]).itemsize
    return IndexMemory(
        chunks=chunks,
        vectors=chunks * (dim * width + -(-dim // 64) * _SIGN_BYTES + _ROW_BYTES),
        graph=texts * graph_bytes(dim) if chunks >= options.exact_search_below else 0,
        words=chunks * _WORD_BYTES,
    )


def stored_embedders(engine: sa.Engine) -> dict[str, int] | None:
    """Tell which embedders made the vectors of the newest chunk, with their lengths; None where there is no chunk."""
    with reading(engine) as connection:
        newest = connection.execute(sa.select(chunk.c.text_hash).order_by(chunk.c.id.desc()).limit(1)).scalar()
        made_by = sa.select(vector_table.c.embedder, sa.func.length(vector_table.c.vector)).where(
            vector_table.c.text_hash == newest
        )
        return None if newest is None else {name: size // 4 for name, size in connection.execute(made_by)}


def check_embedder(engine: sa.Engine, embedder: Embedder) -> None:
    """Raise EmbedderMismatchError where stored chunks have vectors of another embedder only."""
    dims = stored_embedders(engine)
    if dims is None or dims.get(embedder.name) == embedder.dim:
        return
    found = ", ".join(f"{name} ({dim})" for name, dim in sorted(dims.items())) or "an embedder that is not recorded"
    raise EmbedderMismatchError(
        f"The index was built with {found}, the settings ask for {embedder.name} ({embedder.dim}): "
        "run `lorekeeper sync --rebuild`."
    )


def _newest_generation(embedder: Embedder) -> sa.Select[int | None]:
    return sa.select(sa.func.max(generation_table.c.id)).where(*_made_by(embedder))


def _made_by(embedder: Embedder) -> list[sa.ColumnElement[bool]]:
    return [generation_table.c[name] == value for name, value in described(embedder).items()]


def _manifests(connection: sa.Connection, embedder: Embedder) -> list[Manifest]:
    columns = [generation_table.c[field.name] for field in fields(Manifest)]
    rows = connection.execute(sa.select(*columns).where(*_made_by(embedder)).order_by(generation_table.c.id.desc()))
    return [Manifest(**row) for row in rows.mappings()]


def _record(connection: sa.Connection, manifest: Manifest) -> tuple[int, list[str]]:
    values = {**asdict(manifest), "created_at": datetime.now(UTC)}
    added = connection.execute(sa.insert(generation_table).values(values).returning(generation_table.c.id)).scalar_one()
    newest = sa.select(generation_table.c.id).order_by(generation_table.c.id.desc()).limit(_KEPT_GENERATIONS)
    expired = connection.execute(
        sa.delete(generation_table).where(generation_table.c.id.not_in(newest)).returning(generation_table.c.file)
    )
    return added, list(expired.scalars())
