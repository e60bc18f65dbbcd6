"""The tables of the first version, as both packages define them."""

from __future__ import annotations

from alembic import op

from bot import tables as bot_tables
from knowledge import tables as knowledge_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    connection = op.get_bind()
    knowledge_tables.create_all(connection)
    bot_tables.create_all(connection)
