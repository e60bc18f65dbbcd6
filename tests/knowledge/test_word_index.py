from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading
from knowledge.hits import Hits
from knowledge.snapshot import Snapshot, SnapshotReader
from knowledge.tables import create_tables
from knowledge.terms import Terms, split_words
from knowledge.word_index import WordIndex
from knowledge.word_reader import WordReader, tidied
from knowledge.words import search_words, weigh_words
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf
from tests.knowledge.word_oracle import bm25

# Words whose forms are themselves, so that the oracle needs no stemmer.
_WORDS = "ada bok cup dot elk fog gut hub ink jab kid lot map nut oak pub rug sun tub van".split()


class Shelved:
    """A small database with its snapshot and its words, and the chunks of it that still live."""

    def __init__(self, header_weight: float = 1.0) -> None:
        self.engine = open_engine("sqlite://")
        create_tables(self.engine)
        self.shelf = Shelf(self.engine, FakeEmbedder())
        self.snapshots = SnapshotReader("fake", 64)
        self.reader = WordReader(header_weight)
        self.chunks: dict[int, tuple[str, str]] = {}
        self._documents: dict[int, list[int]] = {}
        self._next = 1

    def put(self, header: str, *texts: str, audience: str = "everyone") -> int:
        document = self.shelf.put(f"d{self._next}", *texts, header=header, audience=audience)
        ids = list(range(self._next, self._next + len(texts)))
        self.chunks |= {chunk: (header, text) for chunk, text in zip(ids, texts, strict=True)}
        self._documents[document] = ids
        self._next += len(texts)
        return document

    def remove(self, document: int) -> None:
        self.shelf.remove(document)
        for chunk in self._documents.pop(document):
            del self.chunks[chunk]

    def read(self) -> tuple[Snapshot, WordIndex]:
        with reading(self.engine) as connection:
            self.snapshots.read(connection)
            missing = self.reader.missing(self.snapshots.snapshot)
            if len(missing):
                self.reader.read(connection, missing)
        return self.snapshots.snapshot, self.reader.index(self.snapshots.snapshot)

    def tidy(self) -> None:
        snapshot, _ = self.read()
        old = self.reader.segments
        self.reader.replace(old, tidied(old, snapshot))

    def expected(self, weights: dict[str, float], header_weight: float = 1.0) -> dict[int, float]:
        headers = [split_words(header) for header, _ in self.chunks.values()]
        texts = [split_words(text) for _, text in self.chunks.values()]
        return dict(zip(self.chunks, bm25(headers, texts, weights, header_weight), strict=True))

    def close(self) -> None:
        self.reader.close()
        self.engine.dispose()


@pytest.fixture
def shelved() -> Iterator[Shelved]:
    made = Shelved()
    yield made
    made.close()


def random_text(random: np.random.Generator, longest: int = 30) -> str:
    places = np.minimum(random.zipf(1.4, random.integers(1, longest)), len(_WORDS)) - 1
    return " ".join(_WORDS[place] for place in places)


def random_weights(random: np.random.Generator) -> dict[str, float]:
    chosen = random.choice(_WORDS, random.integers(1, 6), replace=False)
    return {str(word): float(random.choice([1.0, 0.3, 0.1])) for word in chosen}


def fill(shelved: Shelved, random: np.random.Generator, documents: int) -> list[int]:
    return [
        shelved.put(random_text(random, 5), *(random_text(random) for _ in range(random.integers(1, 5))))
        for _ in range(documents)
    ]


def assert_finds(hits: Hits, expected: dict[int, float], k: int) -> None:
    """The best scores, and each one the score of its chunk: equal scores may come in any order."""
    best = sorted((score for score in expected.values() if score > 0), reverse=True)[:k]
    np.testing.assert_allclose(hits.scores, best, rtol=1e-4)
    np.testing.assert_allclose(hits.scores, [expected[int(found)] for found in hits.ids], rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_it_ranks_as_plain_bm25_does(shelved: Shelved, seed: int) -> None:
    random = np.random.default_rng(seed)
    fill(shelved, random, 40)
    snapshot, index = shelved.read()
    for _ in range(20):
        weights = random_weights(random)
        assert_finds(index.search(weights, 7, snapshot.live), shelved.expected(weights), 7)


def test_words_in_headers_weigh_what_they_are_given() -> None:
    random = np.random.default_rng(3)
    shelved = Shelved(header_weight=2.5)
    fill(shelved, random, 40)
    snapshot, index = shelved.read()
    for _ in range(20):
        weights = random_weights(random)
        assert_finds(index.search(weights, 9, snapshot.live), shelved.expected(weights, 2.5), 9)
    shelved.close()


@pytest.mark.parametrize("seed", range(5))
def test_it_ranks_as_fts5_does(shelved: Shelved, seed: int) -> None:
    random = np.random.default_rng(seed)
    fill(shelved, random, 40)
    snapshot, index = shelved.read()
    for _ in range(20):
        text = " ".join(random.choice(_WORDS, 3, replace=False))
        with reading(shelved.engine) as connection:
            fts = search_words(connection, text, None)
        mine = index.search(weigh_words((text, 1.0)), len(fts) + 1, snapshot.live)
        scores = dict(zip(fts.ids.tolist(), fts.scores.tolist(), strict=True))
        assert_finds(mine, scores, len(fts) + 1)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 1.0])
