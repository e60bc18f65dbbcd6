"""SQLite the way it survives load: WAL, a busy timeout, and BEGIN IMMEDIATE for every writing transaction.

The writers of one process wait for each other in a line of their own: SQLite lets them try again and again, and who
tried longest sleeps longest.

A deferred transaction that reads and then writes fails at once under contention (SQLITE_BUSY_SNAPSHOT is not covered
by the busy timeout), so writers take the lock first. Use `writing(engine)` and `reading(engine)`, nothing else.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from knowledge.errors import DatabaseError

BUSY_TIMEOUT_SECONDS = 15.0
_WRITES = "lorekeeper_writes"
_TURNS: WeakKeyDictionary[sa.Engine, threading.RLock] = WeakKeyDictionary()
_TURNS_LOCK = threading.Lock()


def open_engine(url: str) -> sa.Engine:
    """Open a database by URL; raises DatabaseError for anything but SQLite, or where the file cannot be used."""
    parsed = _parse(url)
    if parsed.database and parsed.database != ":memory:":
        _make_folder(Path(parsed.database).parent)
    in_memory = parsed.database in (None, "", ":memory:")
    engine = sa.create_engine(
        parsed,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        poolclass=sa.StaticPool if in_memory else sa.QueuePool,
    )
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", _begin)
    try:
        with reading(engine) as connection:
            connection.execute(sa.text("SELECT count(*) FROM sqlite_master"))
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise DatabaseError(
            f"The database {parsed.database} cannot be opened ({error.orig}). Check that the disk is not full and that "
            "the file is a Lorekeeper database, or set LOREKEEPER_DATABASE_URL to another one."
        ) from error
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"The folder {folder} for the database cannot be made ({error.strerror}). "
            "Make it, or set LOREKEEPER_DATABASE_URL to another place."
        ) from error


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One writing transaction: the write lock is taken first, committed at the end, rolled back on an exception.

    Raises DatabaseError where the disk is full or the database is locked for long.
    """
    try:
        with _turn(engine), engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection
    except sa.exc.OperationalError as error:
        raise _explain(engine, error) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One short reading transaction; a long one keeps the write-ahead log from shrinking."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def _turn(engine: sa.Engine) -> Iterator[None]:
    """Wait for this process's other writers; raises DatabaseError where one of them takes very long."""
    with _TURNS_LOCK:
        turn = _TURNS.setdefault(engine, threading.RLock())
    if not turn.acquire(timeout=BUSY_TIMEOUT_SECONDS):
        raise DatabaseError(
            f"The database {engine.url.database} could not be written: this process has been writing to it for "
            f"{BUSY_TIMEOUT_SECONDS:.0f} s. Try again; if it stays so, start Lorekeeper again."
        )
    try:
        yield
    finally:
        turn.release()


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise DatabaseError(f"LOREKEEPER_DATABASE_URL is {url!r}, expected sqlite:///path/to/file.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(
            f"LOREKEEPER_DATABASE_URL names {parsed.get_backend_name()!r}; this version keeps its rows and its word "
            "index in SQLite. Set it to sqlite:///path/to/file.db."
        )
    return parsed


def _explain(engine: sa.Engine, error: sa.exc.OperationalError) -> DatabaseError:
    reason = str(error.orig)
    if "full" in reason:
        advice = "The disk is full: free some space. Nothing that was stored before is lost."
    elif "locked" in reason:
        advice = "Another process has been writing to it for long: wait, or end that process."
    else:
        advice = "Check the disk and the permissions of its folder."
    return DatabaseError(f"The database {engine.url.database} could not be written ({reason}). {advice}")


def _configure(dbapi_connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: _begin decides which kind each one is.
    assert isinstance(dbapi_connection, sqlite3.Connection)
    dbapi_connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        dbapi_connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")
