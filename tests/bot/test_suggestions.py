"""Suggested questions come from what is indexed, vary, and give nothing away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.suggestions import known_sources, suggest
from knowledge import tables
from knowledge.audience import EVERYONE, Audience, channel_audience, person_audience
from knowledge.database import writing

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "Enough words below a heading to answer a question about it, and then a few more of them. "


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def add(
    engine: sa.Engine,
    source: str,
    title: str,
    headings: Sequence[str] = (),
    *,
    audience: str = EVERYONE,
    source_audience: str = EVERYONE,
    days_old: int = 0,
    text: str = TEXT,
) -> None:
    """Put a document into a source, with one chunk for each heading."""
    with writing(engine) as connection:
        values = {"kind": "files", "name": source, "location": f"/{source}", "audience": source_audience}
        statement = sa.insert(tables.source).prefix_with("OR IGNORE").values(id=source, added_at=NOW, **values)
        connection.execute(statement)
        when = NOW - timedelta(days=days_old)
        described = {"uri": f"file:///{source}/{title}", "title": title, "content_hash": title, "audience": audience}
        document = sa.insert(tables.document).values(source_id=source, modified_at=when, synced_at=NOW, **described)
        key = connection.execute(document).inserted_primary_key
        assert key is not None
        for ordinal, heading in enumerate(headings or [""]):
            header = f"{title} > {heading}" if heading else title
            chunk = {"ordinal": ordinal, "header": header, "text": text, "text_hash": f"{title}{ordinal}"}
            connection.execute(sa.insert(tables.chunk).values(document_id=key[0], **chunk))


def test_a_heading_that_is_a_question_is_asked_as_it_is(engine: sa.Engine) -> None:
    add(engine, "handbook", "Expenses", ["Limits", "How do I claim a taxi?"])
    assert suggest(engine, Audience.everyone())[0] == "How do I claim a taxi?"


def test_other_headings_become_questions_about_their_document(engine: sa.Engine) -> None:
    add(engine, "handbook", "Handbook", ["Introduction", "2.1 Parental leave", "3. HR systems"])
    add(engine, "wiki", "On call", days_old=1)
    assert suggest(engine, Audience.everyone(), most=2) == (
        "What does “Handbook” say about parental leave?",
        "What can you tell me about “On call”?",
    )


def test_sources_take_turns_and_the_newest_documents_come_first(engine: sa.Engine) -> None:
    for number in range(5):
        add(engine, "wiki", f"Wiki page {number}", days_old=number)
    add(engine, "handbook", "Old handbook", days_old=400)
    questions = suggest(engine, Audience.everyone())
    assert [question.removeprefix("What can you tell me about ") for question in questions] == [
        "“Wiki page 0”?",
        "“Old handbook”?",
        "“Wiki page 1”?",
        "“Wiki page 2”?",
    ]


def test_nothing_that_the_reader_may_not_read_shows(engine: sa.Engine) -> None:
    add(engine, "leads", "Layoffs", audience=channel_audience("CLEADS"))
    add(engine, "private", "Diary", source_audience=person_audience("UADA"))
    add(engine, "wiki", "Lunch")
    assert suggest(engine, Audience.of_person("UBEN", ["CHELP"])) == ("What can you tell me about “Lunch”?",)
    assert [source.name for source in known_sources(engine, Audience.of_person("UBEN"))] == ["wiki"]
    assert len(suggest(engine, Audience.of_person("UADA", ["CLEADS"]))) == 3


def test_a_document_with_next_to_nothing_in_it_is_not_suggested(engine: sa.Engine) -> None:
    add(engine, "wiki", "Stub", text="to come")
    add(engine, "wiki", "x" * 200)
    assert suggest(engine, Audience.everyone()) == ()


def test_sources_are_counted_as_far_as_they_can_be_read(engine: sa.Engine) -> None:
    add(engine, "wiki", "A")
    add(engine, "wiki", "B", audience=channel_audience("CLEADS"))
    with writing(engine) as connection:
        run = {"source_id": "wiki", "started_at": NOW}
        connection.execute(sa.insert(tables.sync_run).values(finished_at=NOW, **run))
        connection.execute(sa.insert(tables.sync_run).values(finished_at=NOW + timedelta(days=1), error="gone", **run))
    (source,) = known_sources(engine, Audience.everyone())
    assert (source.documents, source.last_run) == (1, NOW)


def test_few_documents_are_asked_more_also_about_the_headings_inside_a_chunk(engine: sa.Engine) -> None:
    text = "Some words that fill the section up to a useful length, and then some more of them."
    add(engine, "handbook", "Expenses", [], text=f"{text}\n\n## Who orders cards?\n\n{text}\n\n## Taxi rides\n\n{text}")
    assert suggest(engine, Audience.everyone()) == (
        "Who orders cards?",
        "What does “Expenses” say about taxi rides?",
        "What can you tell me about “Expenses”?",
    )
