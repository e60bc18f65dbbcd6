"""Retrieval from some sources only: narrower than the audience, never wider, and as exact as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.audience import EVERYONE, Audience
from knowledge.database import open_engine, reading, writing
from knowledge.document import Passage, Question
from knowledge.embed import Vectors
from knowledge.library import Library
from knowledge.retrieve import RetrievalOptions
from knowledge.snapshot import SnapshotReader
from knowledge.tables import chunk, create_tables, document
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

AUDIENCES = (EVERYONE, "channel:C1", "person:U1")
SOURCES = ("s1", "s2", "s3")
SOON = RetrievalOptions(exact_search_below=50)


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    shelf = Shelf(engine, FakeEmbedder())
    for source_id in SOURCES:
        shelf.add_source(source_id, f"Shelf {source_id}")
    return shelf


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library of 300 passages: each source has some for each audience."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('mixed') / 'test.db'}")
    create_tables(engine)
    embedder = FakeEmbedder()
    shelf = Shelf(engine, embedder)
    for number in range(300):
        source_id, audience = SOURCES[number % 3], AUDIENCES[number // 3 % 3]
        shelf.add_source(source_id, source_id)
        text = f"fact number{number} about topic{number % 9}"
        shelf.put(f"d{number}", text, audience=audience, source_id=source_id)
    with Library.open(engine, embedder, None, SOON) as library:
        yield library
    engine.dispose()


def found(
    library: Library, question: str, sources: frozenset[str] | None, audience: Audience | None = None
) -> list[str]:
    passages = library.retrieve(Question(text=question), audience or Audience.everyone(), 10, sources=sources).passages
    return sorted(passage.text for passage in passages)


def origin(library: Library, passage: Passage) -> str:
    with reading(library.engine) as connection:
        query = sa.select(document.c.source_id).where(document.c.id == passage.document_id)
        return str(connection.scalar(query))


def test_only_the_named_sources_are_drawn_on(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "lunch is at noon")
    shelf.put("b", "lunch is at one", source_id="s2")
    with Library.open(engine, FakeEmbedder(), None) as library:
        assert found(library, "lunch", None) == ["lunch is at noon", "lunch is at one"]
        assert found(library, "lunch", frozenset({"s2"})) == ["lunch is at one"]
        assert found(library, "lunch", frozenset({"s1", "s2"})) == ["lunch is at noon", "lunch is at one"]
        assert found(library, "lunch", frozenset()) == []
        assert found(library, "lunch", frozenset({"gone"})) == []


def test_a_named_source_gives_nobody_what_they_may_not_read(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "salary of the leads", audience="channel:C1", source_id="s2")
    with Library.open(engine, FakeEmbedder(), None) as library:
        assert found(library, "salary", frozenset({"s2"})) == []
        assert found(library, "salary", frozenset({"s2"}), Audience.of_channel("C1")) == ["salary of the leads"]


def test_a_document_that_moved_to_another_source_is_not_returned_from_memory(engine: sa.Engine, shelf: Shelf) -> None:
    moved = shelf.put("a", "secret plan")
    with Library.open(engine, FakeEmbedder(), None) as library:
        assert found(library, "secret plan", frozenset({"s1"})) == ["secret plan"]
        with writing(engine) as connection:
            connection.execute(sa.update(document).where(document.c.id == moved).values(source_id="s2"))
        assert found(library, "secret plan", frozenset({"s1"})) == []


def test_sources_are_kept_in_step_with_what_is_added_and_removed(engine: sa.Engine, shelf: Shelf) -> None:
    random = np.random.default_rng(7)
    reader, documents = SnapshotReader("fake", 64), list[int]()
    for step in range(80):
        if documents and random.random() < 0.4:
            shelf.remove(documents.pop(random.integers(len(documents))))
        else:
            documents.append(shelf.put(f"d{step}", f"text {step}", source_id=SOURCES[random.integers(3)]))
        with reading(engine) as connection:
            reader.read(connection)
            joined = sa.select(chunk.c.id, document.c.source_id).join(document, document.c.id == chunk.c.document_id)
            expected = {row.id: row.source_id for row in connection.execute(joined)}
        snapshot = reader.snapshot
        rows = np.flatnonzero(snapshot.live)
        assert {int(snapshot.ids[row]): snapshot.source_ids[snapshot.sources[row]] for row in rows} == expected


def test_the_whole_of_the_sources_is_as_fast_as_no_filter(mixed: Library) -> None:
    reader = SnapshotReader("fake", 64)
    with reading(mixed.engine) as connection:
        reader.read(connection)
    audience = Audience(readable=frozenset(AUDIENCES))
    # The very same mask: the search takes the graph then, see SnapshotSearch.search.
    assert reader.snapshot.readable(audience, frozenset(SOURCES)) is reader.snapshot.live
    assert reader.snapshot.readable(audience, frozenset(SOURCES[:2])) is not reader.snapshot.live


@settings(max_examples=150, deadline=None)
@given(
    sources=st.none() | st.frozensets(st.sampled_from((*SOURCES, "gone"))),
    audiences=st.frozensets(st.sampled_from((*AUDIENCES, "channel:C9"))),
    topic=st.integers(0, 8),
    k=st.integers(1, 40),
)
def test_never_a_passage_outside_the_audience_or_the_sources(
    mixed: Library, sources: frozenset[str] | None, audiences: frozenset[str], topic: int, k: int
) -> None:
    audience = Audience(readable=audiences)
    passages = mixed.retrieve(Question(text=f"about topic{topic}"), audience, k, sources=sources).passages
    assert all(audience.may_read(passage.audience) for passage in passages)
    assert sources is None or all(origin(mixed, passage) in sources for passage in passages)


@settings(max_examples=40, deadline=None)
@given(source_id=st.sampled_from(SOURCES), number=st.integers(0, 299))
def test_the_nearest_of_a_source_are_all_found(mixed: Library, source_id: str, number: int) -> None:
    by_vectors = Library.open(mixed.engine, FakeEmbedder(), None, RetrievalOptions(word_weight=0.0))
    question = f"number{number} about topic{number % 9}"
    with by_vectors as library:
        retrieved = library.retrieve(Question(text=question), Audience.everyone(), 5, sources=frozenset({source_id}))
    assert [passage.id for passage in retrieved.passages] == nearest(mixed, source_id, retrieved.query_vector, 5)


def nearest(library: Library, source_id: str, vector: Vectors, k: int) -> list[int]:
    """What a comparison with every permitted passage finds."""
    embedder = FakeEmbedder()
    with reading(library.engine) as connection:
        rows = connection.execute(
            sa.select(chunk.c.id, chunk.c.text)
            .join(document, document.c.id == chunk.c.document_id)
            .where(document.c.source_id == source_id, document.c.audience == EVERYONE)
            .order_by(chunk.c.id)
        ).all()
    scores = embedder.embed([row.text for row in rows]) @ vector
    order = np.lexsort((np.asarray([row.id for row in rows]), -scores))[:k]
    return [rows[place].id for place in order]


def test_a_library_with_a_graph_finds_the_same(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    for number in range(240):
        shelf.put(f"d{number}", f"fact number{number} about topic{number % 9}", source_id=SOURCES[number % 3])
    with (
        Library.open(engine, FakeEmbedder(), None, SOON) as exact,
        Library.open(engine, FakeEmbedder(), tmp_path / "index", SOON) as graphed,
    ):
        assert graphed.wait_for_index(60)
        assert graphed.state.graph_chunks == 240
        for sources in (None, frozenset({"s1"}), frozenset({"s2", "s3"}), frozenset(SOURCES)):
            for number in (7, 44, 203):
                question = f"number{number} topic{number % 9}"
                assert found(graphed, question, sources) == found(exact, question, sources)
