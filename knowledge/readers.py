"""Who may read the documents of a source that has permissions of its own.

A source tells them with each run: `Readers` for a group audience, the audience with each document, and at the end
`PermissionsRead`. Where it has not told them for longer than the limit, its groups open nothing to anybody: somebody
may have lost the right in the meantime.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from knowledge.audience import usergroup_audience
from knowledge.database import reading
from knowledge.document import AudienceChange, Readers
from knowledge.held import AUDIENCE_ONCE_IN, kept_on_hold
from knowledge.tables import document, reader, source

PERMISSIONS_HOLD = timedelta(hours=24)
"""How long a source's word on who may read what holds, unless the settings say otherwise."""


def groups_of(
    engine: sa.Engine,
    identities: Collection[str],
    *,
    holds: timedelta = PERMISSIONS_HOLD,
    now: datetime | None = None,
) -> frozenset[str]:
    """The group audiences that a person belongs to, by Slack user id and e-mail addresses in lower case."""
    since = (now or datetime.now(UTC)) - holds
    query = (
        sa.select(reader.c.audience)
        .join(source, source.c.id == reader.c.source_id)
        .where(reader.c.member.in_(sorted(identities)), source.c.permissions_at >= since)
    )
    with reading(engine) as connection:
        return frozenset(connection.scalars(query))


def members_of(engine: sa.Engine, audience: str) -> tuple[str, ...]:
    """Who a group audience stands for, in order; nobody where it is not known."""
    with reading(engine) as connection:
        members = sa.select(reader.c.member).where(reader.c.audience == audience).distinct()
        return tuple(connection.scalars(members.order_by(reader.c.member)))


def usergroups_named(engine: sa.Engine) -> frozenset[str]:
    """The ids of the user groups that documents are for."""
    prefix = usergroup_audience("")
    # A range, so that SQLite walks through these names alone and not through all documents.
    named = document.c.audience.between(prefix, f"{prefix}\uffff")
    with reading(engine) as connection:
        found = connection.scalars(sa.select(document.c.audience).where(named).distinct())
        return frozenset(one.removeprefix(prefix) for one in found)


def save_readers(connection: sa.Connection, source_id: str, groups: Sequence[Readers]) -> None:
    """Keep who groups stand for."""
    rows = [
        {"source_id": source_id, "audience": group.audience, "member": member}
        for group in groups
        for member in sorted(group.members)
    ]
    if rows:
        connection.execute(insert(reader).on_conflict_do_nothing(), rows)


def change_audiences(connection: sa.Connection, source_id: str, changes: Sequence[AudienceChange]) -> None:
    """Let other people read documents, from the next question on."""
    for change in changes:
        of_document = (document.c.source_id == source_id, document.c.uri == change.uri)
        connection.execute(sa.update(document).where(*of_document).values(audience=kept_on_hold(change.audience)))


def confirm_permissions(connection: sa.Connection, source_id: str) -> None:
    """Note that the source told all it knows of who may read what."""
    connection.execute(sa.update(source).where(source.c.id == source_id).values(permissions_at=datetime.now(UTC)))


def drop_unused_readers(connection: sa.Connection, source_id: str) -> None:
    """Forget the members of groups that no document has any more."""
    used = sa.select(AUDIENCE_ONCE_IN).where(document.c.source_id == source_id)
    connection.execute(sa.delete(reader).where(reader.c.source_id == source_id, reader.c.audience.not_in(used)))
