"""Which sources' code is read, and at which line of its document a citation stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables as bot_tables
from knowledge import tables as knowledge_tables

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; a database made by this version has them since its first step."""
    connection = op.get_bind()
    for table in (knowledge_tables.source, bot_tables.citation):
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        for column in table.c:
            if column.name not in there:
                added = sa.Column(
                    column.name, column.type, nullable=column.nullable, server_default=column.server_default
                )
                op.add_column(table.name, added)
