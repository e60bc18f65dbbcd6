"""Which documents hold which messages of a channel that is a source: so that a message that is deleted, edited or
somebody's who is left out from now on takes its documents along at once, before the channel is read again.

Units are what is read together: a thread, or a run of messages, named by the ts of the first one. Knows SQL, not Slack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from bot import tables
from bot.jobs import run_soon
from bot.learn.tombstones import person_origin
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing

KIND = "slack"
SCHEME = "slack:"
"""In front of a channel's id, the location of such a source."""
_VALUES = 500

_message, _change = tables.channel_message, tables.channel_change
_document = knowledge_tables.document


@dataclass(frozen=True, kw_only=True)
class Held:
    """A message, or a file of one, in a document."""

    ts: str
    uri: str
    user: str
    file: str = ""
    """Id of the file that the document is made of."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something to read again."""

    id: int
    ts: str
    root: str
    """The unit it is known to belong to; empty where it is not known."""
    gone: bool
    """What was made of it has to go before anything is read."""


class ChannelLedger:
    """The rows of one source; thread-safe."""

    def __init__(self, engine: sa.Engine, source_id: str) -> None:
        self._engine = engine
        self._source_id = source_id
        self._mine = _message.c.source_id == source_id

    def document_uris(self) -> tuple[str, ...]:
        """All documents of the source."""
        with reading(self._engine) as connection:
            query = sa.select(_document.c.uri).where(_document.c.source_id == self._source_id)
            return tuple(connection.scalars(query.order_by(_document.c.id)))

    def teams(self) -> frozenset[str]:
        """The workspaces that its messages come from: one, as a rule."""
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(sa.select(_message.c.team).where(self._mine).distinct())) - {""}

    def orphans(self) -> tuple[str, ...]:
        """Documents that no message is in (any more): a run was ended between two steps."""
        held = sa.select(_message.c.uri).where(self._mine)
        with reading(self._engine) as connection:
            query = sa.select(_document.c.uri).where(_document.c.source_id == self._source_id)
            return tuple(connection.scalars(query.where(_document.c.uri.not_in(held))))

    def is_stored(self, uri: str) -> bool:
        """Whether there is such a document of the source."""
        query = sa.select(_document.c.id).where(_document.c.source_id == self._source_id, _document.c.uri == uri)
        with reading(self._engine) as connection:
            return connection.scalar(query) is not None

    def units(self, low: str, high: str) -> frozenset[str]:
        """Roots of the units that begin in a stretch of time: from `low`, below `high`."""
        query = sa.select(_message.c.root).where(self._mine, _message.c.root >= low, _message.c.root < high)
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query.distinct()))

    def units_with(self, *, ts: Collection[str] = (), uris: Collection[str] = ()) -> dict[str, bool]:
        """The units that hold one of these messages, begin with it, or hold one of these documents; and which of them
        are threads."""
        any_of = sa.or_(
            _message.c.ts.in_(list(ts)), _message.c.root.in_(list(ts)), _message.c.uri.in_(list(uris)[:_VALUES])
        )
        query = sa.select(_message.c.root, _message.c.threaded).where(self._mine, any_of).distinct()
        with reading(self._engine) as connection:
            return {row.root: row.threaded for row in connection.execute(query)}

    def last_of(self, root: str) -> str:
        """The ts of the newest message of a unit; its root's where none is known."""
        query = sa.select(sa.func.max(_message.c.ts)).where(self._mine, _message.c.root == root)
        with reading(self._engine) as connection:
            return str(connection.scalar(query) or root)

    def newest_run(self) -> tuple[str, str] | None:
        """The first and the last message of the newest run of messages outside threads."""
        query = (
            sa.select(_message.c.root, sa.func.max(_message.c.ts))
            .where(self._mine, ~_message.c.threaded)
            .group_by(_message.c.root)
            .order_by(_message.c.root.desc())
        )
        with reading(self._engine) as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else (str(row[0]), str(row[1]))

    def replace_unit(self, root: str, held: Iterable[Held], *, threaded: bool, team: str = "") -> tuple[str, ...]:
        """Note what a unit consists of now; returns documents that hold no message any more."""
        shared = {"source_id": self._source_id, "team": team, "root": root, "threaded": threaded}
        rows = {
            (one.ts, one.uri): {"ts": one.ts, "uri": one.uri, "user": one.user, "file": one.file, **shared}
            for one in held
        }
        of_unit = (self._mine, _message.c.root == root)
        with writing(self._engine) as connection:
            before = set(connection.scalars(sa.select(_message.c.uri).where(*of_unit)))
            connection.execute(sa.delete(_message).where(*of_unit))
            if rows:
                connection.execute(sa.insert(_message).prefix_with("OR REPLACE"), list(rows.values()))
            still = set(connection.scalars(sa.select(_message.c.uri).where(self._mine, _message.c.uri.in_(before))))
        return tuple(sorted(before - still))

    def drop_unit(self, root: str) -> tuple[str, ...]:
        """Note that a unit is gone; returns the documents that went with it."""
        return self.replace_unit(root, (), threaded=False)

    def changes(self) -> tuple[Change, ...]:
        """What is to be read again, oldest first."""
        columns = [_change.c[name] for name in Change.__dataclass_fields__]
        query = sa.select(*columns).where(_change.c.source_id == self._source_id)
        with reading(self._engine) as connection:
            return tuple(Change(**row) for row in connection.execute(query.order_by(_change.c.id)).mappings())

    def stored_of(self, change: Change) -> tuple[str, ...]:
        """The documents that are there of what changed: those with its message, and what was said in its unit."""
        said = (_message.c.root == change.root) & (_message.c.file == "")
        held = sa.select(_message.c.uri).where(self._mine, (_message.c.ts == change.ts) | said)
        query = sa.select(_document.c.uri).where(_document.c.source_id == self._source_id, _document.c.uri.in_(held))
        with reading(self._engine) as connection:
            return tuple(connection.scalars(query))

    def settle(self, changes: Sequence[Change]) -> None:
        """Note that these are read."""
        with writing(self._engine) as connection:
            for start in range(0, len(changes), _VALUES):
                ids = [change.id for change in changes[start : start + _VALUES]]
                connection.execute(sa.delete(_change).where(_change.c.id.in_(ids)))

    def forget(self) -> None:
        """Forget all rows of the source."""
        with writing(self._engine) as connection:
            forget_channel(connection, self._source_id)

    def left_out(self) -> frozenset[str]:
        """Whose messages are not read, as `person_origin` names them: who was forgotten, and who is not remembered."""
        tombstone, person = tables.tombstone, tables.person
        buried = sa.select(tombstone.c.subject).where(tombstone.c.subject.startswith(person_origin("")[:7]))
        unwilling = sa.select(person.c.user).where(person.c.memory.is_(False))
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(buried)) | {
                person_origin(user) for user in connection.scalars(unwilling)
            }


