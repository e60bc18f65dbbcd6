"""Who may read a document, and which documents a reader may be told of: as of now, for whoever administers. Reads only.

Knows SQL, not Slack: whoever asks brings names and channels along, where there are any. An operator sees it all;
to others only what they may read themselves is named (`within` and `shown_to`).
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
ReaderReason = Literal["source", "document", "permissions"]
"""Where it is set who may read a document: for its whole source, for itself or its folder, or as its source lists."""


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
    set_by: ReaderReason = "document"


@dataclass(frozen=True, kw_only=True)
class VisibleSource:
    """What a reader may be told of one source."""

    source: str
    documents: int
    titles: tuple[str, ...]
    uris: tuple[str, ...]
    unnamed: int = 0
    """How many of the documents whoever looks may not read: these are counted and not named."""


def find_readers(
    engine: sa.Engine,
    key: str,
    *,
    within: Audience | None = None,
    holds: timedelta = PERMISSIONS_HOLD,
    now: datetime | None = None,
) -> tuple[DocumentReaders, ...]:
    """Tell who may read the documents with this URI or title, or with these words in their title.

    `within`: only documents that these readers may read; others are as if they were not there.
    """
    with reading(engine) as connection:
        rows = _find(connection, key, within)
    return tuple(_readers(engine, row, holds, now or datetime.now(UTC)) for row in rows)


def list_visible(
    engine: sa.Engine,
    audience: Audience,
    *,
    titles: int | None = 5,
    sources: frozenset[str] | None = None,
    shown_to: Audience | None = None,
) -> tuple[VisibleSource, ...]:
    """List what an answer to this audience may stand on, source by source; `titles`: so many of each, None for all.

    `shown_to` is who looks: of what they may not read themselves there are counts only, and sources that they may not
    read are summed up as one without a name, the last.
    """
    readable = sorted(audience.readable)
    mine = [document.c.source_id == source.c.id, document.c.audience.in_(readable)]
    if sources is not None:
        mine.append(document.c.source_id.in_(sorted(sources)))
    nameable = readable if shown_to is None else sorted(audience.readable & shown_to.readable)
    named = sa.func.count().filter(document.c.audience.in_(nameable)).label("named")
    counts = sa.select(source.c.id, source.c.name, source.c.audience, sa.func.count().label("documents"), named)
    found, unnamed = [], 0
    with reading(engine) as connection:
        for row in connection.execute(counts.where(*mine).group_by(source.c.id).order_by(source.c.name)).all():
            if shown_to is not None and not shown_to.may_read(row.audience):
                unnamed += row.documents
                continue
            first = sa.select(document.c.title, document.c.uri).where(
                document.c.source_id == row.id, document.c.audience.in_(nameable)
            )
            shown = connection.execute(first.order_by(document.c.title, document.c.uri).limit(titles)).all()
            found.append(
                VisibleSource(
                    source=row.name,
                    documents=row.documents,
                    titles=tuple(one.title for one in shown),
                    uris=tuple(one.uri for one in shown),
                    unnamed=row.documents - row.named,
                )
            )
    rest = VisibleSource(source="", documents=unnamed, titles=(), uris=(), unnamed=unnamed)
    return (*found, rest) if unnamed else tuple(found)


def _find(connection: sa.Connection, key: str, within: Audience | None) -> Sequence[Any]:
    """By URI, else by the whole title, else by a part of it, else by words of it in any order."""
    columns = (document.c.uri, document.c.title, document.c.audience, source.c.audience.label("source_audience"))
    query = sa.select(*columns, source.c.name, source.c.permissions_at).join(
        source, source.c.id == document.c.source_id
    )
    if within is not None:
        query = query.where(document.c.audience.in_(sorted(within.readable)))
    title = sa.func.lower(document.c.title)
    words = [title.contains(word, autoescape=True) for word in key.lower().split()]
    part = title.contains(key.lower(), autoescape=True)
    for way in (document.c.uri == key, title == key.lower(), part, sa.and_(sa.true(), *words)):
        rows = connection.execute(query.where(way).order_by(document.c.title, document.c.uri).limit(_MOST_FOUND)).all()
        if rows:
            return rows
    return ()


def _readers(engine: sa.Engine, row: Any, holds: timedelta, now: datetime) -> DocumentReaders:
    set_by: ReaderReason = "source" if row.audience == row.source_audience else "document"
    named: dict[str, Any] = {"uri": row.uri, "title": row.title, "source": row.name, "set_by": set_by}
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
    return DocumentReaders(**named | {"set_by": "permissions"}, kind="group", members=members)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.0f} h"
