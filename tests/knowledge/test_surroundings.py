"""What stands around a passage: read with it, under the same heading, each text once."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.library import Library
from knowledge.retrieve import RetrievalOptions
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

BEFORE = "Ask the desk first. Bring a passport."
FOUND = "Badges are issued by Maria Lopez."
AFTER = "Lost ones cost 15 euros. Stolen ones are free."
LATER = "Contractors pay a deposit."


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    return Shelf(engine, FakeEmbedder())


def find(engine: sa.Engine, question: str, *, room: int, k: int = 1, audience: Audience | None = None) -> list[Passage]:
    options = RetrievalOptions(beside_characters=room)
    with Library.open(engine, FakeEmbedder(), None, options) as library:
        found = library.retrieve(Question(text=question), audience or Audience.everyone(), k)
    return list(found.passages)


def section(passage: Passage) -> list[str]:
    return [part.text for part in passage.section]


def test_a_passage_comes_with_what_stands_before_and_after_it(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", BEFORE, FOUND, AFTER, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=400)
    assert passage.text == FOUND
    assert section(passage) == [BEFORE, FOUND, AFTER]


def test_what_stands_beside_can_be_cited_on_its_own(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", FOUND, AFTER, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=400)
    (beside,) = passage.beside
    assert (beside.id, beside.uri, beside.header) == (passage.id + 1, "badges", "Badges")
    assert beside.text_hash != passage.text_hash


def test_a_small_room_takes_the_nearest_sentences(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", BEFORE, FOUND, AFTER, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=50)
    assert section(passage) == ["Bring a passport.", FOUND, "Lost ones cost 15 euros."]


def test_no_room_means_nothing_beside(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", BEFORE, FOUND, AFTER, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=0)
    assert passage.beside == ()


def test_what_one_side_lacks_the_other_may_use(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", BEFORE, FOUND, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=60)
    assert section(passage) == [BEFORE, FOUND]


def test_another_heading_ends_a_section(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("other", LATER, header="Contractors")
    shelf.put("badges", FOUND, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=400)
    assert passage.beside == ()


def test_found_neighbours_stand_beside_nothing(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("badges", BEFORE, FOUND, AFTER, LATER, header="Badges")
    passages = find(engine, "Badges issued by Maria Lopez, lost ones cost?", room=400, k=2)
    read = [part.text for passage in passages for part in passage.section]
    assert sorted(read) == sorted([BEFORE, FOUND, AFTER, LATER])


def test_what_may_not_be_read_stands_beside_nothing(engine: sa.Engine, shelf: Shelf) -> None:
    """The neighbours of a passage are in its document, and a document has one audience."""
    shelf.put("secret", BEFORE, FOUND, AFTER, header="Badges", audience="channel:C1")
    shelf.put("open", LATER, header="Badges")
    (passage,) = find(engine, "Who issues badges, Maria Lopez?", room=400, k=5)
    assert section(passage) == [LATER]
