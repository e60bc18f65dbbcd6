"""Who may read a document, and which documents a reader may be told of: as of now, for whoever administers. Reads only.

Knows SQL, not Slack: whoever asks brings names and channels along, where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from knowledge.audience import EVERYONE, Audience, is_document_audience
from knowledge.database import reading
from knowledge.readers import PERMISSIONS_HOLD, members_of
from knowledge.tables import document, source

_MOST_FOUND = 20
ReaderKind = Literal["everyone", "channel", "person", "usergroup", "group", "nobody"]


@dataclass(frozen=True, kw_only=True)
class DocumentReaders:
    """Who may read one document."""

    uri: str
    title: str
    source: str
    kind: ReaderKind
    who: str = ""
    """The id of the channel, the person or the user group."""
    members: tuple[str, ...] = ()
    """Of a group: Slack user ids and e-mail addresses, as the source listed them."""
    reason: str = ""
    """Why nobody may read it."""


@dataclass(frozen=True, kw_only=True)
class VisibleSource:
    """What a reader may be told of one source."""

    source: str
    documents: int
    titles: tuple[str, ...]
    uris: tuple[str, ...]


def find_readers(
    engine: sa.Engine, key: str, *, holds: timedelta = PERMISSIONS_HOLD, now: datetime | None = None
) -> tuple[DocumentReaders, ...]:
    """Tell who may read the documents with this URI or title, or with this in their title; none where there is none."""
    with reading(engine) as connection:
        rows = _find(connection, key)
    return tuple(_readers(engine, row, holds, now or datetime.now(UTC)) for row in rows)


def list_visible(
    engine: sa.Engine, audience: Audience, *, titles: int | None = 5, sources: frozenset[str] | None = None
) -> tuple[VisibleSource, ...]:
    """List what an answer to this audience may stand on, source by source; `titles`: so many of each, None for all."""
    readable = sorted(audience.readable)
    mine = [document.c.source_id == source.c.id, document.c.audience.in_(readable)]
    if sources is not None:
        mine.append(document.c.source_id.in_(sorted(sources)))
    counts = sa.select(source.c.id, source.c.name, sa.func.count()).where(*mine).group_by(source.c.id)
    found = []
    with reading(engine) as connection:
        for source_id, name, count in connection.execute(counts.order_by(source.c.name)).all():
            first = sa.select(document.c.title, document.c.uri).where(
                document.c.source_id == source_id, document.c.audience.in_(readable)
            )
            shown = connection.execute(first.order_by(document.c.title, document.c.uri).limit(titles)).all()
            found.append(
                VisibleSource(
                    source=name,
                    documents=count,
                    titles=tuple(row.title for row in shown),
                    uris=tuple(row.uri for row in shown),
                )
            )
    return tuple(found)


def _find(connection: sa.Connection, key: str) -> Sequence[Any]:
    """By URI, else by the whole title, else by a part of it."""
    columns = (document.c.uri, document.c.title, document.c.audience)
    query = sa.select(*columns, source.c.name, source.c.permissions_at).join(
        source, source.c.id == document.c.source_id
    )
    title = sa.func.lower(document.c.title)
    ways = (document.c.uri == key, title == key.lower(), title.contains(key.lower(), autoescape=True))
    for way in ways:
        rows = connection.execute(query.where(way).order_by(document.c.title, document.c.uri).limit(_MOST_FOUND)).all()
        if rows:
            return rows
    return ()


def _readers(engine: sa.Engine, row: Any, holds: timedelta, now: datetime) -> DocumentReaders:
    named = {"uri": row.uri, "title": row.title, "source": row.name}
    kind, _, who = row.audience.partition(":")
    if row.audience == EVERYONE:
        return DocumentReaders(**named, kind="everyone")
    if not is_document_audience(row.audience):
        return DocumentReaders(**named, kind="nobody", reason=f"it is held back ({row.audience})")
    if kind != "group":
        return DocumentReaders(**named, kind=kind, who=who)
    members = members_of(engine, row.audience)
    if not members:
        return DocumentReaders(**named, kind="nobody", reason="its source lets nobody read it, or it is held back")
    if row.permissions_at is None:
        return DocumentReaders(**named, kind="nobody", reason="its source never told all who may read it")
    if row.permissions_at < now - holds:
        told = f"its source told who may read it {_hours(now - row.permissions_at)} ago"
        reason = f"{told}, and that holds for {_hours(holds)}: `lorekeeper sync` asks again"
        return DocumentReaders(**named, kind="nobody", reason=reason)
    return DocumentReaders(**named, kind="group", members=members)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.0f} h"
