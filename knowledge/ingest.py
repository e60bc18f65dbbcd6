"""INGEST: what changed at a source -> parse -> chunk -> embed -> SQL; the cursor is saved last.

The same content means no work, and the same text is never embedded twice. One bad document never stops a run.
Killed at any point, the next run finishes the work: whatever is stored is whole, and a cursor is only trusted where
all changes up to it, and none after it, are stored. It knows no kind of source and no index.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import sqlalchemy as sa

from knowledge import ingest_rows as rows
from knowledge.chunk import CHUNK_TOKENS, Chunker
from knowledge.database import writing
from knowledge.document import (
    AudienceChange,
    DeletedDocument,
    FailedDocument,
    FetchedDocument,
    PermissionsRead,
    Readers,
)
from knowledge.embed import Embedder, Vectors
from knowledge.errors import DocumentError, KnowledgeError, ParseLimitError, SourceError
from knowledge.parse import Parser
from knowledge.quarantine import QUARANTINE_SHARE, open_quarantine
from knowledge.readers import change_audiences, confirm_permissions, drop_unused_readers, save_readers
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, OpenKind, Source, SourceStep
from knowledge.store import drop_unused_vectors

logger = logging.getLogger(__name__)

# Enough texts to sort by length, so that little of the embedder's work is padding; few enough that additions show
# within seconds and that a killed run repeats little.
_BATCH_CHUNKS = 256
_BATCH_DOCUMENTS = 200
_BATCH_SECONDS = 5.0
_SLICE = 64

Progress = Callable[[str, int, int | None], None]
"""What is being done, how many documents are done, and of how many (None: nobody knows)."""


class Stop(Protocol):
    """What a run looks at after each batch; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether the run shall end, to go on with the next."""


def no_credential(name: str) -> Secret:
    """Where none are kept."""
    raise SourceError(f"The credential {name!r} cannot be had here.")


@dataclass(frozen=True, kw_only=True)
class IngestParts:
    """What INGEST works with."""

    engine: sa.Engine
    parser: Parser
    embedder: Embedder
    chunk_tokens: int = CHUNK_TOKENS
    keep: Path | None = None
    """The folder where sources keep what they need between runs."""
    unlock: Callable[[str], Secret] = no_credential
    """The credential of that name."""
    quarantine_share: float = QUARANTINE_SHARE
    """See `knowledge.quarantine`."""
    kinds: Mapping[str, OpenKind] = field(default_factory=dict)
    """Kinds of sources that this package knows nothing of; see `open_source`."""
    publish: Callable[[], object] | None = None
    """Called once after each run that ends well; `Library.publish_if_due`."""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What one run did."""

    source_id: str
    added: int = 0
    changed: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: tuple[FailedDocument, ...] = ()
    held: int = 0
    """Of those added and changed: kept, and let into answers only once a person says so."""
    embedded_chunks: int = 0
    seconds: float = 0.0
    stopped: bool = False
    """Somebody asked to stop: the next run goes on."""


