"""A sudden bulk of new text is kept, and nobody is answered from it until a person lets it in."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.audience import EVERYONE, Audience, group_audience, held_audience, is_document_audience, is_held
from knowledge.database import reading
from knowledge.document import AudienceChange, FetchedDocument, PermissionsRead, Question, Readers
from knowledge.held import held_counts
from knowledge.ingest import SyncReport, ingest
from knowledge.library import Library
from knowledge.readers import members_of
from knowledge.sources import Checkpoint, SourceStep
from knowledge.store import discard_held, release_held, source_statuses, trust_source
from knowledge.tables import document
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.ingesting import Workplace, workplace

FLOOD = 51


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as one:
        one.write("handbook.md", "Holidays are thirty days a year.")
        one.write("travel.md", "Trains are paid by the office.")
        one.sync()
        yield one


def flood(place: Workplace, count: int = FLOOD, first: int = 0) -> None:
    for number in range(first, first + count):
        place.write(f"flood/{number}.md", f"Holidays are {number} days, says page{number} of somebody.")


def found(place: Workplace, text: str = "holidays days") -> set[str]:
    with Library.open(place.engine, FakeEmbedder(), None) as library:
        passages = library.retrieve(Question(text=text), Audience.of_person("U1"), 100).passages
    return {passage.uri.rpartition("/")[2] for passage in passages}


def audiences(place: Workplace) -> dict[str, str]:
    rows = place.rows("SELECT uri, audience FROM document")
    return {str(uri).rpartition("/")[2]: str(audience) for uri, audience in rows}


def test_no_audience_can_be_one_that_is_held() -> None:
    assert held_audience(EVERYONE) == held_audience(held_audience(EVERYONE)) == "held:everyone"
    assert is_held("held:channel:C1")
    assert not is_document_audience("held:everyone")
    assert not Audience.of_person("U1", ["C1"]).may_read("held:everyone")


def test_a_run_that_brings_much_more_than_usual_is_held_until_it_is_let_in(place: Workplace) -> None:
    flood(place)
    report = place.sync()
    assert (report.added, report.held) == (FLOOD, FLOOD)
    assert found(place) == {"handbook.md", "travel.md"}
    (status,) = source_statuses(place.engine)
    assert (status.documents, status.held) == (FLOOD + 2, FLOOD)
    assert held_counts(place.engine) == {place.stored.id: FLOOD}
    assert place.sync().held == 0
    assert release_held(place.engine, place.stored.id) == FLOOD
    assert "50.md" in found(place)
    assert held_counts(place.engine) == {}
    assert (place.sync().unchanged, set(audiences(place).values())) == (FLOOD + 2, {EVERYONE})


def test_what_is_as_much_as_usual_comes_in(place: Workplace) -> None:
    flood(place, FLOOD - 1)
    assert place.sync().held == 0
    assert len(found(place)) == FLOOD + 1
    flood(place, 40, first=60)
    assert place.sync().held == 0


def test_the_limit_grows_with_the_source(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        flood(place, 120)
        assert place.sync().held == 0
        flood(place, 60, first=120)
        assert place.sync().held == 0
        flood(place, 91, first=180)
        assert place.sync().held == 91


def test_discarded_texts_are_gone_and_those_still_there_are_held_again(place: Workplace) -> None:
    flood(place)
    place.sync()
    assert discard_held(place.engine, place.stored.id) == FLOOD
    assert place.texts().keys() == {"handbook.md", "travel.md"}
    assert place.rows("SELECT count(*) FROM vector") == [(2,)]
    report = place.sync()
    assert (report.added, report.held) == (FLOOD, FLOOD)


def test_changed_texts_beyond_the_limit_are_held_too(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        flood(place, 60)
        place.sync()
        for number in range(FLOOD):
            place.write(f"flood/{number}.md", f"Nobody has any holidays in year{number}, send money instead.")
        report = place.sync()
        assert (report.changed, report.held) == (FLOOD, FLOOD)
        assert found(place, "money") == {f"{number}.md" for number in range(FLOOD, 60)}


def test_while_something_is_held_the_rest_that_comes_is_held_with_it(place: Workplace) -> None:
    flood(place)
    place.sync()
    place.write("late.md", "Holidays were abolished yesterday.")
    assert place.sync().held == 1
    assert "late.md" not in found(place)
    for number in range(FLOOD):
        (place.root / f"flood/{number}.md").unlink()
    (place.root / "late.md").unlink()
    place.sync()
    place.write("calm.md", "Holidays are planned in spring.")
    assert place.sync().held == 0
    assert "calm.md" in found(place)


def test_renamed_copied_and_hardly_changed_documents_are_no_new_text(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        words = " ".join(f"word{number}" for number in range(30))
        for number in range(60):
            place.write(f"old/{number}.md", f"# Page {number}\n\n{words} at place{number}. Seen 7 times.")
        place.sync()
        (place.root / "old").rename(place.root / "new")
        report = place.sync()
        assert (report.added, report.deleted, report.held) == (60, 60, 0)
        for number in range(60):
            place.write(f"new/{number}.md", f"# Page {number}\n\n{words} at place{number}. Seen 8 times.")
        report = place.sync()
        assert (report.changed, report.held) == (60, 0)


def test_held_text_stays_held_under_another_name_and_in_other_words(place: Workplace) -> None:
    flood(place)
    place.sync()
    (place.root / "flood").rename(place.root / "handbook")
    assert place.sync().held == FLOOD
    place.write("handbook/1.md", "Holidays are 1 day, says page1 of somebody.")
    place.sync()
    assert found(place) == {"handbook.md", "travel.md"}
    # A rebuild holds nothing anew, and lets nothing in that nobody looked at.
    assert place.sync(rebuild=True).held == 0
    assert found(place) == {"handbook.md", "travel.md"}


def test_official_sources_rebuilds_and_a_share_of_zero_hold_nothing(place: Workplace) -> None:
    flood(place)
    assert place.sync(rebuild=True).held == 0
    trust_source(place.engine, place.stored.id, "official")
    flood(place, first=100)
    assert place.sync().held == 0
    trust_source(place.engine, place.stored.id, "usual")
    place.parts = replace(place.parts, quarantine_share=0.0)
    flood(place, 200, first=200)
    assert place.sync().held == 0


class Wiki:
    """A source with the steps of its next run, which may be stopped on the way."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.id = place.stored.id
        self.steps: list[SourceStep] = []
        self.stop = threading.Event()

    def pages(self, numbers: range, audience: str = EVERYONE) -> list[SourceStep]:
        return [
            FetchedDocument(
                uri=f"wiki:{number}",
                title=f"Page {number}",
                content=f"Page{number} of the wiki says number{number}.".encode(),
                media_type="text/markdown",
                audience=audience,
            )
            for number in numbers
        ]

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        yield from self.steps
        yield Checkpoint(cursor="1")

    def run(self, *steps: SourceStep) -> SyncReport:
        self.steps = list(steps)
        return ingest(self, self.place.parts, stop=self.stop)


