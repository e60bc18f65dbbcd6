"""What an answer stands on is asked anew: a document that is gone, shut or renamed is not named to others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bot.cite import citation_of
from bot.conversation import save_answer
from bot.database import open_database
from bot.grounds import may_be_used, stored_grounds
from bot.turn import Incoming
from bot.why import load_why, may_all_be_read
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.library import Library
from knowledge.tables import document
from tests.bot.dialogue import make_answer
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf


def test_a_renamed_document_for_other_people_is_named_to_nobody_else(tmp_path: Path) -> None:
    engine, everyone = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}"), Audience.everyone()
    shelf = Shelf(engine, FakeEmbedder())
    row = shelf.put("file:///plans.md", "The plans are secret.", header="Plans")
    with Library.open(engine, FakeEmbedder(), None) as library:
        passages = library.retrieve(Question(text="plans"), everyone, 4).passages
    citations = (citation_of(passages[0], 1, passages[0].text),)
    asked = Incoming(
        team="T1",
        channel="C1",
        channel_kind="public",
        user="U1",
        ts="1.0",
        thread_ts=None,
        text="Which plans?",
        mentioned=True,
    )
    answer = replace(make_answer("Secret [1]"), passages=passages, citations=citations)
    answer_id = save_answer(engine, asked, answer)

    def stands(*, unchanged: bool = True) -> bool:
        with reading(engine) as connection:
            return may_be_used(connection, stored_grounds(connection, answer_id), everyone, unchanged=unchanged)

    assert stands()
    assert may_all_be_read(engine, answer_id, everyone)
    with writing(engine) as connection:
        moved = {"uri": "file:///moved.md", "audience": "person:U9"}
        connection.execute(sa.update(document).where(document.c.id == row).values(moved))
    why = load_why(engine, answer_id, everyone)
    assert why is not None
    assert (why.passages, why.hidden) == ((), 1)
    assert not may_all_be_read(engine, answer_id, everyone)
    assert not stands(unchanged=False)
    engine.dispose()
