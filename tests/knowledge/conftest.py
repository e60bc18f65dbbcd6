"""What most tests of the package begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.database import open_engine
from knowledge.tables import create_tables


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database of its own with the tables of knowledge, and nothing in them."""
    engine = open_engine(f"sqlite:///{tmp_path / 'test.db'}")
    create_tables(engine)
    yield engine
    engine.dispose()
