"""The rows of sources: added, listed, removed, and how each is doing. Documents are written by INGEST."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from knowledge.audience import EVERYONE, is_document_audience
from knowledge.database import reading, writing
from knowledge.document import FailedDocument, FetchedDocument
from knowledge.errors import DocumentError, SourceError
from knowledge.held import AUDIENCE_ONCE_IN, IS_HELD, count_held
from knowledge.parse import ParsedDocument, Parser
from knowledge.priors import TRUSTS, Trust
from knowledge.sources import Source, kind_of, name_of, whole_location
from knowledge.sources.files import MEDIA_TYPES
from knowledge.tables import chunk, document, document_failure, source, sync_run
from knowledge.tables import vector as vector_table

_TRIED_DOCUMENTS = 20


@dataclass(frozen=True, kw_only=True)
class StoredSource:
    """A source as it was added."""

    id: str
    kind: str
    name: str
    location: str
    audience: str
    interval_minutes: int | None
    """None: the schedule's own interval."""
    trust: Trust
    added_at: datetime
    credential: str | None = None
    """The name of what opens it."""
    cron: str | None = None
    """When it is read, as cron writes it, instead of the interval."""
    zone: str = "UTC"
    """The time zone of `cron` and `quiet`."""
    quiet: str | None = None
    """Hours in which it is not read, like 22:00-06:00."""
    jitter_minutes: int = 0
    most_minutes: int | None = None
    """A run that takes longer is ended, and goes on with the next."""
    paused: bool = False
    code: bool = False
    """Whether its source code is read, too."""


@dataclass(frozen=True, kw_only=True)
class SyncRun:
    """One run of INGEST over one source."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    """None while it runs, or when its process ended without a word."""
    added: int
    changed: int
    deleted: int
    failed: int
    unchanged: int
    error: str | None


@dataclass(frozen=True, kw_only=True)
class SourceStatus:
    """A source and how it is doing."""

    source: StoredSource
    documents: int
    chunks: int
    last_run: SyncRun | None
    failures: tuple[FailedDocument, ...]
    held: int = 0
    """Of its documents; see `knowledge.quarantine`."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """When a source is read; what each means stands at `StoredSource`."""

    interval_minutes: int | None = None
    cron: str | None = None
    zone: str = "UTC"
    quiet: str | None = None
    jitter_minutes: int = 0
    most_minutes: int | None = None


def add_source(
    engine: sa.Engine,
    *,
    kind: str,
    location: str,
    audience: str = EVERYONE,
    name: str | None = None,
    times: Times | None = None,
    trust: Trust = "usual",
    credential: str | None = None,
    code: bool = False,
) -> StoredSource:
    """Store a source; nothing is read yet. Raises SourceError where it is there already."""
    location = whole_location(kind, location)
    _check_trust(trust)
    if not is_document_audience(audience):
        raise SourceError(f"The audience is {audience!r}, expected `everyone`, `channel:<id>` or `person:<id>`.")
    added = StoredSource(
        id=source_id(kind, location),
        kind=kind,
        name=name or name_of(location, kind),
        location=location,
        audience=audience,
        trust=trust,
        added_at=datetime.now(UTC),
        credential=credential,
        code=code,
        **asdict(times or Times()),
    )
    with writing(engine) as connection:
        known = connection.execute(
            sa.select(source.c.name, source.c.location).where(
                sa.or_(source.c.id == added.id, source.c.name == added.name)
            )
        ).first()
        if known and known.location == location:
            raise SourceError(f"{location} is known already, as {known.name!r}. `lorekeeper sync` reads it again.")
        if known:
            raise SourceError(f"A source named {added.name!r} is known already ({known.location}). Give another name.")
        connection.execute(sa.insert(source).values(_columns(added)))
    return added


def source_id(kind: str, location: str) -> str:
    """Name a source by what it is, so that adding it again is noticed."""
    return hashlib.sha256(f"{kind}\0{location}".encode("utf-8", "surrogateescape")).hexdigest()[:12]


def find_source(engine: sa.Engine, key: str) -> StoredSource | None:
    """Find a source by id, name or location."""
    places = {key, whole_location("files", key), whole_location(kind_of(key), key)}
    with reading(engine) as connection:
        query = _select_sources().where(sa.or_(source.c.id == key, source.c.name == key, source.c.location.in_(places)))
        row = connection.execute(query).mappings().first()
    return StoredSource(**row) if row else None


def list_sources(engine: sa.Engine) -> tuple[StoredSource, ...]:
    """All sources, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(_select_sources().order_by(source.c.added_at, source.c.id)).mappings().all()
    return tuple(StoredSource(**row) for row in rows)


def has_unread_sources(engine: sa.Engine) -> bool:
    """Tell whether any source was never read to its end yet: what was not found may stand there."""
    ended = sa.select(sync_run.c.id).where(sync_run.c.source_id == source.c.id, sync_run.c.finished_at.is_not(None))
    with reading(engine) as connection:
        return connection.execute(sa.select(source.c.id).where(~ended.exists()).limit(1)).first() is not None


def trust_source(engine: sa.Engine, trusted_id: str, trust: Trust) -> None:
    """Say how far a source's word goes; nothing is read again. Raises SourceError where there is none."""
    _check_trust(trust)
    _change(engine, trusted_id, {"trust": trust})


def schedule_source(engine: sa.Engine, scheduled_id: str, times: Times) -> None:
    """Read a source at other times from now on. Raises SourceError where there is none."""
    _change(engine, scheduled_id, asdict(times))


