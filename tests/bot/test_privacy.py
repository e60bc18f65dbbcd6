"""Forgetting and handing out one person, in every table that there is: also in those that come later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.forgetting import forget_question, remove_note_documents, remove_rows
from bot.notes import SavedNote, approve_note
from bot.privacy import export, forget, people_columns
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing

ME, OTHER = "U0FORGETME", "U0OTHER"
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
# The words of the person: what they wrote, and what was written for them.
SECRET = "narwhal"
# Rows of the person's that may stay, without their name: they say nothing of theirs.
_STAY = {"answer", "inbox", "left_thread", "channel", "escalation", "curated"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def a_row(table: sa.Table, user: str, key: int) -> dict[str, Any]:
    """A row of any table that names a person wherever it can."""
    people = {column.name for column in people_columns(table)}
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in people:
            row[column.name] = user
        elif column.name == "answer_id" or column.name == "from_answer":
            row[column.name] = key
        elif isinstance(column.type, sa.Integer):
            row[column.name] = key if column.primary_key else 1
        else:
            row[column.name] = _value(column, key)
    return row | {
        name: value for name, value in {"state": "done" if table is tables.inbox else "open"}.items() if name in row
    }


def _value(column: sa.Column[Any], key: int) -> Any:
    match column.type:
        case sa.Boolean():
            return False
        case sa.Float():
            return 0.5
        case sa.JSON():
            return {}
        case sa.LargeBinary():
            return b"\x00\x00\x00\x00"
        case sa.Text():
            return SECRET if column.name in ("text", "question", "correction", "title") else f"{column.name}{key}"
        case _:
            return NOW


def fill(engine: sa.Engine) -> None:
    """One row for each of two people in every table."""
    with writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        for key, user in ((1, ME), (2, OTHER)):
            for table in tables.metadata.sorted_tables:
                connection.execute(sa.insert(table).values(**a_row(table, user, key)))


def everything(engine: sa.Engine, table: sa.Table) -> str:
    with reading(engine) as connection:
        return repr(connection.execute(sa.select(table)).all())


def test_every_column_that_names_a_person_is_known_as_one() -> None:
    """A new table with such a column under another name would have to be added to `people_columns`."""
    found = {
        f"{table.name}.{column.name}" for table in tables.metadata.sorted_tables for column in people_columns(table)
    }
    suspects = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if any(part in ("user", "person", "by", "of", "who", "author", "asker") for part in column.name.split("_"))
    }
    assert suspects - found == {"answer.delivered_by", "answer.approved_by"}
    assert {"turn.user", "escalation.asked_of", "curated.approved_by", "saved_note.reviewed_by"} <= found


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: str(table.name))
def test_nobody_is_named_in_any_table_after_they_were_forgotten(engine: sa.Engine, table: sa.Table) -> None:
    fill(engine)
    named = bool(people_columns(table))
    assert (ME in everything(engine, table)) is named
    forget(engine, ME)
    assert ME not in everything(engine, table)
    assert (OTHER in everything(engine, table)) is named


def test_the_words_of_a_person_go_and_those_of_others_stay(engine: sa.Engine) -> None:
    fill(engine)
    forgotten = forget(engine, ME)
    assert (forgotten.turns, forgotten.answers, forgotten.votes, forgotten.corrections) == (1, 1, 1, 1)
    assert (forgotten.revisions, forgotten.notes, forgotten.settings) == (1, 1, 1)
    for table in (tables.turn, tables.feedback, tables.answer_revision, tables.saved_note, tables.person):
        with reading(engine) as connection:
            assert len(connection.execute(sa.select(table)).all()) == 1, table.name
    assert everything(engine, tables.answer).count(SECRET) == 1
    with reading(engine) as connection:
        receipts = connection.scalars(sa.select(tables.receipt.c.removed).where(tables.receipt.c.reason == "person"))
        assert receipts.one()["turns"] == 1


def test_everything_that_names_a_person_is_handed_to_them(engine: sa.Engine) -> None:
    fill(engine)
    content = export(engine, ME)
    names = {"turn": "turns", "answer": "answers"}
    for table in tables.metadata.sorted_tables:
        if people_columns(table):
            assert len(content[names.get(table.name, table.name)]) == 1, table.name
    assert content["citations"] != []
    assert OTHER not in repr(content)


def test_a_deleted_question_leaves_no_word_in_any_table(engine: sa.Engine) -> None:
    fill(engine)
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.receipt))
        of_me = (tables.answer.c.id == 1, tables.turn.c.id == 1, tables.saved_note.c.id == 1)
        place = {"team": "T1", "channel": "C1", "conversation": "T1:C1:7.1"}
        connection.execute(sa.update(tables.answer).where(of_me[0]).values(**place, question_ts="7.1", passages=[{}]))
        connection.execute(sa.update(tables.turn).where(of_me[1]).values(**place, ts="7.1"))
        connection.execute(sa.update(tables.saved_note).where(of_me[2]).values(channel="C1", ts="7.1"))
        connection.execute(sa.update(tables.turn).where(tables.turn.c.id == 1).values(role="user"))
    found = forget_question(engine, "T1", "C1", "7.1")
    assert found is not None
    assert found.removed.turns == found.removed.notes == found.removed.passages == found.removed.approved == 1
    remove_rows(engine, found.answer_ids)
    again = forget_question(engine, "T1", "C1", "7.1")
    assert again is not None
    assert not again.removed.anything
    for table in tables.metadata.sorted_tables:
        with reading(engine) as connection:
            texts = [row for row in connection.execute(sa.select(table)).all() if SECRET in repr(row)]
        # What stays is the other person's row.
        assert len(texts) <= 1, table.name
    with reading(engine) as connection:
        assert connection.scalars(sa.select(tables.receipt.c.reason)).all() == ["question"]


def test_the_document_of_a_note_goes_with_the_message_that_it_was_saved_from(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine)
    saved = SavedNote(
        id=1, channel="C1", user=ME, title="t", text=SECRET, permalink="", audience="everyone", created_at=NOW
    )
    with writing(engine) as connection:
        values = {"state": "pending", "channel": "C1", "ts": "7.1"}
        connection.execute(sa.update(tables.saved_note).where(tables.saved_note.c.id == 1).values(**values))
    source = approve_note(engine, tmp_path, saved, by="U0ADMIN", now=NOW)
    assert source is not None
    (file,) = tmp_path.glob("saved/*/note-1.md")
    document = {"source_id": source.id, "uri": file.resolve().as_uri(), "title": "t", "content_hash": "h"}
    with writing(engine) as connection:
        row = {**document, "audience": "everyone", "synced_at": NOW, "id": 5}
        connection.execute(sa.insert(knowledge_tables.document).values(**row))
        chunk = {"id": 5, "document_id": 5, "ordinal": 0, "header": "t", "text": SECRET, "text_hash": "x"}
        connection.execute(sa.insert(knowledge_tables.chunk).values(**chunk))
        vector = {"text_hash": "x", "embedder": "e", "vector": b"1234"}
        connection.execute(sa.insert(knowledge_tables.vector).values(**vector))
    found = forget_question(engine, "T1", "C1", "7.1")
    assert found is not None
    assert found.notes == (1,)
    assert remove_note_documents(engine, tmp_path, found.notes) == 1
    assert not file.exists()
    for table in (knowledge_tables.document, knowledge_tables.chunk, knowledge_tables.vector):
        assert everything(engine, table) == "[]"


def test_a_question_under_way_is_left_to_its_worker(engine: sa.Engine) -> None:
    fill(engine)
    with writing(engine) as connection:
        values = {"team": "T1", "channel": "C1", "ts": "7.1", "kind": "question", "state": "working"}
        connection.execute(sa.update(tables.inbox).where(tables.inbox.c.id == 1).values(**values))
    assert forget_question(engine, "T1", "C1", "7.1") is None
