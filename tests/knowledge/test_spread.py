"""Not all places go to one hand, where others say nearly as well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import writing
from knowledge.document import Passage, Question
from knowledge.library import Library
from knowledge.retrieve import RetrievalOptions
from knowledge.spread import Spread, spread_out
from knowledge.tables import document
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

CAPS = Spread()


def passage(number: int, score: float, *, uri: str = "", owner: str = "") -> Passage:
    return Passage(
        id=number,
        document_id=number,
        source="s",
        uri=uri or f"file:///{number}.md",
        title="T",
        header="T",
        text=f"text {number}",
        text_hash=str(number),
        audience="everyone",
        score=score,
        cosine=0.5,
        word_score=0.5,
        modified_at=datetime(2026, 1, 1, tzinfo=UTC),
        owner=owner,
    )


def chosen(passages: list[Passage], places: int = 4) -> list[int]:
    return [one.id for one in spread_out(passages, places, CAPS)]


def test_a_document_has_three_of_four_places_where_others_are_close() -> None:
    one = [passage(number, 0.8 - number / 100, uri="file:///a.md") for number in range(5)]
    assert chosen([*one, passage(9, 0.72)]) == [0, 1, 2, 9]
    assert chosen([*one, passage(9, 0.5)]) == [0, 1, 2, 3]
    assert chosen(one) == [0, 1, 2, 3]
    assert chosen(one, places=1) == [0]
    assert chosen([], places=4) == []


def test_an_author_has_half_of_the_places_but_in_an_official_source() -> None:
    many = [passage(number, 0.8 - number / 100, owner="Mallory" if number % 2 else "MALLORY") for number in range(5)]
    others = [passage(8, 0.71, owner="Ana"), passage(9, 0.70)]
    assert chosen([*many, *others]) == [0, 1, 8, 9]
    official = [replace(one, trust="official") for one in many]
    assert chosen([*official, *others]) == [0, 1, 2, 3]


def test_an_informal_source_has_half_of_the_places() -> None:
    chat = [replace(passage(number, 0.8 - number / 100), trust="informal", source="chat") for number in range(5)]
    assert chosen([*chat, passage(8, 0.71), passage(9, 0.70)]) == [0, 1, 8, 9]


def test_the_caps_hold_in_retrieval() -> None:
    with Library.in_memory(FakeEmbedder(dim=256), RetrievalOptions(spread=Spread(close=1.0))) as library:
        shelf = Shelf(library.engine, FakeEmbedder(dim=256))
        for number in range(6):
            shelf.put(f"flood/{number}", f"Badges are issued at window {number} of the desk.")
        with writing(library.engine) as connection:
            connection.execute(sa.update(document).values(owner="Mallory"))
        shelf.put("handbook", "Badges are issued at the front of the desk.")
        shelf.put("wiki", "Badges are issued at the desk of the office.")
        asked = Question(text="Badges are issued at which window of the desk?")
        found = library.retrieve(asked, Audience.everyone(), 4).passages
    assert sum(one.owner == "Mallory" for one in found) == 2
    assert {"handbook", "wiki"} <= {one.uri for one in found}