def test_a_mask_hides_chunks_and_changes_no_score(shelved: Shelved, share: float) -> None:
    random = np.random.default_rng(11)
    fill(shelved, random, 60)
    snapshot, index = shelved.read()
    for _ in range(20):
        weights = random_weights(random)
        readable = random.random(len(snapshot.ids)) < share
        allowed = set(snapshot.ids[readable].tolist())
        expected = {chunk: score for chunk, score in shelved.expected(weights).items() if chunk in allowed}
        assert_finds(index.search(weights, 10, readable), expected, 10)


def test_any_order_of_adding_deleting_and_tidying_ends_in_the_same_ranking(shelved: Shelved) -> None:
    random = np.random.default_rng(8)
    documents = fill(shelved, random, 5)
    for _ in range(60):
        action = random.choice(["put", "put", "remove", "tidy"])
        if action == "put":
            documents += fill(shelved, random, 1)
        elif action == "remove" and documents:
            shelved.remove(documents.pop(random.integers(len(documents))))
        elif action == "tidy":
            shelved.tidy()
        if shelved.chunks and random.random() < 0.7:
            snapshot, index = shelved.read()
            weights = random_weights(random)
            assert index.count == len(shelved.chunks)
            assert_finds(index.search(weights, 10, snapshot.live), shelved.expected(weights), 10)


def test_an_index_still_answers_for_its_own_snapshot_when_newer_ones_exist(shelved: Shelved) -> None:
    old = shelved.put("", "elk in the fog")
    snapshot, index = shelved.read()
    shelved.remove(old)
    shelved.put("", "elk in the sun")
    shelved.read()
    assert index.search({"elk": 1.0}, 5, snapshot.live).ids.tolist() == [1]


def test_a_light_word_never_outweighs_a_heavy_one(shelved: Shelved) -> None:
    shelved.put("", "the elk ran", "the oak fell", "sun", "fog", "ink")
    snapshot, index = shelved.read()
    assert index.search({"elk": 0.2, "oak": 1.0}, 2, snapshot.live).ids.tolist() == [2, 1]
    assert index.search({"elk": 1.0, "oak": 0.2}, 2, snapshot.live).ids.tolist() == [1, 2]


def test_rarity_falls_with_the_live_chunks_that_hold_a_word(shelved: Shelved) -> None:
    shelved.put("", "the elk ran", "the oak fell", "the sun", "the fog")
    gone = shelved.put("", "an elk slept")
    assert shelved.read()[1].rarities(["the", "elk", "never"]) == pytest.approx(
        [np.log(1 + 1.5 / 4.5), np.log(1 + 3.5 / 2.5), np.log(1 + 5.5 / 0.5)], rel=1e-5
    )
    shelved.remove(gone)
    assert shelved.read()[1].rarities(["elk"]) == pytest.approx([np.log(1 + 3.5 / 1.5)], rel=1e-5)


def test_only_what_an_audience_may_read_is_found(shelved: Shelved) -> None:
    shelved.put("", "elk one")
    shelved.put("", "elk two", audience="channel:C1")
    snapshot, index = shelved.read()
    assert index.search({"elk": 1.0}, 5, snapshot.readable(Audience.everyone())).ids.tolist() == [1]


@pytest.mark.parametrize("weights", [{}, {"nowhere": 1.0}, {"elk": 0.0}])
def test_words_that_say_nothing_find_nothing(shelved: Shelved, weights: dict[str, float]) -> None:
    shelved.put("", "elk")
    snapshot, index = shelved.read()
    assert len(index.search(weights, 5, snapshot.live)) == 0


def fts5_terms(texts: Sequence[str]) -> list[list[str]]:
    with sa.create_engine("sqlite://").connect() as connection:
        run: Callable[..., Any] = connection.exec_driver_sql
        run("CREATE VIRTUAL TABLE w USING fts5(body, tokenize='porter unicode61')")
        run("CREATE VIRTUAL TABLE v USING fts5vocab(w, instance)")
        for row, text in enumerate(texts):
            run("INSERT INTO w(rowid, body) VALUES (?, ?)", (row, text))
        found = run("SELECT doc, term FROM v ORDER BY doc, offset").fetchall()
        return [[one[1] for one in found if one[0] == row] for row in range(len(texts))]


def test_words_have_the_forms_that_fts5_gives_them() -> None:
    texts = [
        "Descaling the ponies' TECHNOLOGY possibly, as is.",
        "Café Žižkov españa 30ms e-mail foo_bar ½ ²",
        "x" * 90,
    ]
    terms = Terms()
    try:
        split = [split_words(text) for text in texts]
        learned = terms.learn(split).tolist()
        for words, expected in zip(split, fts5_terms(texts), strict=True):
            assert terms.numbers(words) == terms.numbers(expected)
            assert len(words) == len(expected)
        assert learned == [number for words in split for number in terms.numbers(words)]
    finally:
        terms.close()


def test_asking_for_unknown_words_teaches_nothing() -> None:
    terms = Terms()
    terms.learn([["descaled"]])
    assert terms.numbers(["descaling", "espresso"]) == [0, None]
    assert len(terms) == 1
    terms.close()
