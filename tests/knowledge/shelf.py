"""Rows for retrieval tests, written straight into the tables: documents whose chunks are given as texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import sqlalchemy as sa

from knowledge.audience import EVERYONE
from knowledge.database import writing
from knowledge.embed import Embedder, Vectors
from knowledge.tables import chunk, document, source, vector

_NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Shelf:
    """Puts documents into a database and takes them out again, as a sync would."""

    def __init__(self, engine: sa.Engine, embedder: Embedder) -> None:
        self._engine = engine
        self._embedder = embedder
        self.add_source("s1", "Shelf")

    def add_source(self, source_id: str, name: str, *, trust: str = "usual") -> None:
        """Make a source, where it is not there yet."""
        row = {"id": source_id, "kind": "files", "name": name, "location": f"/{source_id}", "audience": EVERYONE}
        row |= {"trust": trust}
        with writing(self._engine) as connection:
            connection.execute(sa.insert(source).prefix_with("OR IGNORE").values(row | {"added_at": _NOW}))

    def put(
        self,
        uri: str,
        *texts: str,
        header: str = "",
        audience: str = EVERYONE,
        source_id: str = "s1",
        modified_at: datetime | None = _NOW,
    ) -> int:
        """Store one document with these chunks; returns its id."""
        embedded = [f"{header}\n{text}" if header else text for text in texts]
        vectors = self._embedder.embed(embedded)
        return self.put_vectors(
            uri, texts, vectors, header=header, audience=audience, source_id=source_id, modified_at=modified_at
        )

    def put_vectors(
        self,
        uri: str,
        texts: Sequence[str],
        vectors: Vectors,
        *,
        header: str = "",
        audience: str = EVERYONE,
        source_id: str = "s1",
        modified_at: datetime | None = _NOW,
    ) -> int:
        """Store one document whose chunks have these vectors."""
        hashes = [hashlib.sha256(f"{header}\n{text}".encode()).hexdigest() for text in texts]
        with writing(self._engine) as connection:
            document_id = connection.execute(
                sa.insert(document)
                .values(
                    source_id=source_id,
                    uri=uri,
                    title=uri,
                    content_hash=uri,
                    audience=audience,
                    modified_at=modified_at,
                    synced_at=_NOW,
                )
                .returning(document.c.id)
            ).scalar_one()
            if texts:
                self._put_chunks(connection, document_id, header, texts, hashes, vectors)
        return int(document_id)

    def _put_chunks(
        self,
        connection: sa.Connection,
        document_id: int,
        header: str,
        texts: Sequence[str],
        hashes: Sequence[str],
        vectors: Vectors,
    ) -> None:
        blobs = [np.asarray(row, "<f4").tobytes() for row in vectors]
        connection.execute(
            sa.insert(vector).prefix_with("OR IGNORE"),
            [
                {"text_hash": text_hash, "embedder": self._embedder.name, "vector": blob}
                for text_hash, blob in zip(hashes, blobs, strict=True)
            ],
        )
        connection.execute(
            sa.insert(chunk),
            [
                {
                    "document_id": document_id,
                    "ordinal": ordinal,
                    "header": header,
                    "text": text,
                    "text_hash": text_hash,
                }
                for ordinal, (text, text_hash) in enumerate(zip(texts, hashes, strict=True))
            ],
        )

    def remove(self, document_id: int) -> None:
        """Delete a document with its chunks."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(document).where(document.c.id == document_id))

    def hand_over(self, document_id: int, audience: str) -> None:
        """Give a document another audience."""
        with writing(self._engine) as connection:
            connection.execute(sa.update(document).where(document.c.id == document_id).values(audience=audience))
