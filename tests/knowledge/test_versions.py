"""Of versions of one passage the newer stands first; what only resembles it stays where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from knowledge.document import Passage
from knowledge.versions import newer_versions_first

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TRAVEL = "Handbook > Travel"


def passage(number: int, text: str, *, days: int | None, header: str = TRAVEL, document: int = 0) -> Passage:
    return Passage(
        id=number,
        document_id=document or number,
        source="s",
        uri=f"file:///{number}.md",
        title="Handbook",
        header=header,
        text=text,
        text_hash=str(number),
        audience="everyone",
        score=1.0 - number / 10,
        cosine=0.5,
        word_score=0.5,
        modified_at=None if days is None else NOW - timedelta(days=days),
    )


OLD = passage(1, "Book a flight at least 14 days ahead and ask your lead.", days=400)
OTHER = passage(2, "The kitchen is cleaned on Friday.", days=3, header="Handbook > Kitchen")
NEW = passage(3, "Book a flight at least 21 days ahead and ask your lead.", days=10)


def ids(*passages: Passage) -> list[int]:
    return [one.id for one in newer_versions_first(passages)]


def test_the_newer_version_takes_the_place_and_the_score_of_the_older() -> None:
    ordered = newer_versions_first((OLD, OTHER, NEW))
    assert [one.id for one in ordered] == [3, 2, 1]
    assert [one.score for one in ordered] == [OLD.score, OTHER.score, NEW.score]
    assert [one.newer_version for one in ordered] == [None, None, NEW.id]


def test_of_three_versions_the_newest_is_first() -> None:
    middle = passage(4, "Book a flight at least 7 days ahead and ask your lead.", days=100)
    assert ids(OLD, middle, OTHER, NEW) == [3, 4, 2, 1]


def test_what_is_in_order_stays_as_it_is() -> None:
    assert ids(NEW, OTHER, OLD) == [3, 2, 1]
    assert ids() == []


def test_a_page_from_the_same_template_under_another_heading_is_no_version() -> None:
    trains = passage(4, "Book a train at least 21 days ahead and ask your lead.", days=1, header="Handbook > Trains")
    assert ids(OLD, trains) == [1, 4]


def test_informal_words_of_later_are_no_newer_version_of_an_official_page() -> None:
    official, informal = replace(OLD, trust="official"), replace(NEW, trust="informal")
    ordered = newer_versions_first((official, informal))
    assert [(one.id, one.newer_version) for one in ordered] == [(OLD.id, None), (NEW.id, None)]


def test_other_words_under_the_same_heading_are_no_version() -> None:
    assert ids(OLD, passage(4, "Meals are paid up to 30 euros.", days=1)) == [1, 4]


def test_parts_of_one_document_and_undated_ones_stay_where_they_are() -> None:
    same = passage(4, NEW.text, days=1, document=1)
    undated = passage(5, NEW.text, days=None)
    assert ids(OLD, same, undated) == [1, 4, 5]