def ingest(
    source: Source,
    parts: IngestParts,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> SyncReport:
    """Bring what is known from a source up to date.

    `rebuild` reads, cuts and embeds everything again, for another embedder or chunk size. Raises SourceError where
    the source cannot be read or is being read, EmbedderMismatchError where only a rebuild helps, and DatabaseError;
    what was stored until then stays.
    """
    started = time.monotonic()
    if not rebuild:
        rows.require_embedder(parts.engine, parts.embedder)
    with rows.only_run(parts.engine, source.id):
        run = _Run(source.id, parts, rebuild=rebuild, progress=progress or _silent)
        try:
            for batch in run.batches(source.changes(run.cursor, run.retry)):
                run.store(batch, run.embed(batch))
                if stop is not None and stop.is_set():
                    return run.end(started, stopped=True)
            run.settle()
        except KnowledgeError as error:
            run.fail(str(error))
            raise
        except BaseException as error:
            run.fail(f"It ended with {type(error).__name__}.")
            raise
        report = run.end(started, stopped=False)
    if parts.publish is not None:
        parts.publish()
    return report


@dataclass(kw_only=True)
class _Batch:
    """Changes whose texts are embedded together and stored in one transaction."""

    steps: int = 0
    documents: int = 0
    """Of those, what counts for who watches."""
    ready: list[rows.ReadyDocument] = field(default_factory=list)
    touched: list[tuple[rows.KnownDocument, FetchedDocument]] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    """URI before and now."""
    deleted: list[str] = field(default_factory=list)
    failed: list[tuple[FailedDocument, bool]] = field(default_factory=list)
    readers: list[Readers] = field(default_factory=list)
    audiences: list[AudienceChange] = field(default_factory=list)
    permissions_read: bool = False
    cursor: str | None = None
    chunks: int = 0

    @property
    def texts(self) -> dict[str, str]:
        """All texts to embed, by text hash."""
        return {text_hash: chunk.embedded_text for one in self.ready for text_hash, chunk in one.chunks}


class _Run:
    """The state of one run: what was seen and counted so far."""

    def __init__(self, source_id: str, parts: IngestParts, *, rebuild: bool, progress: Progress) -> None:
        self._source_id = source_id
        self._parts = parts
        self._rebuild = rebuild
        self._progress = progress
        self._quarantine = open_quarantine(parts.engine, source_id, parts.quarantine_share, rebuild=rebuild)
        self._record = rows.RunRecord(parts.engine, source_id)
        beginning = rows.read_beginning(parts.engine, source_id, from_start=rebuild)
        self.cursor = beginning.cursor
        self.retry = beginning.retry
        # Without a cursor the source tells all there is: what it does not mention any more is gone.
        self._sweeps = beginning.cursor is None and beginning.documents > 0
        self._chunker = Chunker(parts.embedder.tokenizer, parts.chunk_tokens)
        self._seen: set[str] = set()
        self._failed: dict[str, FailedDocument] = {}
        self._expected: int | None = None
        self._done = 0
        self._report = SyncReport(source_id=source_id)

    def batches(self, steps: Iterable[SourceStep]) -> Iterator[_Batch]:
        """Prepare changes until they are worth storing; a checkpoint always ends a batch."""
        batch, since = _Batch(), time.monotonic()
        for step in steps:
            self._prepare(step, batch)
            full = batch.chunks >= _BATCH_CHUNKS or batch.steps >= _BATCH_DOCUMENTS
            if full or batch.cursor is not None or time.monotonic() - since > _BATCH_SECONDS:
                yield batch
                batch, since = _Batch(), time.monotonic()
        if batch.steps:
            yield batch

    def _prepare(self, step: SourceStep, batch: _Batch) -> None:
        batch.steps += 1
        batch.documents += isinstance(step, FetchedDocument | FailedDocument)
        match step:
            case Expected():
                self._expected = self._done + batch.documents + step.documents
            case Readers():
                batch.readers.append(step)
            case AudienceChange():
                self._seen.add(step.uri)
                batch.audiences.append(step)
            case PermissionsRead():
                batch.permissions_read = True
            case Checkpoint():
                batch.cursor = step.cursor
            case DeletedDocument():
                batch.deleted.append(step.uri)
            case FailedDocument():
                self._seen.add(step.uri)
                batch.failed.append((step, False))
            case FetchedDocument():
                self._seen.add(step.uri)
                self._prepare_document(step, batch)

    def _prepare_document(self, fetched: FetchedDocument, batch: _Batch) -> None:
        content_hash = hashlib.sha256(fetched.content).hexdigest()
        uris = [uri for uri in (fetched.uri, fetched.moved_from) if uri is not None]
        stored = rows.known_documents(self._parts.engine, self._source_id, uris)
        known = stored.get(fetched.uri)
        if fetched.moved_from in stored:
            # Cut again even where its text is the same: a title may come from its name.
            if known is None:
                batch.moved.append((fetched.moved_from, fetched.uri))
            else:
                batch.deleted.append(fetched.moved_from)
        if known is not None and known.content_hash == content_hash and not (self._rebuild or fetched.retitled):
            batch.touched.append((known, fetched))
            return
        self._progress(fetched.title, self._done + batch.documents, self._expected)
        try:
            parsed = self._parts.parser.parse(fetched)
        except DocumentError as error:
            failure = FailedDocument(uri=fetched.uri, reason=str(error))
            batch.failed.append((failure, isinstance(error, ParseLimitError)))
            if stored:
                # What is known of it stays, also where it was moved, but only for those who may read it now.
                batch.audiences.append(AudienceChange(uri=fetched.uri, audience=fetched.audience))
            return
        if fetched.titled:
            parsed = replace(parsed, title=fetched.title)
        chunks = self._chunker.split(parsed)
        batch.chunks += len(chunks)
        batch.ready.append(
            rows.ReadyDocument(
                fetched=replace(fetched, content=b"", owner=fetched.owner or parsed.owner),
                title=parsed.title,
                content_hash=content_hash,
                chunks=[(hash_text(chunk.embedded_text), chunk) for chunk in chunks],
            )
        )

    def embed(self, batch: _Batch) -> tuple[list[str], Vectors]:
        """Embed the texts that have no vector yet; returns their hashes and vectors."""
        texts = batch.texts
        missing = rows.texts_without_vector(self._parts.engine, self._parts.embedder, texts.keys())
        return self._embed({text_hash: texts[text_hash] for text_hash in missing}, batch.documents)

    def _embed(self, texts: dict[str, str], documents: int) -> tuple[list[str], Vectors]:
        hashes = sorted(texts, key=lambda text_hash: len(texts[text_hash]), reverse=True)
        found: list[Vectors] = [np.empty((0, self._parts.embedder.dim), np.float32)]
        for start in range(0, len(hashes), _SLICE):
            part = hashes[start : start + _SLICE]
            found.append(self._parts.embedder.embed([texts[text_hash] for text_hash in part]))
            reached = self._done + documents * (start + len(part)) // len(hashes)
            self._progress("", reached, self._expected)
        return hashes, np.concatenate(found)

    def store(self, batch: _Batch, embedded: tuple[list[str], Vectors]) -> None:
        """Store one batch, whole or not at all, and the cursor with it where it ends at a checkpoint."""
        hashes, vectors = embedded
        with writing(self._parts.engine) as connection:
            rows.mark_unsettled(connection, self._source_id)
            rows.save_vectors(connection, self._parts.embedder, hashes, vectors)
            rows.move_documents(connection, self._source_id, batch.moved)
            ready = self._quarantine.admit(connection, batch.ready)
            new = [rows.save_document(connection, self._source_id, one) for one in ready]
            for known, fetched in batch.touched:
                rows.touch_document(connection, known, fetched)
            rows.forget_failures(connection, self._source_id, [fetched.uri for _, fetched in batch.touched])
            # Names of groups after their members, so that nobody reads what a group of later may not.
            save_readers(connection, self._source_id, batch.readers)
            change_audiences(connection, self._source_id, batch.audiences)
            if batch.permissions_read:
                confirm_permissions(connection, self._source_id)
            deleted = rows.delete_documents(connection, self._source_id, batch.deleted)
            for failure, costly in batch.failed:
                rows.save_failure(connection, self._source_id, failure, costly=costly)
            if batch.cursor is not None:
                rows.save_cursor(connection, self._source_id, batch.cursor, settled=not self._sweeps)
        self._failed |= {failure.uri: failure for failure, _ in batch.failed}
        self._done += batch.documents
        self._count(added=sum(new), changed=len(new) - sum(new), deleted=deleted, embedded_chunks=len(hashes))

    def settle(self) -> None:
        """After all changes: delete what is gone, forget old failures, drop vectors that nobody needs."""
        if self._rebuild:
            self._embed_leftovers()
        with writing(self._parts.engine) as connection:
            deleted = 0
            if self._sweeps:
                stored = rows.document_uris(connection, self._source_id)
                deleted = rows.delete_documents(connection, self._source_id, self._unmentioned(stored))
                rows.settle(connection, self._source_id)
            rows.forget_failures(connection, self._source_id, self.retry - self._failed.keys() - self._seen)
            if self._rebuild:
                rows.drop_replaced_vectors(connection, self._parts.embedder)
            if self._rebuild or deleted or self._report.changed or self._report.deleted:
                drop_unused_vectors(connection)
            drop_unused_readers(connection, self._source_id)
            total = rows.count_documents(connection, self._source_id)
        self._count(deleted=deleted)
        failed = len(rows.known_documents(self._parts.engine, self._source_id, self._failed.keys()))
        self._count(unchanged=max(0, total - self._report.added - self._report.changed - failed))

    def _unmentioned(self, stored: Collection[str]) -> list[str]:
        folders = tuple(uri for uri in self._failed if uri.endswith("/"))
        return [uri for uri in stored if uri not in self._seen and not (folders and uri.startswith(folders))]

    def _embed_leftovers(self) -> None:
        """Embed again what is kept of documents that a rebuild could not read."""
        while texts := rows.chunks_without_vector(
            self._parts.engine, self._parts.embedder, self._source_id, _BATCH_CHUNKS
        ):
            hashes, vectors = self._embed(texts, 0)
            with writing(self._parts.engine) as connection:
                rows.save_vectors(connection, self._parts.embedder, hashes, vectors)
            self._count(embedded_chunks=len(hashes))

    def _count(self, **more: int) -> None:
        self._report = replace(
            self._report, **{name: getattr(self._report, name) + number for name, number in more.items()}
        )

    def end(self, started: float, *, stopped: bool) -> SyncReport:
        """Close the record and say what was done."""
        self._close("It was stopped." if stopped else None)
        failed = tuple(self._failed[uri] for uri in sorted(self._failed))
        held, seconds = self._quarantine.held, time.monotonic() - started
        return replace(self._report, failed=failed, held=held, seconds=seconds, stopped=stopped)

    def fail(self, reason: str) -> None:
        """Close the record of a run that did not end well."""
        self._close(reason)

    def _close(self, error: str | None) -> None:
        report = self._report
        counts = {"added": report.added, "changed": report.changed, "deleted": report.deleted}
        self._record.close({**counts, "unchanged": report.unchanged, "failed": len(self._failed)}, error)


def hash_text(embedded_text: str) -> str:
    """Name a text by its content: the key of its vector."""
    return hashlib.sha256(embedded_text.encode("utf-8", "surrogatepass")).hexdigest()


def _silent(_what: str, _done: int, _total: int | None) -> None:
    """Show nothing."""
