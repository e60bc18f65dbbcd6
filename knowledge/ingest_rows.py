"""What INGEST writes: documents with their chunks and vectors, failures, the cursor, and the record of the run.

Each function works inside a transaction of its caller, but for the run's record.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert as upsert

from knowledge.audience import HELD
from knowledge.database import reading, writing
from knowledge.document import Chunk, FailedDocument, FetchedDocument
from knowledge.embed import Embedder, Vectors
from knowledge.errors import DatabaseError, EmbedderMismatchError, SourceBusyError, SourceError
from knowledge.held import kept_on_hold
from knowledge.tables import chunk, document, document_failure, source, sync_run, vector

logger = logging.getLogger(__name__)

# Most failures are quick to try again and may be over (a permission, a locked file). A document that went over a
# limit costs the whole limit again each time.
COSTLY_RETRY = timedelta(days=1)
_FIRST_RETRY = timedelta(minutes=10)
_KEPT_RUNS = 100
_VALUES = 1_000


@dataclass(frozen=True, kw_only=True)
class KnownDocument:
    """What is stored of a document, to tell whether it changed."""

    id: int
    content_hash: str
    audience: str


@dataclass(frozen=True, kw_only=True)
class ReadyDocument:
    """A document with its chunks, ready to be stored."""

    fetched: FetchedDocument
    title: str
    content_hash: str
    chunks: Sequence[tuple[str, Chunk]] = field(repr=False)
    """Text hash and chunk."""


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where a run begins."""

    cursor: str | None
    retry: frozenset[str]
    documents: int


@contextlib.contextmanager
def only_run(engine: sa.Engine, source_id: str) -> Iterator[None]:
    """Hold the one run that a source may have at a time, over all processes; freed also by a killed process."""
    database = engine.url.database
    if database in (None, "", ":memory:"):
        yield
        return
    path = Path(f"{database}.sync-{source_id}.lock")
    try:
        file = path.open("a")
    except OSError as error:
        raise DatabaseError(f"{path} cannot be made ({error.strerror}). Check the disk and its permissions.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SourceBusyError(f"The source {source_id} is being read by another run; wait for its end.") from error
        yield


class RunRecord:
    """The sync_run row of one run: opened at once, always closed, also for a run that died before."""

    def __init__(self, engine: sa.Engine, source_id: str) -> None:
        self._engine = engine
        self._now = datetime.now(UTC)
        with writing(engine) as connection:
            _require_source(connection, source_id)
            of_source = sync_run.c.source_id == source_id
            connection.execute(
                sa.update(sync_run)
                .where(of_source, sync_run.c.finished_at.is_(None))
                .values(finished_at=self._now, error="It was interrupted.")
            )
            newest = sa.select(sync_run.c.id).where(of_source).order_by(sync_run.c.id.desc()).limit(_KEPT_RUNS - 1)
            # However long ago it was: it tells that the source was read once.
            complete = sa.select(sa.func.max(sync_run.c.id)).where(of_source, sync_run.c.error.is_(None))
            old = sa.delete(sync_run).where(of_source, sync_run.c.id.not_in(newest))
            connection.execute(old.where(sync_run.c.id != sa.func.coalesce(complete.scalar_subquery(), 0)))
            row = sa.insert(sync_run).values(source_id=source_id, started_at=self._now)
            self._id = connection.execute(row.returning(sync_run.c.id)).scalar_one()

    def close(self, counts: Mapping[str, int], error: str | None) -> None:
        """Write the outcome. A full disk must not hide the error that is on its way up."""
        try:
            with writing(self._engine) as connection:
                connection.execute(
                    sa.update(sync_run)
                    .where(sync_run.c.id == self._id)
                    .values(finished_at=datetime.now(UTC), error=error, **counts)
                )
        except DatabaseError:
            logger.warning("the outcome of sync run %d could not be stored", self._id)
            if error is None:
                raise


def read_beginning(engine: sa.Engine, source_id: str, *, from_start: bool) -> Beginning:
    """Read where the next run begins; a cursor is not trusted where later changes are stored already."""
    now = datetime.now(UTC)
    with reading(engine) as connection:
        row = connection.execute(sa.select(source.c.cursor, source.c.unsettled).where(source.c.id == source_id)).one()
        due = sa.select(document_failure.c.uri).where(document_failure.c.source_id == source_id)
        if not from_start:
            due = due.where(document_failure.c.retry_at <= now)
        retry = frozenset(connection.execute(due).scalars())
        documents = count_documents(connection, source_id)
    return Beginning(cursor=None if from_start or row.unsettled else row.cursor, retry=retry, documents=documents)


def require_embedder(engine: sa.Engine, embedder: Embedder) -> None:
    """Raise EmbedderMismatchError where stored chunks have no vector of this embedder."""
    with reading(engine) as connection:
        foreign = connection.execute(
            sa.select(vector.c.embedder, sa.func.length(vector.c.vector))
            .join(chunk, chunk.c.text_hash == vector.c.text_hash)
            .where(chunk.c.text_hash.in_(_without_vector(embedder).limit(1)))
            .limit(1)
        ).first()
    if foreign is not None:
        raise EmbedderMismatchError(
            f"The index was built with {foreign[0]} ({foreign[1] // 4}), the settings ask for "
            f"{embedder.name} ({embedder.dim}): run `lorekeeper sync --rebuild`."
        )


def count_documents(connection: sa.Connection, source_id: str) -> int:
    """Count the documents of a source."""
    return connection.execute(
        sa.select(sa.func.count()).select_from(document).where(document.c.source_id == source_id)
    ).scalar_one()


def known_documents(engine: sa.Engine, source_id: str, uris: Collection[str]) -> dict[str, KnownDocument]:
    """What is stored of these documents, by URI."""
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(document.c.uri, document.c.id, document.c.content_hash, document.c.audience).where(
                document.c.source_id == source_id, document.c.uri.in_(uris)
            )
        ).all()
    return {row.uri: KnownDocument(id=row.id, content_hash=row.content_hash, audience=row.audience) for row in rows}