def pause_source(engine: sa.Engine, paused_id: str, *, paused: bool = True) -> None:
    """Read a source no more by itself, or again; what is known of it stays. Raises SourceError where there is none."""
    _change(engine, paused_id, {"paused": paused})


def read_code(engine: sa.Engine, changed_id: str, *, code: bool = True) -> None:
    """Read a source's code too from the next run on, or no more: that run forgets it. Raises SourceError."""
    _change(engine, changed_id, {"code": code})


def is_paused(engine: sa.Engine, asked_id: str) -> bool:
    """Tell whether a source is read no more by itself."""
    with reading(engine) as connection:
        return bool(connection.scalar(sa.select(source.c.paused).where(source.c.id == asked_id)))


def source_runs(engine: sa.Engine, of_source: str, limit: int = 20) -> tuple[SyncRun, ...]:
    """The latest runs over a source, the newest first; the last hundred are kept."""
    with reading(engine) as connection:
        rows = connection.execute(_runs(of_source).limit(limit)).mappings().all()
    return tuple(SyncRun(**row) for row in rows)


def remove_source(engine: sa.Engine, removed_id: str) -> int:
    """Remove a source with all that is known from it; returns how many documents that were."""
    with writing(engine) as connection:
        count = connection.execute(_count_documents(removed_id)).scalar_one()
        found = connection.execute(sa.delete(source).where(source.c.id == removed_id)).rowcount
        if not found:
            raise SourceError(f"No source has the id {removed_id!r}. `lorekeeper sources list` shows them.")
        drop_unused_vectors(connection)
    return count


def release_held(engine: sa.Engine, source_id: str) -> int:
    """Let in what is held of a source, from the next question on; returns how many documents that were."""
    with writing(engine) as connection:
        change = sa.update(document).where(document.c.source_id == source_id, IS_HELD)
        return connection.execute(change.values(audience=AUDIENCE_ONCE_IN)).rowcount


def discard_held(engine: sa.Engine, source_id: str) -> int:
    """Forget what is held of a source; returns how many documents that were."""
    with writing(engine) as connection:
        gone = connection.execute(sa.delete(document).where(document.c.source_id == source_id, IS_HELD)).rowcount
        drop_unused_vectors(connection)
    return gone


def source_statuses(engine: sa.Engine) -> tuple[SourceStatus, ...]:
    """How every source is doing, oldest first."""
    sources = list_sources(engine)
    with reading(engine) as connection:
        return tuple(_status(connection, one) for one in sources)


def try_source(tried: Source, parser: Parser) -> ParsedDocument:
    """Read and convert one document, before a person is told that a source works. Raises SourceError if none can."""
    reasons: list[str] = []
    for change in _first_documents(tried):
        if isinstance(change, FailedDocument):
            reasons.append(change.reason)
            continue
        try:
            return parser.parse(change)
        except DocumentError as error:
            reasons.append(str(error))
    if reasons:
        raise SourceError(f"None of the first {len(reasons)} documents can be read. The first: {reasons[0]}")
    raise SourceError(f"There is no document in it that can be read. These can: {', '.join(MEDIA_TYPES)}.")


def drop_unused_vectors(connection: sa.Connection) -> None:
    """Forget the vectors of texts that no chunk has any more: they say much about the text."""
    connection.execute(sa.delete(vector_table).where(vector_table.c.text_hash.not_in(sa.select(chunk.c.text_hash))))


def _change(engine: sa.Engine, changed_id: str, values: Mapping[str, object]) -> None:
    with writing(engine) as connection:
        if not connection.execute(sa.update(source).where(source.c.id == changed_id).values(values)).rowcount:
            raise SourceError(f"No source has the id {changed_id!r}. `lorekeeper sources list` shows them.")


def _check_trust(trust: str) -> None:
    if trust not in TRUSTS:
        raise SourceError(f"The trust is {trust!r}, expected one of: {', '.join(TRUSTS)}.")


def _first_documents(tried: Source) -> Iterator[FetchedDocument | FailedDocument]:
    count = 0
    for step in tried.changes(None):
        if isinstance(step, FetchedDocument | FailedDocument):
            yield step
            count += 1
        if count == _TRIED_DOCUMENTS:
            return


def _status(connection: sa.Connection, one: StoredSource) -> SourceStatus:
    chunks = (
        sa.select(sa.func.count())
        .select_from(chunk.join(document, document.c.id == chunk.c.document_id))
        .where(document.c.source_id == one.id)
    )
    run = connection.execute(_runs(one.id).limit(1)).mappings().first()
    failures = connection.execute(
        sa.select(document_failure.c.uri, document_failure.c.reason)
        .where(document_failure.c.source_id == one.id)
        .order_by(document_failure.c.uri)
    )
    return SourceStatus(
        source=one,
        documents=connection.execute(_count_documents(one.id)).scalar_one(),
        chunks=connection.execute(chunks).scalar_one(),
        last_run=SyncRun(**run) if run else None,
        failures=tuple(FailedDocument(uri=row.uri, reason=row.reason) for row in failures),
        held=count_held(connection, one.id),
    )


def _runs(of_source: str) -> sa.Select[tuple[int]]:
    return (
        sa.select(*(column for column in sync_run.c if column is not sync_run.c.source_id))
        .where(sync_run.c.source_id == of_source)
        .order_by(sync_run.c.id.desc())
    )


def _count_documents(of_source: str) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(document).where(document.c.source_id == of_source)


def _select_sources() -> sa.Select[tuple[str]]:
    return sa.select(*(source.c[name] for name in StoredSource.__dataclass_fields__))


def _columns(stored: StoredSource) -> dict[str, object]:
    return {name: getattr(stored, name) for name in StoredSource.__dataclass_fields__}
