"""Uninstalling: everything that came from a workspace is removed, with a receipt in numbers, and the proof that
nothing is left.

A removal is asked for first and stays asked for until it is done, so that a crash in between loses nothing. The
request stays as a row without a team: it is how a late repetition of the same event is recognised.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.earlier.recollect import tidy_words
from bot.learn.few_shot import EXAMPLES_FILE
from bot.learn.versions import files_without_version, forget_versions
from bot.purge_sources import files_without_note, remove_sources_of, sources_of
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing

logger = logging.getLogger(__name__)

Reason = Literal["app_uninstalled", "tokens_revoked"]
KIND = "lifecycle"
DATASETS_FOLDER, RUNS_FOLDER = "datasets", "runs"
"""In the data folder: copies of people's words to learn from, and what training left."""
_FOUND_AT_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Removal:
    """A workspace took the app away."""

    event_id: str
    team: str
    reason: Reason
    at: datetime
    """When Slack says that it happened."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Something of a workspace that is still there."""

    place: str
    count: int


def removal_of(body: Mapping[str, Any], team: str) -> Removal | None:
    """Read whether an event takes the app away from this team; a revoked token of a person alone does not."""
    event = body.get("event")
    event = event if isinstance(event, Mapping) else {}
    reason: Reason
    match event.get("type"):
        case "app_uninstalled":
            reason = "app_uninstalled"
        case "tokens_revoked":
            revoked = event.get("tokens")
            if not (isinstance(revoked, Mapping) and revoked.get("bot")):
                return None
            reason = "tokens_revoked"
        case _:
            return None
    return Removal(event_id=str(body.get("event_id") or ""), team=team, reason=reason, at=_moment(body))


def ask_for_removal(engine: sa.Engine, removal: Removal) -> bool:
    """Keep that this removal is to be done; False where this very event asked for it before."""
    row = {
        "event_id": removal.event_id,
        "kind": KIND,
        "team": removal.team,
        "payload": {"reason": removal.reason, "at": removal.at.isoformat()},
        "received_at": datetime.now(UTC),
    }
    with writing(engine) as connection:
        return connection.execute(insert(tables.inbox).values(row).on_conflict_do_nothing()).rowcount > 0


def open_removals(engine: sa.Engine) -> tuple[Removal, ...]:
    """Removals that were asked for and are not done."""
    inbox = tables.inbox
    query = sa.select(inbox).where(inbox.c.kind == KIND, inbox.c.state == "waiting").order_by(inbox.c.id)
    with reading(engine) as connection:
        return tuple(
            Removal(
                event_id=row.event_id,
                team=row.team,
                reason=row.payload["reason"],
                at=datetime.fromisoformat(row.payload["at"]),
            )
            for row in connection.execute(query)
        )


def purge_rows(engine: sa.Engine, team: str, home: Path) -> dict[str, int]:
    """Remove every row of a workspace and every document that came out of it; returns how many of what.

    What another workspace's people wrote or saved stays; datasets and runs, which hold the words of all, go. Receipts
    and open requests for removal stay. `home` is the data folder of this database.
    """
    removed: dict[str, int] = {}
    # Before their rows: a purge that is interrupted finds them again.
    if tuned := forget_versions(engine, team, home):
        removed["tuned file"] = tuned
    removed |= remove_sources_of(engine, team, home)
    with writing(engine) as connection:
        for table in reversed(tables.metadata.sorted_tables):
            if (condition := belongs_to(table, team)) is not None:
                count = connection.execute(sa.delete(table).where(condition)).rowcount
                removed |= {table.name: count} if count else {}
    for name, folder in {"dataset": home / DATASETS_FOLDER, "run": home / RUNS_FOLDER}.items():
        if folder.exists():
            removed[name] = sum(1 for path in folder.glob("*") if path.is_dir())
            shutil.rmtree(folder)
    if (examples := home / EXAMPLES_FILE).exists():
        removed["file of examples"] = 1
        examples.unlink()
    shrink(engine)
    return removed


