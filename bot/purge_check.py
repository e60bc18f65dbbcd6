"""The proof after an uninstall: looks through every table and every file of a data folder for what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.purge import Trace, find_traces
from bot.settings import Settings
from knowledge.database import open_engine, reading

_PIECE = 1 << 20
_INSTALLATION_TABLES = ("slack_bots", "slack_installations")
# A database is looked through by its rows: a receipt names the workspace and is meant to stay.
_DATABASE_FILES = (".db", ".db-wal", ".db-shm")


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was removed, and when."""

    reason: str
    removed: dict[str, int]
    removed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is left of a workspace, and what was removed."""

    team: str
    traces: tuple[Trace, ...]
    receipts: tuple[Receipt, ...]
    looked_at: int
    """How many databases and files."""


def check_purged(settings: Settings, team: str) -> Finding:
    """Look through everything for one workspace. Changes nothing but an outdated database."""
    traces: list[Trace] = []
    receipts: list[Receipt] = []
    looked_at = 0
    for url, home in _databases(settings):
        looked_at += 1
        engine = open_database(url)
        try:
            found = find_traces(engine, team, home)
            place = Path(str(engine.url.database)).name if url == settings.database_url else str(engine.url.database)
            traces += [Trace(place=f"{place}: {one.place}", count=one.count) for one in found]
            receipts += _receipts(engine, team)
        finally:
            engine.dispose()
    traces += _installations(settings.home, team)
    folder = settings.home / "teams" / team
    if folder.exists():
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        traces.append(Trace(place=f"{folder}: its files", count=max(files, 1)))
    for path in _files(settings.home):
        looked_at += 1
        if _mentions(path, team.encode()):
            traces.append(Trace(place=f"{path}: its id", count=1))
    return Finding(team=team, traces=tuple(traces), receipts=tuple(receipts), looked_at=looked_at)


def _databases(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every database, with the data folder that it belongs to."""
    own = sa.make_url(settings.database_url).database
    if own and Path(own).is_file():
        yield settings.database_url, settings.home
    for path in sorted(settings.home.glob("teams/*/lorekeeper.db")):
        yield f"sqlite:///{path}", path.parent


def _receipts(engine: sa.Engine, team: str) -> list[Receipt]:
    table = tables.receipt
    whole = table.c.reason.in_(("app_uninstalled", "tokens_revoked"))
    query = sa.select(table).where(table.c.team == team, whole).order_by(table.c.id)
    with reading(engine) as connection:
        return [
            Receipt(reason=row.reason, removed=row.removed, removed_at=row.removed_at)
            for row in connection.execute(query)
        ]


def _installations(home: Path, team: str) -> list[Trace]:
    path = home / "installations.db"
    if not path.is_file():
        return []
    engine = open_engine(f"sqlite:///{path}")
    try:
        with reading(engine) as connection:
            there = set(sa.inspect(connection).get_table_names())
            return [
                Trace(place=f"{path}: table {name}", count=count)
                for name in _INSTALLATION_TABLES
                if name in there and (count := _count(connection, name, team))
            ]
    finally:
        engine.dispose()


def _count(connection: sa.Connection, name: str, team: str) -> int:
    found: Any = sa.table(name, sa.column("team_id"))
    return int(connection.scalar(sa.select(sa.func.count()).select_from(found).where(found.c.team_id == team)) or 0)


def _files(home: Path) -> Iterator[Path]:
    """Every file but databases and the model's weights, which came from elsewhere."""
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home).parts
        if path.is_file() and inside[0] != "models" and not path.name.endswith(_DATABASE_FILES):
            yield path


def _mentions(path: Path, wanted: bytes) -> bool:
    before = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if wanted in before + piece:
                return True
            before = piece[-len(wanted) :]
    return False
