"""Who asked for a source to be read."""

from __future__ import annotations

from alembic import op

from bot import tables

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    tables.create_all(op.get_bind())