def finish_removal(engine: sa.Engine, removal: Removal, removed: Mapping[str, int]) -> None:
    """Write the receipt and close the request, together. Where nothing was left, there is no receipt."""
    inbox = tables.inbox
    row = {
        "team": removal.team,
        "reason": removal.reason,
        "removed": dict(removed),
        "removed_at": datetime.now(UTC),
    }
    with writing(engine) as connection:
        if any(removed.values()):
            connection.execute(sa.insert(tables.receipt).values(row))
        # Slack tells of one removal in two events: what came while the rows went is done as well.
        same = sa.or_(inbox.c.event_id == removal.event_id, inbox.c.team == removal.team)
        asked = sa.update(inbox).where(inbox.c.kind == KIND, same)
        connection.execute(asked.values(team="", payload={}, state="done"))
    shrink(engine)


def purge(engine: sa.Engine, removal: Removal, home: Path) -> dict[str, int]:
    """Do a removal in a database that holds one workspace, from the rows to the receipt."""
    removed = purge_rows(engine, removal.team, home)
    finish_removal(engine, removal, removed)
    return removed


def belongs_to(table: sa.Table, team: str) -> sa.ColumnElement[bool] | None:
    """What tells a workspace's rows of a table from others; None for a table that holds nothing from Slack."""
    columns = table.c
    if table is tables.receipt:
        return None
    if table is tables.inbox:
        return (columns.team == team) & (columns.kind != KIND)
    if "team" in columns:
        return columns.team == team
    if "answer_id" in columns:
        return columns.answer_id.in_(sa.select(tables.answer.c.id).where(tables.answer.c.team == team))
    if "conversation" in columns:
        return columns.conversation.startswith(f"{team}:", autoescape=True)
    return None


def find_traces(engine: sa.Engine, team: str, home: Path) -> tuple[Trace, ...]:
    """Look for what is left of a workspace: its rows, rows without an owner, its name in any text, its documents."""
    found: list[Trace] = []
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            condition = belongs_to(table, team)
            if condition is not None:
                found.append(_counted(connection, f"table {table.name}", table, condition))
            if "answer_id" in table.c:
                orphan = table.c.answer_id.not_in(sa.select(tables.answer.c.id))
                found.append(_counted(connection, f"table {table.name}, without its answer", table, orphan))
        # Documents may say what they like; where they come from is the question.
        named = (*tables.metadata.sorted_tables, knowledge_tables.source, knowledge_tables.document)
        for table in named:
            if table is not tables.receipt:
                found += _mentions(connection, table, team)
    found.append(Trace(place="sources that came out of Slack", count=len(sources_of(engine, team, home))))
    found.append(Trace(place="saved files that no row knows", count=files_without_note(engine, home)))
    found.append(Trace(place="files of tuned versions without a row", count=len(files_without_version(engine, home))))
    learned = [path for path in (home / DATASETS_FOLDER, home / RUNS_FOLDER, home / EXAMPLES_FILE) if path.exists()]
    found.append(Trace(place="datasets, runs and examples that were learned from", count=len(learned)))
    return tuple(trace for trace in found if trace.count)[:_FOUND_AT_MOST]


def shrink(engine: sa.Engine) -> None:
    """Rewrite the database file without what was removed, and empty its log. Removed rows are overwritten already."""
    with writing(engine) as connection:
        tidy_words(connection)
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM")
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        logger.info("the database file keeps its size for now: %s", error)
    finally:
        raw.close()


def _counted(connection: sa.Connection, place: str, table: sa.Table, condition: sa.ColumnElement[bool]) -> Trace:
    query = sa.select(sa.func.count()).select_from(table).where(condition)
    return Trace(place=place, count=int(connection.scalar(query) or 0))


def _mentions(connection: sa.Connection, table: sa.Table, team: str) -> list[Trace]:
    found = []
    for column in table.c:
        if isinstance(column.type, sa.Text | sa.String | sa.JSON):
            mentioned = sa.cast(column, sa.Text).contains(team, autoescape=True)
            found.append(_counted(connection, f"the workspace's id in {table.name}.{column.name}", table, mentioned))
    return found


def _moment(body: Mapping[str, Any]) -> datetime:
    stated = body.get("event_time")
    return datetime.fromtimestamp(stated, UTC) if isinstance(stated, int) else datetime.now(UTC)
