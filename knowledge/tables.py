"""The rows of the knowledge package: SQL is the truth, everything else can be rebuilt from it.

The word index and the revision are kept by triggers, so that they change in the same transaction as the
chunks, also where a removed source or document takes its chunks along.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from knowledge.database import writing

metadata = sa.MetaData()


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment: stored as UTC without a zone (SQLite knows none), timezone-aware on the way out."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def _source_key(*, primary_key: bool = False, index: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("source.id", ondelete="CASCADE")
    return sa.Column("source_id", sa.Text, owner, nullable=False, primary_key=primary_key, index=index)


source = sa.Table(
    "source",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("interval_minutes", sa.Integer),
    sa.Column("trust", sa.Text, nullable=False, default="usual", server_default="usual"),
    # The name of what opens it, in the bot's table of credentials.
    sa.Column("credential", sa.Text),
    # Instead of the interval: a line as cron reads it, in this time zone; and what holds for both. See bot.timetable.
    sa.Column("cron", sa.Text),
    sa.Column("zone", sa.Text, nullable=False, default="UTC", server_default="UTC"),
    sa.Column("quiet", sa.Text),
    sa.Column("jitter_minutes", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Column("most_minutes", sa.Integer),
    sa.Column("paused", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    # Source code and configuration are read, too.
    sa.Column("code", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    # When the source last told all that it knows of who may read what.
    sa.Column("permissions_at", UtcTime),
    sa.Column("cursor", sa.Text),
    # Changes were stored after the cursor: a run that ends here must not trust it, see knowledge.ingest.
    sa.Column("unsettled", sa.Boolean, nullable=False, default=False),
    sa.Column("added_at", UtcTime, nullable=False),
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _source_key(),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("audience", sa.Text, nullable=False, index=True),
    sa.Column("owner", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("modified_at", UtcTime),
    sa.Column("synced_at", UtcTime, nullable=False),
    sa.UniqueConstraint("source_id", "uri"),
    sqlite_autoincrement=True,
)

# Who the group audiences of a source stand for.
reader = sa.Table(
    "reader",
    metadata,
    _source_key(primary_key=True),
    sa.Column("audience", sa.Text, primary_key=True),
    sa.Column("member", sa.Text, primary_key=True, index=True),
)

# A chunk's id is also its label in the HNSW index: ids only grow and are never used again, and rows are only
# inserted and deleted, never updated.
chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "document_id",
        sa.Integer,
        sa.ForeignKey("document.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("header", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("text_hash", sa.Text, nullable=False, index=True),
    sa.Column("line", sa.Integer),
    sqlite_autoincrement=True,
)

# Keyed by content: text that stays the same is never embedded again, wherever it moves.
vector = sa.Table(
    "vector",
    metadata,
    sa.Column("text_hash", sa.Text, primary_key=True),
    sa.Column("embedder", sa.Text, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)

document_failure = sa.Table(
    "document_failure",
    metadata,
    _source_key(primary_key=True),
    sa.Column("uri", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("failed_at", UtcTime, nullable=False),
    sa.Column("retry_at", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=1, server_default="1"),
)

sync_run = sa.Table(
    "sync_run",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _source_key(index=True),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("added", sa.Integer, nullable=False, default=0),
    sa.Column("changed", sa.Integer, nullable=False, default=0),
    sa.Column("deleted", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("unchanged", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.Text),
    sqlite_autoincrement=True,
)

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("dim", sa.Integer, nullable=False),
    # 0 in rows from before these columns: their files are built anew.
    sa.Column("max_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("passage_prefix", sa.Text, nullable=False, server_default=""),
    sa.Column("question_prefix", sa.Text, nullable=False, server_default=""),
    sa.Column("built_to_chunk", sa.Integer, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# One row that grows with every change of what may be found: a reader compares it with what it saw last.
revision = sa.Table(
    "revision",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
)

_FOLLOWERS = (
    "INSERT OR IGNORE INTO revision(id, number) VALUES (1, 0)",
    # The texts live in `chunk` only; the word index points at them by rowid = chunk.id.
    """CREATE VIRTUAL TABLE IF NOT EXISTS chunk_words USING fts5(
        header, text, content='chunk', content_rowid='id', tokenize='porter unicode61')""",
    """CREATE TRIGGER IF NOT EXISTS chunk_inserted AFTER INSERT ON chunk BEGIN
        INSERT INTO chunk_words(rowid, header, text) VALUES (new.id, new.header, new.text);
        UPDATE revision SET number = number + 1; END""",
    """CREATE TRIGGER IF NOT EXISTS chunk_deleted AFTER DELETE ON chunk BEGIN
        INSERT INTO chunk_words(chunk_words, rowid, header, text)
            VALUES ('delete', old.id, old.header, old.text);
        UPDATE revision SET number = number + 1; END""",
    """CREATE TRIGGER IF NOT EXISTS document_audience AFTER UPDATE OF audience ON document BEGIN
        UPDATE revision SET number = number + 1; END""",
)


def create_all(connection: sa.Connection) -> None:
    """Create what is missing, inside the caller's transaction; the first migration calls this."""
    metadata.create_all(connection)
    for statement in _FOLLOWERS:
        connection.exec_driver_sql(statement)


def create_tables(engine: sa.Engine) -> None:
    """Create what is missing, in a transaction of its own."""
    with writing(engine) as connection:
        create_all(connection)
