"""Documents that are kept and that nobody is answered from, until a person lets them in; see `knowledge.quarantine`.

Their audience says so, in SQL: every rule about who may read what keeps them out, too.
"""

from __future__ import annotations

import sqlalchemy as sa

from knowledge.audience import HELD, Audience, held_audience
from knowledge.database import reading
from knowledge.tables import document

IS_HELD = document.c.audience.startswith(HELD, autoescape=True)
"""Of a document's row, as a condition."""
AUDIENCE_ONCE_IN = sa.func.replace(document.c.audience, HELD, "")
"""Of a document's row: its audience, or the one that it is to have."""


def kept_on_hold(audience: str) -> sa.ColumnElement[str]:
    """The audience that a stored document gets: where it is held, it stays so, whoever may read it."""
    return sa.case((IS_HELD, held_audience(audience)), else_=audience)


def hold(connection: sa.Connection, source_id: str, uris: list[str]) -> None:
    """Hold documents that are stored."""
    values = {"audience": sa.literal(HELD) + document.c.audience}
    of_uris = (document.c.source_id == source_id, document.c.uri.in_(uris), ~IS_HELD)
    connection.execute(sa.update(document).where(*of_uris).values(values))


def count_held(connection: sa.Connection, source_id: str) -> int:
    """Count the documents of a source that are held."""
    query = sa.select(sa.func.count()).select_from(document).where(document.c.source_id == source_id, IS_HELD)
    return connection.execute(query).scalar_one()


def held_titles(engine: sa.Engine, source_id: str, audience: Audience, limit: int) -> tuple[str, ...]:
    """The first titles of what is held of a source, as far as these readers may read it once it is let in."""
    theirs = (document.c.source_id == source_id, IS_HELD, AUDIENCE_ONCE_IN.in_(sorted(audience.readable)))
    query = sa.select(document.c.title).where(*theirs).order_by(document.c.title, document.c.id).limit(limit)
    with reading(engine) as connection:
        return tuple(connection.scalars(query))


def held_counts(engine: sa.Engine) -> dict[str, int]:
    """How many documents are held, by source id; sources without any are left out."""
    query = sa.select(document.c.source_id, sa.func.count()).where(IS_HELD).group_by(document.c.source_id)
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(query)}
