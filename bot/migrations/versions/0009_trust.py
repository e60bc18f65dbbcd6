"""When a citation's document was changed and who answers for it; what is said beside an answer about its sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ADDED = {"citation": ("dated", "owner", "trust"), "answer": ("note",)}


def upgrade() -> None:
    """Add the columns; a database made by this version has them since its first step."""
    connection = op.get_bind()
    for name, columns in _ADDED.items():
        there = {column["name"] for column in sa.inspect(connection).get_columns(name)}
        for column in (tables.metadata.tables[name].c[column] for column in columns):
            if column.name not in there:
                added = sa.Column(
                    column.name, column.type, nullable=column.nullable, server_default=column.server_default
                )
                op.add_column(name, added)
