"""Which documents hold which messages of channels that are sources, and which of those changed."""

from __future__ import annotations

from alembic import op

from bot import tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; the next reading of a channel fills them."""
    tables.create_all(op.get_bind())