def channel_source(engine: sa.Engine, channel: str) -> str:
    """The id of the source that a channel is; empty where it is none."""
    with reading(engine) as connection:
        return _source_of(connection, channel)


def note_message(engine: sa.Engine, channel: str, ts: str, *, team: str = "", thread_ts: str = "", gone: bool) -> bool:
    """Note that a message was written into an old thread, edited or deleted; False where the channel is no source.

    What is `gone` takes every document that holds it along, in this transaction; the rest of them is read again soon.
    """
    with writing(engine) as connection:
        source_id = _source_of(connection, channel)
        if not source_id:
            return False
        mine = _message.c.source_id == source_id
        if gone:
            uris = connection.scalars(sa.select(_message.c.uri).where(mine, _message.c.ts == ts)).all()
            remove_documents(connection, source_id, uris)
        known = connection.scalars(sa.select(_message.c.root).where(mine, _message.c.ts == ts).distinct()).all()
        _add_changes(connection, source_id, team, {ts: known or [thread_ts]}, gone=gone)
    run_soon(engine, f"sync:{source_id}")
    return True


def note_deleted_file(engine: sa.Engine, file: str) -> bool:
    """Remove the documents that are made of a file; False where there are none."""
    if not file:
        return False
    with reading(engine) as connection:
        if connection.scalar(sa.select(_message.c.ts).where(_message.c.file == file).limit(1)) is None:
            return False
    with writing(engine) as connection:
        rows = connection.execute(sa.select(_message).where(_message.c.file == file)).all()
        for row in rows:
            remove_documents(connection, row.source_id, [row.uri])
            _add_changes(connection, row.source_id, row.team, {row.ts: [row.root]}, gone=False)
    for source_id in {row.source_id for row in rows}:
        run_soon(engine, f"sync:{source_id}")
    return True