def test_a_flood_over_several_runs_that_were_ended_is_one(place: Workplace) -> None:
    wiki = Wiki(place)
    wiki.run(*wiki.pages(range(2)))
    wiki.stop.set()
    assert wiki.run(*wiki.pages(range(2, 42))).held == 0
    assert wiki.run(*wiki.pages(range(42, 60))).held == 18


def test_a_change_of_readers_keeps_the_hold(place: Workplace) -> None:
    wiki = Wiki(place)
    wiki.run(*wiki.pages(range(2)))
    group = Readers(audience=group_audience(wiki.id, {"U1"}), members=frozenset({"U1"}))
    wiki.run(group, *wiki.pages(range(2, 70), group.audience), PermissionsRead())
    assert set(audiences(place).values()) == {EVERYONE, f"held:{group.audience}"}
    assert members_of(place.engine, group.audience) == ("U1",)
    changes = [AudienceChange(uri=f"wiki:{number}", audience=EVERYONE) for number in range(2, 30)]
    again = wiki.pages(range(30, 50))
    wiki.run(group, *changes, *again, PermissionsRead())
    with reading(place.engine) as connection:
        told = connection.execute(sa.select(document.c.uri, document.c.audience)).all()
    of = {row.uri: row.audience for row in told}
    assert of["wiki:2"] == of["wiki:40"] == "held:everyone"
    assert of["wiki:60"] == f"held:{group.audience}"
    release_held(place.engine, wiki.id)
    assert set(audiences(place).values()) == {EVERYONE, group.audience}
