"""The vectors of all live chunks in memory, kept in step with SQL by reading only what changed.

A `Snapshot` never changes, so searches need no lock. New chunks are written behind the rows that older
snapshots see; everything else (deletions, audiences) is a new small array.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.embed import Vectors
from knowledge.errors import EmbedderMismatchError
from knowledge.hits import Hits, Ids, Mask, Scores
from knowledge.index import KeptVectors, inner_products
from knowledge.signs import SignCodes, sign_words
from knowledge.tables import chunk, document, revision
from knowledge.tables import vector as vector_table

_READ_BATCH = 2_000
_GROWTH = 1.25
_REVISION = sa.select(revision.c.number)
_COMPACT_ABOVE = 0.25
# The mean of so many vectors is as good as that of all.
_MEAN_OF = 2_000


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All chunks as of one moment; the arrays have one row for each, by ascending chunk id."""

    ids: Ids
    vectors: KeptVectors
    codes: SignCodes
    texts: Ids
    """Equal for chunks with equal text."""
    audiences: npt.NDArray[np.int32]
    """Positions in `audience_names`."""
    audience_names: tuple[str, ...]
    sources: npt.NDArray[np.int32]
    """Positions in `source_ids`."""
    source_ids: tuple[str, ...]
    live: Mask

    @property
    def count(self) -> int:
        """Chunks that can be found."""
        return int(np.count_nonzero(self.live))

    def readable(self, audience: Audience, sources: frozenset[str] | None = None) -> Mask:
        """The live rows that this audience may read, of these sources alone where some are named."""
        permitted = np.fromiter((audience.may_read(name) for name in self.audience_names), np.bool_)
        wanted = np.fromiter((sources is None or name in sources for name in self.source_ids), np.bool_)
        mask = self.live
        if not permitted.all():
            mask = np.asarray(mask & permitted[self.audiences], np.bool_)
        if not wanted.all():
            mask = np.asarray(mask & wanted[self.sources], np.bool_)
        return mask

    def rows(self, ids: Ids) -> npt.NDArray[np.int64]:
        """The rows of chunk ids, -1 for those that are not here."""
        if len(self.ids) == 0:
            return np.full(len(ids), -1, np.int64)
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[rows] == ids, rows, -1)

    def places(self, ids: Ids) -> slice | npt.NDArray[np.int64]:
        """The rows of chunk ids; a slice where they lie side by side, which spares looking for each."""
        start = int(np.searchsorted(self.ids, ids[0])) if len(ids) else 0
        side_by_side = slice(start, start + len(ids))
        return side_by_side if np.array_equal(self.ids[side_by_side], ids) else self.rows(ids)

    def are_live(self, ids: Ids) -> Mask:
        """Which of these chunks can be found."""
        return picked(self.live, self.places(ids))

    def cosines(self, ids: Ids, vector: Vectors) -> Scores:
        """The cosines of chunks that are here with a unit vector."""
        return inner_products(self.vectors[self.rows(ids)], vector)

    def kept(self, hits: Hits, readable: Mask) -> Hits:
        """The hits that are here and readable."""
        rows = self.rows(hits.ids)
        good = (rows >= 0) & readable[rows]
        return Hits(ids=hits.ids[good], scores=hits.scores[good])

    def distinct(self) -> Ids:
        """The rows of the first live chunk of each text."""
        live = np.flatnonzero(self.live)
        _, first = np.unique(self.texts[live], return_index=True)
        return np.sort(live[first]).astype(np.int64)


def picked(mask: Mask, places: slice | npt.NDArray[np.int64]) -> Mask:
    """What a mask says of some places; false for -1."""
    if isinstance(places, slice):
        return mask[places]
    found = places >= 0
    found[found] = mask[places[found]]
    return found


