"""How fast INGEST is, beside plain `SentenceTransformer.encode` on the same passages.

    python -m tests.benchmarks.indexing FOLDER [--documents 60] [--rounds 3]

Each round indexes the documents into a new database (read, parse, chunk, embed, store) and then encodes exactly the
stored passages with the library's defaults, in turn, so that both meet the same machine. Reports medians over rounds;
`processor_ratio` compares processor time (all threads and the parsing child) and holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sentence_transformers import SentenceTransformer

from knowledge.database import open_engine, reading
from knowledge.document import Chunk
from knowledge.embed import Embedder, embedded_model_folder, load_embedder
from knowledge.ingest import IngestParts, SyncReport, ingest
from knowledge.parse import Parser
from knowledge.sources import FolderSource
from knowledge.store import add_source
from knowledge.tables import chunk, create_tables


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of both."""

    passages: int
    ingest_seconds: float
    again_seconds: float
    encode_seconds: float
    ingest_processor_seconds: float
    encode_processor_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=60, help="how many of the folder's Markdown files")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.rglob("*.md"))
    if not files:
        parser.error(f"{arguments.folder} holds no Markdown files")
    # Spread over the folder, so that a few documents stand for all.
    chosen = files[:: max(1, len(files) // arguments.documents)][: arguments.documents]
    embedder = load_embedder("embedded")
    plain = SentenceTransformer(str(embedded_model_folder()), local_files_only=True)
    plain.encode(["warm up"] * 8, show_progress_bar=False)
    embedder.embed(["warm up"] * 8)
    rounds = [one_round(chosen, embedder, plain) for _ in range(arguments.rounds)]
    print(json.dumps(summary(rounds), indent=2))


def one_round(files: Sequence[Path], embedder: Embedder, plain: SentenceTransformer) -> Round:
    """Index the files, sync once more, and encode the same passages plainly."""
    before = processor_seconds()
    with tempfile.TemporaryDirectory() as temporary, Parser() as parser:
        root = Path(temporary) / "docs"
        root.mkdir()
        for number, file in enumerate(files):
            (root / f"{number:04}-{file.name}").write_bytes(file.read_bytes())
        engine = open_engine(f"sqlite:///{temporary}/benchmark.db")
        create_tables(engine)
        source = FolderSource(add_source(engine, kind="files", location=str(root)).id, root)
        parts = IngestParts(engine=engine, parser=parser, embedder=embedder)
        first, again = ingest(source, parts), ingest(source, parts)
        passages = stored_passages(engine)
        engine.dispose()
    check(first, again, passages)
    between = processor_seconds()
    started = time.perf_counter()
    plain.encode(passages, normalize_embeddings=True, show_progress_bar=False)
    return Round(
        passages=len(passages),
        ingest_seconds=first.seconds,
        again_seconds=again.seconds,
        encode_seconds=time.perf_counter() - started,
        ingest_processor_seconds=between - before,
        encode_processor_seconds=processor_seconds() - between,
    )


def processor_seconds() -> float:
    """What this process and its ended children have used so far."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def stored_passages(engine: sa.Engine) -> list[str]:
    """The texts that were embedded, in the order of the documents."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(chunk.c.header, chunk.c.text, chunk.c.text_hash).order_by(chunk.c.id)).all()
    texts = {row.text_hash: Chunk(ordinal=0, header=row.header, text=row.text).embedded_text for row in rows}
    return list(texts.values())


def check(first: SyncReport, again: SyncReport, passages: Sequence[str]) -> None:
    """A number of something else would be worse than none."""
    if first.embedded_chunks != len(passages) or first.failed or again.embedded_chunks:
        raise SystemExit(f"the runs did not do the same work: {first}, {again}, {len(passages)} passages")


def summary(rounds: Sequence[Round]) -> dict[str, float | int]:
    """Medians, and the median of the ratios: above 1, indexing is faster than encoding alone."""
    passages = rounds[0].passages
    return {
        "passages": passages,
        "ingest_passages_per_second": round(passages / statistics.median(one.ingest_seconds for one in rounds), 2),
        "encode_passages_per_second": round(passages / statistics.median(one.encode_seconds for one in rounds), 2),
        "ratio": round(statistics.median(one.encode_seconds / one.ingest_seconds for one in rounds), 3),
        "processor_ratio": round(
            statistics.median(one.encode_processor_seconds / one.ingest_processor_seconds for one in rounds), 3
        ),
        "second_run_seconds": round(statistics.median(one.again_seconds for one in rounds), 3),
    }


if __name__ == "__main__":
    main()
