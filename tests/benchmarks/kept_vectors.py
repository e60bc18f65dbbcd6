"""An embedder that keeps what it embedded in a file, so that a benchmark's second run embeds nothing."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from knowledge.embed import EMBEDDED, Embedder, Role, Vectors, load_embedder
from knowledge.query import HistoryWeights
from knowledge.query_side import QuerySide, open_query_side

DEFAULT_FILE = Path(tempfile.gettempdir()) / "lorekeeper-benchmark-vectors.db"
# A run that is stopped keeps what it did.
_BATCH = 256


class KeptVectors:
    """Passes to the embedder only what it has not seen; for one thread."""

    def __init__(self, embedder: Embedder, file: Path = DEFAULT_FILE) -> None:
        self._embedder = embedder
        # INGEST embeds in a thread of its own; the benchmark waits for it.
        self._rows = sqlite3.connect(file, check_same_thread=False)
        self._rows.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")

    @property
    def name(self) -> str:
        """The embedder's."""
        return self._embedder.name

    @property
    def dim(self) -> int:
        """The embedder's."""
        return self._embedder.dim

    @property
    def max_tokens(self) -> int:
        """The embedder's."""
        return self._embedder.max_tokens

    @property
    def prefixes(self) -> Mapping[Role, str]:
        """The embedder's."""
        return self._embedder.prefixes

    @property
    def tokenizer(self) -> Tokenizer:
        """The embedder's."""
        return self._embedder.tokenizer

    def count_tokens(self, text: str) -> int:
        """Count with the embedder's tokenizer."""
        return self._embedder.count_tokens(text)

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """Look the vectors up, and embed what is missing."""
        keys = [hashlib.sha256(f"{self.name}\n{role}\n{text}".encode("utf-8", "replace")).digest() for text in texts]
        found = {key: vector for key in keys if (vector := self._find(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        for start in range(0, len(missing), _BATCH):
            some = list(missing.items())[start : start + _BATCH]
            vectors = self._embedder.embed([text for _, text in some], role)
            rows = [(key, vector.astype("<f4").tobytes()) for (key, _), vector in zip(some, vectors, strict=True)]
            with self._rows:
                self._rows.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
            found.update(rows)
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return np.stack([np.frombuffer(found[key], "<f4") for key in keys]).astype(np.float32)

    def _find(self, key: bytes) -> bytes | None:
        row = self._rows.execute("SELECT vector FROM kept WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None


def open_kept(file: Path) -> tuple[KeptVectors, QuerySide]:
    """The embedded model as the bot uses it on a processor, its vectors kept in a file, and what reads questions."""
    made_in = file.with_suffix(".encoders")
    embedder = load_embedder(EMBEDDED, precision="auto", made_in=made_in)
    return KeptVectors(embedder, file), open_query_side(embedder, made_in, HistoryWeights())
