"""Of passages that fit about equally well the newer and the trusted come first; what fits better always does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.errors import SourceError
from knowledge.library import Library
from knowledge.priors import PriorWeights, Trust, newest_of, prior
from knowledge.retrieve import RetrievalOptions
from knowledge.store import add_source, find_source, trust_source
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

NEWEST = datetime(2026, 6, 1, tzinfo=UTC)
OLDER = NEWEST - timedelta(days=360)
WEIGHTS = PriorWeights(recency=0.04, half_life_days=180.0, trust=0.05)
NONE = PriorWeights(recency=0.0, trust=0.0)


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    shelf = Shelf(engine, FakeEmbedder())
    shelf.add_source("handbook", "Handbook", trust="official")
    shelf.add_source("notes", "Notes", trust="informal")
    # Scores are stretched between the best and the worst that is found: something must be far off.
    for number in range(20):
        shelf.put(f"other{number}", f"thing{number} stands elsewhere{number}", modified_at=None)
    return shelf


def put_lunch(shelf: Shelf, uri: str, when: str, **more: Any) -> None:
    """Something about lunch that fits exactly as well as any other."""
    shelf.put_vectors(uri, [f"lunch is at {when}"], FakeEmbedder().embed(["lunch"]), **more)


def found(engine: sa.Engine, question: str, weights: PriorWeights = WEIGHTS) -> list[Passage]:
    with Library.open(engine, FakeEmbedder(), None, RetrievalOptions(priors=weights)) as library:
        return list(library.retrieve(Question(text=question), Audience.everyone(), 5).passages)


@pytest.mark.parametrize(
    ("trust", "age_days", "expected"),
    [
        ("usual", 0, 0.04),
        ("usual", 180, 0.02),
        ("usual", 360, 0.01),
        ("official", 0, 0.09),
        ("informal", 0, -0.01),
        ("usual", None, 0.0),
    ],
)
def test_age_halves_what_is_added_and_the_source_adds_or_takes(
    trust: str, age_days: int | None, expected: float
) -> None:
    modified_at = None if age_days is None else NEWEST - timedelta(days=age_days)
    assert prior(trust, modified_at, NEWEST, WEIGHTS) == pytest.approx(expected)


def test_the_newest_is_the_latest_that_is_known() -> None:
    assert newest_of([OLDER, None, NEWEST]) == NEWEST
    assert newest_of([None]) is None


@pytest.mark.parametrize("newer", ["a", "b"])
def test_of_two_versions_the_newer_comes_first(engine: sa.Engine, shelf: Shelf, newer: str) -> None:
    put_lunch(shelf, "a", "noon", modified_at=NEWEST if newer == "a" else OLDER)
    put_lunch(shelf, "b", "one", modified_at=NEWEST if newer == "b" else OLDER)
    first, second = found(engine, "lunch")[:2]
    assert first.uri == newer
    assert [first.prior, second.prior] == pytest.approx([0.04, 0.01])
    assert first.score - second.score == pytest.approx(0.03, abs=1e-6)


def test_official_comes_before_usual_and_that_before_informal(engine: sa.Engine, shelf: Shelf) -> None:
    put_lunch(shelf, "a", "noon", source_id="notes")
    put_lunch(shelf, "b", "one")
    put_lunch(shelf, "c", "two", source_id="handbook")
    assert [passage.trust for passage in found(engine, "lunch")[:3]] == ["official", "usual", "informal"]
    assert [passage.uri for passage in found(engine, "lunch", NONE)[:3]] == ["a", "b", "c"]


def test_what_fits_better_stays_first_however_old_and_informal(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "the canteen closes at three", source_id="notes", modified_at=OLDER)
    shelf.put("b", "the bank closes early", source_id="handbook", modified_at=NEWEST)
    assert found(engine, "when does the canteen close at three")[0].uri == "a"


def test_of_two_copies_the_newer_is_kept(engine: sa.Engine, shelf: Shelf) -> None:
    words = " ".join(f"word{number}" for number in range(40))
    shelf.put("old", f"lunch {words} noon", modified_at=OLDER)
    shelf.put("new", f"lunch {words} one", modified_at=NEWEST)
    assert [passage.uri for passage in found(engine, "lunch")][:1] == ["new"]


def test_a_source_is_trusted_from_the_next_question_on(engine: sa.Engine, tmp_path: Path) -> None:
    added = add_source(engine, kind="files", location=str(tmp_path), trust="informal")
    assert added.trust == "informal"
    trust_source(engine, added.id, "official")
    stored = find_source(engine, added.id)
    assert stored is not None
    assert stored.trust == "official"


def test_a_trust_that_is_none_and_a_source_that_is_none_are_refused(engine: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'holy', expected one of: official, usual, informal"):
        add_source(engine, kind="files", location=str(tmp_path), trust=cast("Trust", "holy"))
    with pytest.raises(SourceError, match="No source has the id 'nowhere'"):
        trust_source(engine, "nowhere", "official")
