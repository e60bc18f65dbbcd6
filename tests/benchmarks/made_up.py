"""A made-up collection of any size: words by Zipf's law, vectors around topics or around real ones, audiences.

The audiences cut the collection into parts, so that readers of the first few see a tenth of a percent, a percent and
so on of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import writing
from knowledge.embed import Vectors
from knowledge.tables import chunk, document, source, vector

DIM = 384
_VOCABULARY = 40_000
_TOPICS = 200
_TOPIC_WORDS = 60
# What 388 real questions have left without their stop words: four words on average; a few more, to be on the safe side.
_QUESTION_WORDS = 6
# The commonest made-up words stand for stop words, which a search leaves out.
_STOP_WORDS = 120
_DOCUMENT_CHUNKS = 12
_BATCH = 6_000
_NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
# A mixture's vectors lie about .82 near to the real ones they are made from, a question's about .64.
_CHUNK_NOISE, _QUESTION_NOISE = 0.7, 1.2

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some chunks of the collection."""

    words: Numbers
    """Word numbers, one row a chunk."""
    vectors: Vectors
    parts: Numbers
    """The audience of each chunk; that of a document's chunks is the same."""


class Collection:
    """The same for the same size and the same real vectors."""

    def __init__(self, chunks: int, shares: tuple[float, ...], chunk_words: int, real: Path | None) -> None:
        self.chunks, self.chunk_words = chunks, chunk_words
        self.shares = tuple(sorted(shares))
        self._random = np.random.default_rng(chunks)
        self._around = self._topics() if real is None else np.asarray(np.load(real)["vectors"], np.float32)
        self._topic_words = self._random.integers(500, _VOCABULARY, (len(self._around), _TOPIC_WORDS), np.int32)
        weights = 1.0 / np.arange(1, _VOCABULARY + 1)
        self._common = np.cumsum(weights / weights.sum())
        self._names = np.asarray([f"w{number}" for number in range(_VOCABULARY)], object)

    def batches(self) -> Iterator[Batch]:
        """All chunks."""
        for start in range(0, self.chunks, _BATCH):
            count = min(_BATCH, self.chunks - start)
            documents = -(-count // _DOCUMENT_CHUNKS)
            topics = np.repeat(self._random.integers(len(self._around), size=documents), _DOCUMENT_CHUNKS)[:count]
            parts = np.searchsorted(self.shares, self._random.random(documents))
            yield Batch(
                words=self._words(topics, self.chunk_words, 0),
                vectors=self._near(topics, _CHUNK_NOISE),
                parts=np.repeat(parts, _DOCUMENT_CHUNKS)[:count],
            )

    def questions(self, count: int) -> dict[str, Vectors]:
        """Questions with their vectors."""
        topics = self._random.integers(len(self._around), size=count)
        texts = map(self.text, self._words(topics, _QUESTION_WORDS, _STOP_WORDS))
        return dict(zip(texts, self._near(topics, _QUESTION_NOISE), strict=True))

    def text(self, words: Numbers) -> str:
        """Words as they are written."""
        return " ".join(self._names[words])

    def reader_of(self, share: float) -> Audience:
        """Who may read this share of it."""
        return Audience(readable=frozenset(map(audience_name, range(self.shares.index(share) + 1))))

    def _topics(self) -> Vectors:
        topics = self._random.standard_normal((_TOPICS, DIM))
        return np.asarray(topics / np.linalg.norm(topics, axis=1, keepdims=True), np.float32)

    def _near(self, topics: Numbers, noise: float) -> Vectors:
        around = self._around[topics]
        vectors = around + noise / np.sqrt(DIM) * self._random.standard_normal(around.shape, np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _words(self, topics: Numbers, length: int, rarer_than: int) -> Numbers:
        shape = (len(topics), length)
        least = self._common[rarer_than - 1] if rarer_than else 0.0
        common = np.searchsorted(self._common, self._random.uniform(least, 1.0, shape))
        own = self._topic_words[topics[:, np.newaxis], self._random.integers(_TOPIC_WORDS, size=shape)]
        return np.where(self._random.random(shape) < 0.25, own, common).astype(np.int64)


def audience_name(part: int) -> str:
    """The audience of a part."""
    return f"channel:C{part}"


def store(collection: Collection, engine: sa.Engine, embedder: str) -> None:
    """Write the collection into a database, in large transactions."""
    with writing(engine) as connection:
        row = {"id": "s1", "kind": "files", "name": "Made up", "location": "/s1", "audience": "everyone"}
        connection.execute(sa.insert(source).values(row | {"added_at": _NOW}))
    number = 0
    for batch in collection.batches():
        texts = [collection.text(words) for words in batch.words]
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        with writing(engine) as connection:
            for start in range(0, len(texts), _DOCUMENT_CHUNKS):
                number += 1
                connection.execute(sa.insert(document).values(_document(number, int(batch.parts[start]))))
                these = slice(start, start + _DOCUMENT_CHUNKS)
                connection.execute(sa.insert(chunk), _chunks(number, texts[these], hashes[these]))
            blobs = [np.asarray(one, "<f4").tobytes() for one in batch.vectors]
            connection.execute(
                sa.insert(vector).prefix_with("OR IGNORE"),
                [
                    {"text_hash": text_hash, "embedder": embedder, "vector": blob}
                    for text_hash, blob in zip(hashes, blobs, strict=True)
                ],
            )


def _document(number: int, part: int) -> dict[str, object]:
    name = f"d{number}"
    named = {"id": number, "source_id": "s1", "uri": name, "title": name, "content_hash": name}
    return named | {"audience": audience_name(part), "modified_at": _NOW, "synced_at": _NOW}


def _chunks(document_id: int, texts: list[str], hashes: list[str]) -> list[dict[str, object]]:
    return [
        {"document_id": document_id, "ordinal": ordinal, "header": "", "text": text, "text_hash": text_hash}
        for ordinal, (text, text_hash) in enumerate(zip(texts, hashes, strict=True))
    ]