def texts_without_vector(engine: sa.Engine, embedder: Embedder, hashes: Collection[str]) -> set[str]:
    """Those of the text hashes that this embedder has no vector for."""
    with reading(engine) as connection:
        stored = connection.execute(
            sa.select(vector.c.text_hash).where(vector.c.embedder == embedder.name, vector.c.text_hash.in_(hashes))
        )
        return set(hashes) - set(stored.scalars())


def mark_unsettled(connection: sa.Connection, source_id: str) -> None:
    """Note, with the first change after a cursor, that the cursor no longer tells all."""
    _require_source(connection, source_id)
    connection.execute(sa.update(source).where(source.c.id == source_id).values(unsettled=True))


def save_cursor(connection: sa.Connection, source_id: str, cursor: str, *, settled: bool) -> None:
    """Save where a later run may begin; all before it is stored, or is in this transaction."""
    connection.execute(sa.update(source).where(source.c.id == source_id).values(cursor=cursor, unsettled=not settled))


def settle(connection: sa.Connection, source_id: str) -> None:
    """Note that the cursor tells all again."""
    connection.execute(sa.update(source).where(source.c.id == source_id).values(unsettled=False))


def save_vectors(connection: sa.Connection, embedder: Embedder, hashes: Sequence[str], vectors: Vectors) -> None:
    """Store vectors by text hash."""
    rows = [
        {"text_hash": text_hash, "embedder": embedder.name, "vector": np.asarray(one, "<f4").tobytes()}
        for text_hash, one in zip(hashes, vectors, strict=True)
    ]
    if rows:
        connection.execute(upsert(vector).on_conflict_do_nothing(), rows)


def save_document(connection: sa.Connection, source_id: str, ready: ReadyDocument) -> bool:
    """Store a document and its chunks in place of what was there; returns whether it is new."""
    values = {
        "title": ready.title,
        "content_hash": ready.content_hash,
        "audience": kept_on_hold(ready.fetched.audience),
        "owner": ready.fetched.owner,
        "modified_at": ready.fetched.modified_at,
        "synced_at": datetime.now(UTC),
    }
    of_document = (document.c.source_id == source_id, document.c.uri == ready.fetched.uri)
    stored_id = connection.execute(
        sa.update(document).where(*of_document).values(values).returning(document.c.id)
    ).scalar()
    document_id = stored_id
    if document_id is None:
        values |= {"source_id": source_id, "uri": ready.fetched.uri, "audience": ready.fetched.audience}
        new = sa.insert(document).values(values)
        document_id = connection.execute(new.returning(document.c.id)).scalar_one()
    else:
        connection.execute(sa.delete(chunk).where(chunk.c.document_id == document_id))
    rows = [
        {
            "document_id": document_id,
            "ordinal": one.ordinal,
            "header": one.header,
            "text": one.text,
            "text_hash": text_hash,
            "line": one.line,
        }
        for text_hash, one in ready.chunks
    ]
    if rows:
        connection.execute(sa.insert(chunk), rows)
    forget_failures(connection, source_id, [ready.fetched.uri])
    return stored_id is None


