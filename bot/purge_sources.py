"""The documents that came out of a workspace: channels that were read, and what people saved; found and removed.

A data folder may hold more than one workspace, such as a real one and the playground's: what another one's people wrote
or saved stays. Knows nothing of rows that hang on a team by name; see `bot.purge`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.notes import FOLDER, documents_of, note_of, remove_files_of
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing
from knowledge.ingest_rows import delete_documents
from knowledge.store import StoredSource, drop_unused_vectors, list_sources, remove_source

# Sources whose documents were read out of Slack; files and web pages are the operator's own, unless people saved them
# from Slack into the folder for that.
SLACK_SOURCE_KINDS = frozenset({"slack"})


def sources_of(engine: sa.Engine, team: str, home: Path) -> list[StoredSource]:
    """Sources that came out of this workspace, and out of no other."""
    others = frozenset(_notes(engine, tables.saved_note.c.team != team))
    with reading(engine) as connection:
        message = tables.channel_message.c
        elsewhere = sa.select(message.source_id).where(message.team.not_in((team, ""))).distinct()
        read_elsewhere = frozenset(connection.scalars(elsewhere))
    channels = [one for one in list_sources(engine) if one.kind in SLACK_SOURCE_KINDS and one.id not in read_elsewhere]
    saved = (
        one
        for one in _saved_sources(engine, home)
        if not any(note_of(path) in others for path in Path(one.location).glob("*"))
    )
    return [*channels, *saved]


def files_without_note(engine: sa.Engine, home: Path) -> int:
    """How many saved notes are in the folder that no row knows, beside those that one knows."""
    known = frozenset(_notes(engine, sa.true()))
    return sum(note_of(path) not in known for path in (home / FOLDER).glob("*/[!.]*")) if known else 0


def remove_sources_of(engine: sa.Engine, team: str, home: Path) -> dict[str, int]:
    """Remove what came out of a workspace, while its rows still tell what that is; returns how many of what."""
    sources = sources_of(engine, team, home)
    documents = sum(remove_source(engine, source.id) for source in sources)
    beside, files = _remove_saved(engine, team, home)
    if sources or beside:
        _forget_index(engine, home)
    removed = {"document": documents + beside} if sources or beside else {}
    return removed | ({"file": files} if files else {})


def _remove_saved(engine: sa.Engine, team: str, home: Path) -> tuple[int, int]:
    """Remove a workspace's saved files, and their documents from sources that hold others' too; counts both."""
    folder = home / FOLDER
    if not _notes(engine, tables.saved_note.c.team != team):
        files = [path for path in folder.rglob("[!.]*") if path.is_file()]
        if folder.exists():
            shutil.rmtree(folder)
        return 0, len(files)
    mine = _notes(engine, tables.saved_note.c.team == team)
    files = documents_of(home, mine)
    uris = [path.resolve().as_uri() for path in files]
    with writing(engine) as connection:
        documents = sum(delete_documents(connection, one.id, uris) for one in _saved_sources(engine, home))
        drop_unused_vectors(connection)
    remove_files_of(home, mine)
    return documents, len(files)


def _saved_sources(engine: sa.Engine, home: Path) -> Iterator[StoredSource]:
    saved = (home / FOLDER).resolve()
    return (one for one in list_sources(engine) if Path(one.location).is_relative_to(saved))


def _notes(engine: sa.Engine, which: sa.ColumnElement[bool]) -> list[int]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(tables.saved_note.c.id).where(which)))


def _forget_index(engine: sa.Engine, home: Path) -> None:
    """Vectors of removed documents are in the index's file too; it is rebuilt at the next start."""
    with writing(engine) as connection:
        connection.execute(sa.delete(knowledge_tables.generation))
    for path in (home / "index").glob("*"):
        path.unlink(missing_ok=True)
