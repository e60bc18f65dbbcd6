"""How far the word of a source goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from knowledge.tables import source

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; a database made by this version has it since its first step."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("source")}
    if "trust" not in there:
        trust = source.c.trust
        op.add_column("source", sa.Column("trust", trust.type, nullable=False, server_default=trust.server_default))
