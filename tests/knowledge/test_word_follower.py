from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Question
from knowledge.library import Library
from knowledge.retrieve import RetrievalOptions
from knowledge.snapshot import SnapshotReader
from knowledge.word_follower import WordFollower
from knowledge.word_index import WordIndex
from knowledge.word_reader import READ_AT_ONCE
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

MANY = READ_AT_ONCE + 50
WORDS_ALONE = RetrievalOptions(word_weight=1.0)


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    return Shelf(engine, FakeEmbedder())


def put_many(shelf: Shelf, name: str, count: int = MANY) -> int:
    return shelf.put(name, *(f"{name} number{number}" for number in range(count)))


class Followed:
    """A follower with a snapshot reader beside it, as the library has them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._snapshots = SnapshotReader("fake", 64)
        self.ready = threading.Event()
        self.follower = WordFollower(engine, 1.0, self.ready.set)

    def follow(self) -> WordIndex | None:
        with reading(self._engine) as connection:
            self._snapshots.read(connection)
            return self.follower.follow(connection, self._snapshots.snapshot)

    def found(self, word: str) -> list[int]:
        index = self.follow()
        assert index is not None
        hits = index.search({word: 1.0}, 10, self._snapshots.snapshot.live)
        return [int(one) for one in hits.ids]


@pytest.fixture
def followed(engine: sa.Engine) -> Iterator[Followed]:
    made = Followed(engine)
    yield made
    made.follower.close()


def test_a_few_new_chunks_are_there_at_once(shelf: Shelf, followed: Followed) -> None:
    shelf.put("a", "one elk")
    assert followed.found("elk") == [1]
    shelf.put("b", "another elk")
    assert sorted(followed.found("elks")) == [1, 2]


def test_many_new_chunks_are_read_in_the_background(shelf: Shelf, followed: Followed) -> None:
    put_many(shelf, "elk")
    assert followed.follow() is None
    assert followed.ready.wait(60)
    assert followed.found("number7") == [8]


def test_no_index_stands_while_many_chunks_are_missing_and_all_of_them_come(shelf: Shelf, followed: Followed) -> None:
    shelf.put("a", "one elk")
    assert followed.found("elk") == [1]
    put_many(shelf, "oak")
    assert followed.follow() is None
    assert followed.ready.wait(60)
    assert followed.found("number9") == [11]
    assert followed.found("elk") == [1]


def test_many_small_additions_and_deletions_are_put_together(shelf: Shelf, followed: Followed) -> None:
    documents = []
    for number in range(40):
        documents.append(shelf.put(f"d{number}", f"elk number{number}"))
        assert followed.found(f"number{number}") == [number + 1]
        if number % 3 == 0:
            shelf.remove(documents[number // 2])
    assert followed.follower.wait(60)
    index = followed.follow()
    assert index is not None
    assert index.count == 40 - 14
    assert followed.found("number39") == [40]


def test_a_closed_follower_ends_its_reading(shelf: Shelf, followed: Followed) -> None:
    put_many(shelf, "elk", 2_000)
    assert followed.follow() is None
    followed.follower.close()
    assert followed.follower.wait(0)


def test_reading_that_fails_leaves_the_word_index_in_sql(
    shelf: Shelf, followed: Followed, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine is gone while the thread reads: nothing half read is ever used."""
    put_many(shelf, "elk")
    with caplog.at_level(logging.CRITICAL), reading(engine) as connection:
        snapshots = SnapshotReader("fake", 64)
        snapshots.read(connection)
        broken = WordFollower(sa.create_engine("sqlite:////nowhere/at/all.db"), 1.0, followed.ready.set)
        assert broken.follow(connection, snapshots.snapshot) is None
        assert broken.wait(60)
        assert not followed.ready.is_set()
    broken.close()


def texts(library: Library, question: str) -> list[str]:
    return [one.text for one in library.retrieve(Question(text=question), Audience.everyone(), 3).passages]


def test_a_question_finds_the_same_before_and_after_the_words_are_in_memory(shelf: Shelf, engine: sa.Engine) -> None:
    put_many(shelf, "elk")
    with (
        Library.open(engine, FakeEmbedder(), None, WORDS_ALONE, for_questions=False) as in_sql,
        Library.open(engine, FakeEmbedder(), None, WORDS_ALONE) as in_memory,
    ):
        assert texts(in_memory, "number17")[0] == "elk number17"
        assert in_memory.wait_for_words(60)
        for question in ("number17", "elks number3", "nowhere"):
            assert texts(in_memory, question) == texts(in_sql, question)


def test_headers_can_weigh_more(shelf: Shelf, engine: sa.Engine) -> None:
    shelf.put("a", "elk elk oak", "fog")
    shelf.put("b", "oak sun ink", header="elk")
    shelf.put("c", "tub", "van", "map")
    for weight, first in ((1.0, "elk elk oak"), (20.0, "oak sun ink")):
        options = RetrievalOptions(word_weight=1.0, header_weight=weight)
        with Library.open(engine, FakeEmbedder(), None, options) as library:
            assert texts(library, "elk")[0] == first
