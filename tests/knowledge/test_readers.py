"""Permissions that come from a source: whom a group audience opens documents to, and for how long."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.audience import EVERYONE, Audience, group_audience
from knowledge.database import reading
from knowledge.document import AudienceChange, FetchedDocument, PermissionsRead, Question, Readers
from knowledge.ingest import ingest
from knowledge.library import Library
from knowledge.readers import groups_of, members_of
from knowledge.sources import Checkpoint, SourceStep
from knowledge.tables import reader
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.ingesting import Workplace, workplace

TWO = frozenset({"ana@example.com", "U1"})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as ready:
        yield ready


class Drive:
    """A source with the steps of its next run."""

    def __init__(self, source_id: str) -> None:
        self.id = source_id
        self.steps: list[SourceStep] = []

    def group(self, members: frozenset[str]) -> Readers:
        return Readers(audience=group_audience(self.id, members), members=members)

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        yield from self.steps
        yield Checkpoint(cursor="1")


def page(audience: str, text: str = "The safe opens with 1234.") -> FetchedDocument:
    return FetchedDocument(
        uri="drive:1", title="Safe", content=text.encode(), media_type="text/markdown", audience=audience, owner="Ana"
    )


def seen_by(place: Workplace, *identities: str) -> list[str]:
    groups = groups_of(place.parts.engine, identities)
    with Library.open(place.parts.engine, FakeEmbedder(), None) as library:
        found = library.retrieve(Question(text="safe opens"), Audience.of_person("U9", groups=groups), 5)
    return [passage.owner for passage in found.passages]


def test_a_group_opens_its_documents_to_its_members_alone(place: Workplace) -> None:
    drive = Drive(place.stored.id)
    group = drive.group(TWO)
    drive.steps = [group, page(group.audience), PermissionsRead()]
    ingest(drive, place.parts)
    assert seen_by(place, "ana@example.com") == ["Ana"]
    assert seen_by(place, "U1", "ben@example.com") == ["Ana"]
    assert seen_by(place, "ben@example.com") == []
    assert members_of(place.parts.engine, group.audience) == ("U1", "ana@example.com")


def test_a_changed_permission_costs_no_embedding_and_holds_at_once(place: Workplace) -> None:
    drive = Drive(place.stored.id)
    both, alone = drive.group(TWO), drive.group(frozenset({"ana@example.com"}))
    drive.steps = [both, page(both.audience), PermissionsRead()]
    ingest(drive, place.parts)
    drive.steps = [alone, AudienceChange(uri="drive:1", audience=alone.audience), PermissionsRead()]
    assert ingest(drive, place.parts).embedded_chunks == 0
    assert seen_by(place, "U1") == []
    assert seen_by(place, "ana@example.com") == ["Ana"]
    with reading(place.parts.engine) as connection:
        assert set(connection.scalars(sa.select(reader.c.audience))) == {alone.audience}


def test_a_permission_taken_with_a_text_that_cannot_be_read_is_taken(place: Workplace) -> None:
    drive = Drive(place.stored.id)
    both, alone = drive.group(TWO), drive.group(frozenset({"ana@example.com"}))
    drive.steps = [both, page(both.audience), PermissionsRead()]
    ingest(drive, place.parts)
    broken = FetchedDocument(
        uri="drive:1", title="Safe", content=b"%PDF-no", media_type="application/pdf", audience=alone.audience
    )
    drive.steps = [alone, broken, PermissionsRead()]
    assert len(ingest(drive, place.parts).failed) == 1
    assert seen_by(place, "U1") == []
    assert seen_by(place, "ana@example.com") == ["Ana"]


def test_what_a_source_said_too_long_ago_opens_nothing(place: Workplace) -> None:
    drive = Drive(place.stored.id)
    group = drive.group(TWO)
    drive.steps = [group, page(group.audience), PermissionsRead()]
    ingest(drive, place.parts)
    engine, now = place.parts.engine, datetime.now(UTC)
    assert groups_of(engine, ["U1"], holds=timedelta(hours=24), now=now + timedelta(hours=23))
    assert not groups_of(engine, ["U1"], holds=timedelta(hours=24), now=now + timedelta(hours=25))


def test_a_run_that_breaks_off_before_the_end_confirms_nothing(place: Workplace) -> None:
    drive = Drive(place.stored.id)
    group = drive.group(TWO)
    drive.steps = [group, page(group.audience)]
    ingest(drive, place.parts)
    assert seen_by(place, "U1") == []


def test_group_names_follow_from_source_and_members() -> None:
    assert group_audience("a", ["x", "y"]) == group_audience("a", ["y", "x"])
    assert len({group_audience("a", ["x", "y"]), group_audience("b", ["x", "y"]), group_audience("a", ["xy"])}) == 3
    assert Audience.of_person("U1").may_read(EVERYONE)
    assert not Audience.of_channel("C1").may_read(group_audience("a", ["U1"]))