class SnapshotReader:
    """Keeps the current snapshot. Not for two threads at once; the snapshots it makes are."""

    def __init__(self, embedder: str, dim: int, kept_as: type[np.float32 | np.float16] = np.float32) -> None:
        self._embedder = embedder
        self._dim = dim
        self._kept_as = kept_as
        self._begin()

    def _begin(self) -> None:
        self._revision = -1
        self._last_chunk = 0
        self._last_document = 0
        self._audience_sums: dict[str, tuple[int, int]] = {}
        self._without_vector = 0
        self._vectors = 0
        self._documents: Ids = np.empty(0, np.int64)
        self._buffer: KeptVectors = np.empty((0, self._dim), self._kept_as)
        self._mean: Vectors = np.zeros(self._dim, np.float32)
        self._words = sign_words(self._buffer, self._mean)
        self.snapshot = Snapshot(
            ids=np.empty(0, np.int64),
            vectors=self._buffer,
            codes=SignCodes(mean=self._mean, words=self._words),
            texts=np.empty(0, np.int64),
            audiences=np.empty(0, np.int32),
            audience_names=(),
            sources=np.empty(0, np.int32),
            source_ids=(),
            live=np.empty(0, np.bool_),
        )

    def read(self, connection: sa.Connection) -> bool:
        """Bring the snapshot up to date in one reading transaction; returns whether anything had changed."""
        number = connection.execute(_REVISION).scalar_one()
        if self._without_vector and self._count_vectors(connection) != self._vectors:
            # A rebuild embeds some chunks long after they were stored: they lie before those already read.
            self._begin()
        if number == self._revision:
            return False
        if self._audience_sums != _sum_audiences(connection, self._last_document):
            self._read_audiences(connection)
        self._read_new_chunks(connection)
        stored = connection.execute(sa.select(sa.func.count()).select_from(chunk)).scalar_one()
        if stored != self.snapshot.count + self._without_vector:
            self._drop_deleted(connection, stored)
        if self._without_vector:
            self._vectors = self._count_vectors(connection)
        self._last_document = connection.execute(sa.select(sa.func.max(document.c.id))).scalar() or 0
        self._audience_sums = _sum_audiences(connection, self._last_document)
        self._revision = number
        return True

    def _count_vectors(self, connection: sa.Connection) -> int:
        mine = sa.select(sa.func.count()).where(vector_table.c.embedder == self._embedder)
        return connection.execute(mine).scalar_one()

    def _read_new_chunks(self, connection: sa.Connection) -> None:
        newest = connection.execute(sa.select(sa.func.max(chunk.c.id))).scalar() or 0
        if newest <= self._last_chunk:
            return
        self._reserve(connection)
        query = (
            sa.select(
                *(chunk.c.id, chunk.c.document_id, chunk.c.text_hash),
                *(document.c.audience, document.c.source_id, vector_table.c.vector),
            )
            .join(document, document.c.id == chunk.c.document_id)
            .join(
                vector_table,
                sa.and_(vector_table.c.text_hash == chunk.c.text_hash, vector_table.c.embedder == self._embedder),
            )
            .where(chunk.c.id > self._last_chunk)
            .order_by(chunk.c.id)
        )
        for rows in connection.execution_options(yield_per=_READ_BATCH).execute(query).partitions():
            self._append(rows)
        self._last_chunk = newest

    def _reserve(self, connection: sa.Connection) -> None:
        # Sized once before a large read: growing step by step would copy all vectors again and again.
        added = connection.execute(sa.select(sa.func.count()).where(chunk.c.id > self._last_chunk)).scalar_one()
        used = len(self.snapshot.ids)
        if used + added > len(self._buffer):
            size = max(used + added, int(len(self._buffer) * _GROWTH))
            grown: KeptVectors = np.empty((size, self._dim), self._kept_as)
            grown[:used] = self._buffer[:used]
            self._buffer = grown
            words = np.empty((len(self._words), size), np.uint64)
            words[:, :used] = self._words[:, :used]
            self._words = words

    def _append(self, rows: Sequence[sa.Row[*tuple[Any, ...]]]) -> None:
        old, used = self.snapshot, len(self.snapshot.ids)
        names, audiences = _placed(old.audience_names, [row.audience for row in rows])
        source_ids, sources = _placed(old.source_ids, [row.source_id for row in rows])
        added, new = slice(used, used + len(rows)), self._decode([row.vector for row in rows])
        self._buffer[added] = new
        if used < _MEAN_OF:
            # Older snapshots keep the words that belong to their mean.
            self._mean = self._buffer[: added.stop].mean(axis=0, dtype=np.float32)
            self._words = np.empty_like(self._words)
            added = slice(0, added.stop)
        self._words[:, added] = sign_words(self._buffer[added], self._mean)
        self._documents = _extended(self._documents, (row.document_id for row in rows))
        self.snapshot = Snapshot(
            ids=_extended(old.ids, (row.id for row in rows)),
            vectors=self._buffer[: used + len(rows)],
            codes=SignCodes(mean=self._mean, words=self._words[:, : used + len(rows)]),
            texts=_extended(old.texts, (_number(row.text_hash) for row in rows)),
            audiences=np.concatenate((old.audiences, audiences)),
            audience_names=names,
            sources=np.concatenate((old.sources, sources)),
            source_ids=source_ids,
            live=np.concatenate((old.live, np.ones(len(rows), np.bool_))),
        )

    def _decode(self, blobs: list[bytes]) -> Vectors:
        wrong = next((len(blob) for blob in blobs if len(blob) != 4 * self._dim), None)
        if wrong is not None:
            raise EmbedderMismatchError(
                f"The database holds vectors of length {wrong // 4} for {self._embedder}, which now "
                f"makes vectors of length {self._dim}: run `lorekeeper sync --rebuild`."
            )
        return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), self._dim)

    def _drop_deleted(self, connection: sa.Connection, stored: int) -> None:
        found = np.fromiter(connection.execute(sa.select(chunk.c.id)).scalars(), np.int64, stored)
        live = np.isin(self.snapshot.ids, found, assume_unique=True)
        self._without_vector = stored - int(np.count_nonzero(live))
        if np.count_nonzero(live) >= len(live) * (1 - _COMPACT_ABOVE):
            self.snapshot = replace(self.snapshot, live=live)
            return
        self._documents, self._buffer = self._documents[live], self.snapshot.vectors[live]
        self._words = self.snapshot.codes.words[:, live]
        self.snapshot = replace(
            self.snapshot,
            ids=self.snapshot.ids[live],
            vectors=self._buffer,
            codes=SignCodes(mean=self._mean, words=self._words),
            texts=self.snapshot.texts[live],
            audiences=self.snapshot.audiences[live],
            sources=self.snapshot.sources[live],
            live=np.ones(len(self._buffer), np.bool_),
        )

    def _read_audiences(self, connection: sa.Connection) -> None:
        audience_of = dict(connection.execute(sa.select(document.c.id, document.c.audience)).all())
        names = tuple(sorted(set(audience_of.values())))
        place = {name: position for position, name in enumerate(names)}
        documents, inverse = np.unique(self._documents, return_inverse=True)
        # A document that is gone keeps any place: its chunks are found dead in the same read.
        places = np.asarray([place.get(audience_of.get(int(item), ""), 0) for item in documents], np.int32)
        self.snapshot = replace(self.snapshot, audiences=places[inverse], audience_names=names)


def _sum_audiences(connection: sa.Connection, last_document: int) -> dict[str, tuple[int, int]]:
    # Count and sum of ids for each audience: a document that changes hands changes both without a look at
    # every row.
    query = (
        sa.select(document.c.audience, sa.func.count(), sa.func.sum(document.c.id))
        .where(document.c.id <= last_document)
        .group_by(document.c.audience)
    )
    return {audience: (count, total) for audience, count, total in connection.execute(query)}


def _placed(names: tuple[str, ...], added: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The names with what is new behind them, and where each of the added ones stands."""
    names += tuple(dict.fromkeys(name for name in added if name not in names))
    place = {name: position for position, name in enumerate(names)}
    return names, np.asarray([place[name] for name in added], np.int32)


def _extended(numbers: Ids, more: Iterable[int]) -> Ids:
    return np.concatenate((numbers, np.fromiter(more, np.int64)))


def _number(text_hash: str) -> int:
    return int.from_bytes(hashlib.blake2b(text_hash.encode(), digest_size=8).digest(), "big", signed=True)
