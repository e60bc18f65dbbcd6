"""Files that are kept with notes, and which files came with a question."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a column; a database made by this version has them since its first step."""
    connection = op.get_bind()
    tables.create_all(connection)
    there = {column["name"] for column in sa.inspect(connection).get_columns("answer")}
    files = tables.answer.c.files
    if files.name not in there:
        op.add_column("answer", sa.Column(files.name, files.type, nullable=False, server_default=files.server_default))
