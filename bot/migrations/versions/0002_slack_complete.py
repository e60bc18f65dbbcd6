"""People's and channels' settings, revisions, curated answers, requests for a person, saved notes, receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEW_COLUMNS = ("visibility", "approved_by", "understood", "revision", "delivered_by")


def upgrade() -> None:
    """Create the new tables and add the new columns.

    A database made by this version has them since its first step, which creates the tables as they are today.
    """
    connection = op.get_bind()
    tables.create_all(connection)
    op.create_index("inbox_asked", "inbox", ["user", "received_at"], if_not_exists=True)
    there = {column["name"] for column in sa.inspect(connection).get_columns("answer")}
    for name in _NEW_COLUMNS:
        if name not in there:
            column = tables.answer.c[name]
            op.add_column(
                "answer",
                sa.Column(name, column.type, nullable=False, server_default=column.server_default),
            )
