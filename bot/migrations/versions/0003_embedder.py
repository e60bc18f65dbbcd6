"""What a generation of the index was made with: the embedder's longest text and its prefixes, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from knowledge.tables import generation

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NEW_COLUMNS = ("max_tokens", "passage_prefix", "question_prefix")


def upgrade() -> None:
    """Add the columns; a database made by this version has them since its first step."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("generation")}
    for name in _NEW_COLUMNS:
        if name not in there:
            column = generation.c[name]
            op.add_column(
                "generation", sa.Column(name, column.type, nullable=False, server_default=column.server_default)
            )
