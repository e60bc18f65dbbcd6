"""What the learning loop keeps: signals, tombstones, versions of the model with their history, and alerts."""

from __future__ import annotations

from alembic import op

from bot import tables

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    tables.create_all(op.get_bind())
