from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading, writing
from knowledge.embed import Vectors
from knowledge.errors import EmbedderMismatchError
from knowledge.index import HnswIndex
from knowledge.snapshot import Snapshot, SnapshotReader
from knowledge.tables import create_tables, vector
from knowledge.vector_search import SnapshotSearch
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_engine("sqlite://")
    create_tables(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    return Shelf(engine, FakeEmbedder())


def read(reader: SnapshotReader, engine: sa.Engine) -> Snapshot:
    with reading(engine) as connection:
        reader.read(connection)
    return reader.snapshot


def reader() -> SnapshotReader:
    return SnapshotReader("fake", 64)


def fresh(engine: sa.Engine) -> Snapshot:
    return read(reader(), engine)


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two snapshots find the same: live ids, vectors and audiences."""

    def content(snapshot: Snapshot) -> list[tuple[int, bytes, str]]:
        names = snapshot.audience_names
        return [
            (int(snapshot.ids[row]), snapshot.vectors[row].tobytes(), names[snapshot.audiences[row]])
            for row in np.flatnonzero(snapshot.live)
        ]

    return content(one) == content(other)


def test_an_empty_database_is_an_empty_snapshot(engine: sa.Engine) -> None:
    assert fresh(engine).count == 0


def test_new_documents_are_added_and_older_snapshots_stay_as_they_were(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    shelf.put("a", "one", "two")
    before = read(reader_, engine)
    vectors = before.vectors.copy()
    for number in range(50):
        shelf.put(f"b{number}", f"text {number}")
    after = read(reader_, engine)
    assert (before.count, after.count) == (2, 52)
    np.testing.assert_array_equal(before.vectors, vectors)
    assert same(after, fresh(engine))


def test_nothing_is_read_where_nothing_changed(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "one")
    reader_ = reader()
    with reading(engine) as connection:
        assert reader_.read(connection)
        assert not reader_.read(connection)


def test_deleted_documents_vanish(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    documents = [shelf.put(f"d{number}", f"text {number}") for number in range(20)]
    read(reader_, engine)
    shelf.remove(documents[3])
    assert read(reader_, engine).count == 19
    for document in documents[5:15]:
        shelf.remove(document)
    compacted = read(reader_, engine)
    assert (compacted.count, len(compacted.ids)) == (9, 9)
    assert same(compacted, fresh(engine))


def test_as_many_added_as_deleted_is_still_noticed(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    first = shelf.put("a", "one")
    shelf.put("b", "two")
    read(reader_, engine)
    shelf.remove(first)
    shelf.put("c", "three")
    assert same(read(reader_, engine), fresh(engine))


def test_a_document_that_changes_hands_is_noticed(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    one, two = shelf.put("a", "one", audience="channel:C1"), shelf.put("b", "two", audience="channel:C2")
    read(reader_, engine)
    shelf.hand_over(one, "channel:C2")
    shelf.hand_over(two, "channel:C1")
    snapshot = read(reader_, engine)
    assert same(snapshot, fresh(engine))
    assert snapshot.ids[snapshot.readable(Audience.of_channel("C1"))].tolist() == [2]


def test_random_changes_always_end_in_the_same_snapshot_as_a_fresh_read(engine: sa.Engine, shelf: Shelf) -> None:
    random = np.random.default_rng(5)
    reader_, documents = reader(), list[int]()
    for step in range(150):
        action = random.choice(["put", "put", "remove", "hand over"])
        if action == "put" or not documents:
            documents.append(shelf.put(f"d{step}", *(f"text {step} {part}" for part in range(random.integers(0, 4)))))
        elif action == "remove":
            shelf.remove(documents.pop(random.integers(len(documents))))
        else:
            shelf.hand_over(documents[random.integers(len(documents))], f"channel:C{random.integers(3)}")
        if random.random() < 0.6:
            assert same(read(reader_, engine), fresh(engine))


def test_vectors_of_another_length_are_refused(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "one")
    with pytest.raises(EmbedderMismatchError, match=r"length 64 for fake, .* length 32: run `lorekeeper sync"):
        read(SnapshotReader("fake", 32), engine)


def test_chunks_that_get_their_vectors_late_are_found_then(engine: sa.Engine, shelf: Shelf) -> None:
    """A rebuild for another embedder may reach what could not be read again only at its end."""
    shelf.put("a", "one", "two")
    reader_ = SnapshotReader("other", 64)
    assert read(reader_, engine).count == 0
    Shelf(engine, FakeEmbedder("other")).put("b", "three")
    assert read(reader_, engine).count == 1
    with writing(engine) as connection:
        connection.execute(sa.update(vector).where(vector.c.embedder == "fake").values(embedder="other"))
    assert read(reader_, engine).count == 3


def graph_of(snapshot: Snapshot) -> HnswIndex:
    rows = snapshot.distinct()
    return HnswIndex.build(snapshot.ids[rows], snapshot.vectors[rows])


def search_all(search: SnapshotSearch, vector: Vectors, k: int) -> list[int]:
    hits = search.search(vector, k, search.snapshot.readable(Audience.everyone()))
    return [int(found) for found in hits.ids]


def test_a_graph_finds_what_came_after_it_and_hides_what_went(engine: sa.Engine, shelf: Shelf) -> None:
    embedder, reader_ = FakeEmbedder(), reader()
    documents = [shelf.put(f"d{number}", f"topic{number % 7} text {number}") for number in range(100)]
    graph = graph_of(read(reader_, engine))
    shelf.put("new", "topic3 text new")
    shelf.remove(documents[10])
    snapshot = read(reader_, engine)
    with_graph, exact = SnapshotSearch(snapshot, graph), SnapshotSearch(snapshot, None)
    for question in ("topic3 text new", "topic3 text 10", "topic5"):
        asked = embedder.embed([question])[0]
        assert search_all(with_graph, asked, 12) == search_all(exact, asked, 12)


def test_a_copy_is_found_when_the_text_in_the_graph_is_deleted(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    original, _ = shelf.put("a", "the very same words"), shelf.put("b", "the very same words")
    for number in range(10):
        shelf.put(f"c{number}", f"something else {number}")
    graph = graph_of(read(reader_, engine))
    assert len(graph.ids) == 11
    shelf.remove(original)
    search = SnapshotSearch(read(reader_, engine), graph)
    assert search_all(search, FakeEmbedder().embed(["the very same words"])[0], 1) == [2]


def test_a_filter_is_never_left_to_the_graph(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", *(f"text {number}" for number in range(50)))
    shelf.put("b", "text private", audience="person:U1")
    snapshot = fresh(engine)
    search = SnapshotSearch(snapshot, graph_of(snapshot))
    asked = FakeEmbedder().embed(["text private"])[0]
    mine = search.search(asked, 1, snapshot.readable(Audience.of_person("U1")))
    others = search.search(asked, 60, snapshot.readable(Audience.of_person("U2")))
    assert mine.ids.tolist() == [51]
    assert len(others) == 50
    assert 51 not in others.ids


def test_a_graph_is_stale_once_enough_came_or_went(engine: sa.Engine, shelf: Shelf) -> None:
    reader_ = reader()
    documents = [shelf.put(f"d{number}", f"text {number}") for number in range(100)]
    graph = graph_of(read(reader_, engine))
    assert not SnapshotSearch(reader_.snapshot, graph).graph_is_stale
    shelf.put("more", *(f"more {number}" for number in range(6)))
    assert SnapshotSearch(read(reader_, engine), graph).graph_is_stale
    graph = graph_of(reader_.snapshot)
    for document in documents[:25]:
        shelf.remove(document)
    assert SnapshotSearch(read(reader_, engine), graph).graph_is_stale
    assert SnapshotSearch(reader_.snapshot, None).graph_is_stale


def test_vectors_kept_as_float16_take_half_and_find_the_same(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("facts", *(f"fact number{number} about topic{number % 7}" for number in range(200)))
    full, half = reader(), SnapshotReader("fake", 64, np.float16)
    with reading(engine) as connection:
        full.read(connection)
        half.read(connection)
    assert half.snapshot.vectors.nbytes * 2 == full.snapshot.vectors.nbytes
    readable = full.snapshot.readable(Audience.everyone())
    for row in range(0, 200, 20):
        asked = full.snapshot.vectors[row].astype(np.float32)
        true = SnapshotSearch(full.snapshot, None).search(asked, 5, readable)
        found = SnapshotSearch(half.snapshot, None).search(asked, 5, readable)
        assert found.ids[0] == true.ids[0]
        np.testing.assert_allclose(found.scores, true.scores, atol=2e-3)
        graph = HnswIndex.build(half.snapshot.ids, half.snapshot.vectors, rows=half.snapshot.distinct())
        assert graph.search(asked, 1).ids[0] == true.ids[0]
