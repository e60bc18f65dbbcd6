from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading
from knowledge.index import ExactIndex, HnswIndex
from knowledge.snapshot import Snapshot, SnapshotReader
from knowledge.tables import create_tables
from knowledge.vector_search import SnapshotSearch
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_engine("sqlite://")
    create_tables(engine)
    yield engine
    engine.dispose()


def read(engine: sa.Engine, reader: SnapshotReader) -> Snapshot:
    with reading(engine) as connection:
        reader.read(connection)
    return reader.snapshot


def graph_of(snapshot: Snapshot) -> HnswIndex:
    rows = snapshot.distinct()
    return HnswIndex.build(snapshot.ids[rows], snapshot.vectors[rows])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.6, 0.95, 1.0])
def test_any_readable_share_finds_what_exact_search_finds(engine: sa.Engine, share: float) -> None:
    shelf, reader, random = Shelf(engine, FakeEmbedder()), SnapshotReader("fake", 64), np.random.default_rng(2)
    shelf.put("old", *(f"topic{number % 11} text {number}" for number in range(400)))
    graph = graph_of(read(engine, reader))
    shelf.put("new", *(f"topic{number % 11} more {number}" for number in range(15)))
    snapshot = read(engine, reader)
    search, exact = SnapshotSearch(snapshot, graph), ExactIndex(snapshot.ids, snapshot.vectors)
    for number in range(20):
        readable = random.random(len(snapshot.ids)) < share
        asked = FakeEmbedder().embed([f"topic{number % 11} text {number * 17}"])[0]
        found, true = search.search(asked, 10, readable), exact.search(asked, 10, readable)
        assert readable[snapshot.rows(found.ids)].all()
        np.testing.assert_allclose(found.scores, true.scores, atol=1e-5)


def test_a_readable_copy_is_found_where_the_text_in_the_graph_is_hidden(engine: sa.Engine) -> None:
    shelf, reader = Shelf(engine, FakeEmbedder()), SnapshotReader("fake", 64)
    shelf.put("hidden", "the very same words", audience="person:U1")
    shelf.put("open", "the very same words", *(f"something else {number}" for number in range(40)))
    snapshot = read(engine, reader)
    search = SnapshotSearch(snapshot, graph_of(snapshot))
    asked = FakeEmbedder().embed(["the very same words"])[0]
    assert search.search(asked, 3, snapshot.readable(Audience.everyone())).ids[0] == 2


def test_what_a_question_is_about_may_be_hidden_altogether(engine: sa.Engine) -> None:
    """Then none of the graph's nearest may be shown, and the next best are found all the same."""
    shelf, reader = Shelf(engine, FakeEmbedder()), SnapshotReader("fake", 64)
    shelf.put("hidden", *(f"salary letter {number}" for number in range(60)), audience="person:U1")
    shelf.put("open", *(f"lunch menu {number}" for number in range(100)))
    snapshot = read(engine, reader)
    search = SnapshotSearch(snapshot, graph_of(snapshot))
    asked = FakeEmbedder().embed(["salary letter"])[0]
    found = search.search(asked, 10, snapshot.readable(Audience.everyone()))
    true = ExactIndex(snapshot.ids, snapshot.vectors).search(asked, 10, snapshot.readable(Audience.everyone()))
    np.testing.assert_allclose(found.scores, true.scores, atol=1e-5)
