"""A folder, a database and the parts of INGEST for tests, with an embedder that needs no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from knowledge.database import open_engine, reading
from knowledge.ingest import IngestParts, SyncReport, ingest
from knowledge.parse import Parser
from knowledge.sources import SourcePlace, open_source
from knowledge.store import StoredSource, add_source, find_source
from knowledge.tables import create_tables
from tests.knowledge.fake_embedder import FakeEmbedder


@dataclass(kw_only=True)
class Workplace:
    """What a test of INGEST works with."""

    root: Path
    parts: IngestParts
    embedder: FakeEmbedder
    stored: StoredSource

    @property
    def engine(self) -> sa.Engine:
        return self.parts.engine

    def write(self, name: str, text: str) -> None:
        """Put a document into the folder."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def sync(self, *, rebuild: bool = False) -> SyncReport:
        """One run over the folder."""
        one = self.stored
        return ingest(
            open_source(one.kind, SourcePlace(id=one.id, location=one.location, audience=one.audience)),
            self.parts,
            rebuild=rebuild,
        )

    def rows(self, statement: str) -> Sequence[tuple[object, ...]]:
        """What SQL says."""
        with reading(self.engine) as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def texts(self) -> dict[str, list[str]]:
        """The texts of all chunks by file name, checked against the word index and the vectors."""
        assert self.rows("SELECT count(*) FROM chunk_words_docsize") == self.rows("SELECT count(*) FROM chunk")
        with reading(self.engine) as connection:
            connection.exec_driver_sql("INSERT INTO chunk_words(chunk_words) VALUES ('integrity-check')")
        assert self.rows("SELECT id FROM chunk WHERE text_hash NOT IN (SELECT text_hash FROM vector)") == []
        found: dict[str, list[str]] = {
            str(uri).rpartition("/")[2]: [] for (uri,) in self.rows("SELECT uri FROM document")
        }
        query = "SELECT uri, text FROM chunk JOIN document ON document.id = document_id ORDER BY uri, ordinal"
        for uri, text in self.rows(query):
            found[str(uri).rpartition("/")[2]].append(str(text))
        return found


@contextmanager
def workplace(folder: Path, embedder: FakeEmbedder | None = None) -> Iterator[Workplace]:
    """Open a database beside the folder of documents; opens the same one again where it is there."""
    root = folder / "docs"
    root.mkdir(exist_ok=True)
    engine = open_engine(f"sqlite:///{folder / 'lorekeeper.db'}")
    create_tables(engine)
    used = embedder or FakeEmbedder()
    stored = find_source(engine, str(root)) or add_source(engine, kind="files", location=str(root))
    with Parser() as parser:
        parts = IngestParts(engine=engine, parser=parser, embedder=used)
        yield Workplace(root=root, parts=parts, embedder=used, stored=stored)
    engine.dispose()
