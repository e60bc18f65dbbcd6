"""Answers that may be given again, and which answers were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW_COLUMNS = ("reused_from", "given_before")


def upgrade() -> None:
    """Create the table and add the columns, where the first step did not make them already."""
    connection = op.get_bind()
    tables.cached_answer.create(connection, checkfirst=True)
    there = {column["name"] for column in sa.inspect(connection).get_columns("answer")}
    for name in _NEW_COLUMNS:
        if name not in there:
            op.add_column("answer", sa.Column(name, tables.answer.c[name].type))
