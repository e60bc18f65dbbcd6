"""Standing answers and their vectors; what people see of them is in test_dialogues_curated.py."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from bot import tables
from bot.curated import renew_vectors
from bot.database import open_database
from knowledge.database import reading, writing
from tests.knowledge.fake_embedder import FakeEmbedder


def test_questions_of_another_embedder_are_embedded_again(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    kept = {"team": "T1", "text": "At the desk.", "audience": "everyone", "approved_by": "U1"}
    with writing(engine) as connection:
        for question, made_by in (("Who issues badges?", "before"), ("Where is the desk?", "now")):
            row = {"question": question, "embedder": made_by, "vector": b"", "approved_at": datetime.now(UTC)}
            connection.execute(sa.insert(tables.curated).values(**kept, **row))
    embedder = FakeEmbedder(name="now", dim=32)
    renew_vectors(engine, embedder)
    with reading(engine) as connection:
        first, second = connection.execute(sa.select(tables.curated).order_by(tables.curated.c.id)).all()
    engine.dispose()
    assert (first.embedder, second.embedder, second.vector) == ("now", "now", b"")
    np.testing.assert_array_equal(np.frombuffer(first.vector, np.float32), embedder.embed([first.question])[0])
