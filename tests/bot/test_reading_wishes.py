"""Who asked for a source to be read: what closes a wish, what leaves it open, and what goes with whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.errors import MisuseError
from bot.inbox import Inbox
from bot.privacy import export, forget
from bot.purge import find_traces, purge_rows
from bot.reading_wishes import Outcome, Problem, Wish, keep_wishes, load_request, mark_told, problem_of, watched
from knowledge.database import reading, writing
from knowledge.errors import DatabaseError, EmbedderMismatchError, SourceBusyError, SourceError, SourceUnavailableError
from knowledge.store import add_source

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def keep(engine: sa.Engine, request: str, source_id: str, *, user: str = "U1", now: datetime = NOW) -> bool:
    inbox = Inbox(engine)
    return keep_wishes(engine, inbox, request=request, team="T1", user=user, source_ids=[source_id], now=now)


@pytest.fixture
def source_id(engine: sa.Engine, tmp_path: Path) -> str:
    return add_source(engine, kind="files", location=str(tmp_path), name="Handbook").id


def wish_of(engine: sa.Engine, request: str) -> Wish:
    asked = load_request(engine, request)
    assert asked is not None
    return asked.wishes[0]


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (SourceUnavailableError("/home/x is gone"), "away"),
        (SourceError("bad"), "source"),
        (MisuseError("no credential"), "setup"),
        (EmbedderMismatchError("other"), "setup"),
        (DatabaseError("full"), "storage"),
        (ZeroDivisionError("x"), "fault"),
    ],
)
def test_a_reading_that_fails_closes_the_wish_with_a_kind_of_problem(
    engine: sa.Engine, source_id: str, error: Exception, problem: Problem
) -> None:
    keep(engine, "r1", source_id)
    with pytest.raises(type(error)), watched(engine, source_id):
        raise error
    assert wish_of(engine, "r1").outcome == Outcome(problem=problem)
    assert problem_of(error) == problem


@pytest.mark.parametrize("error", [SourceBusyError("another run"), KeyboardInterrupt()])
def test_a_source_that_another_run_reads_and_a_process_that_ends_leave_the_wish_open(
    engine: sa.Engine, source_id: str, error: BaseException
) -> None:
    keep(engine, "r1", source_id)

    def read() -> None:
        with watched(engine, source_id) as watch:
            watch.progress("Page", 7, 9)
            raise error

    with pytest.raises(type(error)):
        read()
    wish = wish_of(engine, "r1")
    assert (wish.outcome, wish.done, wish.total) == (None, 7, 9)
    # Whoever takes the reading over tells.
    with watched(engine, source_id) as watch:
        watch.begun()
        watch.ended(Outcome(added=9))
    assert wish_of(engine, "r1").outcome == Outcome(added=9)


def test_a_request_that_is_taken_up_again_after_its_end_is_no_new_one(engine: sa.Engine, source_id: str) -> None:
    """A command whose process died is done once more."""
    assert keep(engine, "r1", source_id)
    with watched(engine, source_id) as watch:
        watch.ended(Outcome())
    mark_told(engine, "r1", NOW)
    assert not keep(engine, "r1", source_id)
    assert keep(engine, "r2", source_id)
    assert not keep(engine, "r3", source_id)
    assert keep(engine, "r4", source_id, user="U2")
    with reading(engine) as connection:
        rows = connection.scalars(sa.select(tables.inbox.c.event_id)).all()
    assert rows == ["reading:r1", "reading:r2", "reading:r4"]


def test_progress_is_noted_at_a_calm_pace(engine: sa.Engine, source_id: str) -> None:
    keep(engine, "r1", source_id)
    with watched(engine, source_id) as watch:
        for done in range(1, 500):
            watch.progress("Page", done, 500)
    assert wish_of(engine, "r1").done == 1


def test_wishes_go_with_their_person_with_their_workspace_and_with_time(
    engine: sa.Engine, source_id: str, tmp_path: Path
) -> None:
    keep(engine, "r1", source_id)
    keep(engine, "r2", source_id, user="U2")
    assert [row["request"] for row in export(engine, "U1")["reading_wish"]] == ["r1"]
    forget(engine, "U1")
    assert load_request(engine, "r1") is None
    assert wish_of(engine, "r2").outcome is None
    purge_rows(engine, "T1", tmp_path / "home")
    assert load_request(engine, "r2") is None
    assert find_traces(engine, "T1", tmp_path / "home") == ()
    keep(engine, "r3", source_id)
    keep(engine, "r4", source_id, user="U2", now=NOW + timedelta(days=30))
    assert load_request(engine, "r3") is None


def test_what_cannot_be_written_ends_no_reading(engine: sa.Engine, source_id: str) -> None:
    keep(engine, "r1", source_id)
    with writing(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE reading_wish RENAME COLUMN noted_at TO gone")
    with watched(engine, source_id) as watch:
        watch.begun()
        watch.ended(Outcome())
