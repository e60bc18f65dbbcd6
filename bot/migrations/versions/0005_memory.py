"""What turns are found by in later conversations."""

from __future__ import annotations

from alembic import op

from bot import tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, its word index and the triggers; the schedule fills it from the turns that are there."""
    tables.create_all(op.get_bind())
