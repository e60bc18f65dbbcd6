"""What opens sources, when they are read and tried again, and who may read what they hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables as bot_tables
from knowledge import tables as knowledge_tables

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; a database made by this version has them since its first step."""
    connection = op.get_bind()
    knowledge_tables.create_all(connection)
    bot_tables.create_all(connection)
    for table in (
        knowledge_tables.source,
        knowledge_tables.document,
        knowledge_tables.document_failure,
        bot_tables.job_run,
    ):
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        for column in table.c:
            if column.name not in there:
                added = sa.Column(
                    column.name, column.type, nullable=column.nullable, server_default=column.server_default
                )
                op.add_column(table.name, added)