def note_closed(engine: sa.Engine, channel: str) -> bool:
    """Remove all that is known from a channel that the bot must not read any more; False where it is no source."""
    with writing(engine) as connection:
        source_id = _source_of(connection, channel)
        if not source_id:
            return False
        uris = connection.scalars(sa.select(_document.c.uri).where(_document.c.source_id == source_id)).all()
        remove_documents(connection, source_id, uris)
        forget_channel(connection, source_id)
        # Where it may be read again some day, it is read from the start.
        source = knowledge_tables.source
        connection.execute(sa.update(source).where(source.c.id == source_id).values(cursor=None, unsettled=False))
    run_soon(engine, f"sync:{source_id}")
    return True


def leave_person_out(connection: sa.Connection, user: str) -> int:
    """Remove every document that holds a message of this person, inside the caller's transaction; returns how many.

    What others said in them is read again with the next run, and this person's words are not.
    """
    theirs = connection.execute(sa.select(_message).where(_message.c.user == user)).all()
    removed = 0
    for source_id in {row.source_id for row in theirs}:
        rows = [row for row in theirs if row.source_id == source_id]
        removed += remove_documents(connection, source_id, {row.uri for row in rows})
        connection.execute(sa.delete(_message).where(_message.c.source_id == source_id, _message.c.user == user))
        roots = {row.root for row in rows}
        others = _message.c.source_id == source_id, _message.c.root.in_(roots)
        left: dict[str, list[str]] = {}
        for row in connection.execute(sa.select(_message.c.root).where(*others).distinct()):
            left[row.root] = [row.root]
        _add_changes(connection, source_id, rows[0].team, left, gone=True)
    return removed


def forget_channel(connection: sa.Connection, source_id: str) -> None:
    """Forget the rows of a source, inside the caller's transaction."""
    for table in (_message, _change):
        connection.execute(sa.delete(table).where(table.c.source_id == source_id))


def remove_documents(connection: sa.Connection, source_id: str, uris: Collection[str]) -> int:
    """Remove documents with their chunks and the vectors that no other text has; returns how many were there."""
    chunk, vector, failure = knowledge_tables.chunk, knowledge_tables.vector, knowledge_tables.document_failure
    wanted, removed = sorted(set(uris)), 0
    for start in range(0, len(wanted), _VALUES):
        part = wanted[start : start + _VALUES]
        of_part = _document.c.source_id == source_id, _document.c.uri.in_(part)
        texts = sa.select(chunk.c.text_hash).join(_document, _document.c.id == chunk.c.document_id).where(*of_part)
        hashes = list(set(connection.scalars(texts)))
        removed += connection.execute(sa.delete(_document).where(*of_part)).rowcount
        connection.execute(sa.delete(failure).where(failure.c.source_id == source_id, failure.c.uri.in_(part)))
        for first in range(0, len(hashes), _VALUES):
            some = hashes[first : first + _VALUES]
            used = sa.select(chunk.c.text_hash).where(chunk.c.text_hash.in_(some))
            connection.execute(sa.delete(vector).where(vector.c.text_hash.in_(some), vector.c.text_hash.not_in(used)))
    return removed


def _source_of(connection: sa.Connection, channel: str) -> str:
    source = knowledge_tables.source
    query = sa.select(source.c.id).where(source.c.kind == KIND, source.c.location == f"{SCHEME}{channel}")
    return str(connection.scalar(query) or "")


def _add_changes(
    connection: sa.Connection, source_id: str, team: str, roots: Mapping[str, Sequence[str]], *, gone: bool
) -> None:
    now = datetime.now(UTC)
    rows = [
        {"source_id": source_id, "team": team, "ts": ts, "root": root, "gone": gone, "noted_at": now}
        for ts, named in roots.items()
        for root in named
    ]
    if rows:
        connection.execute(sa.insert(_change), rows)