def move_documents(connection: sa.Connection, source_id: str, moved: Collection[tuple[str, str]]) -> None:
    """Give documents their new URIs: whatever points at them goes on pointing at them."""
    forget_failures(connection, source_id, [before for before, _ in moved])
    for before, now in moved:
        of_document = (document.c.source_id == source_id, document.c.uri == before)
        connection.execute(sa.update(document).where(*of_document).values(uri=now))


def touch_document(connection: sa.Connection, known: KnownDocument, fetched: FetchedDocument) -> None:
    """Note that a document was looked at again and says the same."""
    values: dict[str, object] = {"modified_at": fetched.modified_at, "synced_at": datetime.now(UTC)}
    # Where its source names nobody, the document itself may have.
    if fetched.owner:
        values["owner"] = fetched.owner
    if fetched.audience != known.audience.removeprefix(HELD):
        values["audience"] = kept_on_hold(fetched.audience)
    connection.execute(sa.update(document).where(document.c.id == known.id).values(values))


def delete_documents(connection: sa.Connection, source_id: str, uris: Collection[str]) -> int:
    """Delete documents with their chunks and failures; returns how many were there."""
    forget_failures(connection, source_id, uris)
    return sum(
        connection.execute(
            sa.delete(document).where(document.c.source_id == source_id, document.c.uri.in_(part))
        ).rowcount
        for part in _parts(uris)
    )


def save_failure(connection: sa.Connection, source_id: str, failure: FailedDocument, *, costly: bool) -> None:
    """List a document that could not be used; what was known of it stays."""
    now = datetime.now(UTC)
    of_document = (document_failure.c.source_id == source_id, document_failure.c.uri == failure.uri)
    attempts = 1 + (connection.scalar(sa.select(document_failure.c.attempts).where(*of_document)) or 0)
    # The first retry is with the next run: most causes are over by then.
    wait = COSTLY_RETRY if costly else min(COSTLY_RETRY, _FIRST_RETRY * 2 ** min(attempts - 2, 20))
    values = {
        "reason": failure.reason,
        "failed_at": now,
        "retry_at": now + wait if costly or attempts > 1 else now,
        "attempts": attempts,
    }
    row = upsert(document_failure).values(source_id=source_id, uri=failure.uri, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["source_id", "uri"], set_=values))


def forget_failures(connection: sa.Connection, source_id: str, uris: Collection[str]) -> None:
    """Take documents off the list of failures."""
    for part in _parts(uris):
        of_uris = (document_failure.c.source_id == source_id, document_failure.c.uri.in_(part))
        connection.execute(sa.delete(document_failure).where(*of_uris))


def document_uris(connection: sa.Connection, source_id: str) -> set[str]:
    """The URIs of all documents of a source."""
    return set(connection.execute(sa.select(document.c.uri).where(document.c.source_id == source_id)).scalars())


def chunks_without_vector(engine: sa.Engine, embedder: Embedder, source_id: str, limit: int) -> dict[str, str]:
    """Some texts of a source, by text hash, that this embedder has no vector for."""
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(chunk.c.text_hash, chunk.c.header, chunk.c.text)
            .join(document, document.c.id == chunk.c.document_id)
            .where(document.c.source_id == source_id, chunk.c.text_hash.in_(_without_vector(embedder)))
            .limit(limit)
        ).all()
    return {row.text_hash: Chunk(ordinal=0, header=row.header, text=row.text).embedded_text for row in rows}


def drop_replaced_vectors(connection: sa.Connection, embedder: Embedder) -> None:
    """Forget other embedders' vectors of texts that this one has embedded."""
    mine = vector.alias("mine")
    embedded = sa.select(mine.c.text_hash).where(mine.c.embedder == embedder.name)
    connection.execute(sa.delete(vector).where(vector.c.embedder != embedder.name, vector.c.text_hash.in_(embedded)))


def _parts(uris: Collection[str]) -> Iterator[list[str]]:
    """SQLite takes some ten thousand values in one statement, no more."""
    rest = list(uris)
    for start in range(0, len(rest), _VALUES):
        yield rest[start : start + _VALUES]


def _without_vector(embedder: Embedder) -> sa.Select[str]:
    mine = sa.select(vector.c.text_hash).where(vector.c.embedder == embedder.name)
    return sa.select(chunk.c.text_hash).where(chunk.c.text_hash.not_in(mine))


def _require_source(connection: sa.Connection, source_id: str) -> None:
    if connection.execute(sa.select(source.c.id).where(source.c.id == source_id)).first() is None:
        raise SourceError(f"The source {source_id} is not known (any more). `lorekeeper sources list` shows all.")
