"""The database is opened in one shape, whoever opens it and however often."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bot import tables as bot_tables
from bot.database import open_database
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing
from knowledge.errors import DatabaseError

_NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'lorekeeper.db'}"


def test_the_migrated_database_has_the_shape_of_the_tables(tmp_path: Path) -> None:
    engine = open_database(_url(tmp_path))
    tables = sa.MetaData()
    for metadata in (knowledge_tables.metadata, bot_tables.metadata):
        for table in metadata.tables.values():
            table.to_metadata(tables)
    with reading(engine) as connection:
        options = {"compare_type": True, "include_object": _is_ours}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), tables)
        indexes = _indexes(connection)
    engine.dispose()
    fresh = sa.create_engine("sqlite://")
    with fresh.begin() as connection:
        tables.create_all(connection)
        wanted = _indexes(connection)
    fresh.dispose()
    assert differences == []
    assert wanted <= indexes


def _indexes(connection: sa.Connection) -> set[str]:
    # Partial indexes are what keeps duplicates out, and a comparison of metadata does not see their
    # condition.
    return {str(sql) for sql in connection.scalars(sa.text("SELECT sql FROM sqlite_master WHERE type = 'index'"))}


def _is_ours(_thing: object, name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
    # The word indexes are virtual tables with shadow tables of their own.
    return not str(name).startswith(("chunk_words", "remembered_words"))


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    first = open_database(_url(tmp_path))
    with writing(first) as connection:
        connection.execute(sa.insert(bot_tables.job_run).values(job="sync", slot=_NOW, started_at=_NOW))
    first.dispose()
    second = open_database(_url(tmp_path))
    with reading(second) as connection:
        assert connection.scalar(sa.select(bot_tables.job_run.c.slot)) == _NOW
    second.dispose()


def test_a_generation_from_before_its_embedders_length_was_kept_stays_but_fits_nothing(tmp_path: Path) -> None:
    old = open_database(_url(tmp_path))
    with writing(old) as connection:
        for column in ("max_tokens", "passage_prefix", "question_prefix"):
            connection.exec_driver_sql(f"ALTER TABLE generation DROP COLUMN {column}")
        connection.exec_driver_sql(
            "INSERT INTO generation(embedder, dim, built_to_chunk, count, sha256, size, file, created_at) "
            "VALUES ('fake', 64, 9, 9, 'x', 1, 'old.hnsw', '2026-11-20 10:00:00')"
        )
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    old.dispose()
    engine = open_database(_url(tmp_path))
    with reading(engine) as connection:
        row = connection.execute(sa.select(knowledge_tables.generation)).one()
    engine.dispose()
    assert (row.file, row.max_tokens, row.passage_prefix) == ("old.hnsw", 0, "")


def test_several_that_open_a_new_database_at_once_agree(tmp_path: Path) -> None:
    failures: list[DatabaseError] = []

    def opens() -> None:
        try:
            open_database(_url(tmp_path)).dispose()
        except DatabaseError as error:
            failures.append(error)

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    engine = open_database(_url(tmp_path))
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseError, match=r"9999.*newer Lorekeeper"):
        open_database(_url(tmp_path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match=r"lorekeeper\.db"):
        open_database(_url(tmp_path))


def test_the_writers_of_a_process_wait_for_each_other(tmp_path: Path) -> None:
    engine = open_database(_url(tmp_path))
    done: list[int] = []

    def write(number: int) -> None:
        with writing(engine) as connection:
            values = {"job": f"job-{number}", "slot": _NOW, "started_at": _NOW}
            connection.execute(sa.insert(bot_tables.job_run).values(**values))
            done.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    with writing(engine) as connection:
        for thread in threads:
            thread.start()
        threads[0].join(0.2)
        assert done == []
        connection.execute(sa.insert(bot_tables.job_run).values(job="first", slot=_NOW, started_at=_NOW))
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(bot_tables.job_run)) == 9
    engine.dispose()
    assert sorted(done) == list(range(8))
