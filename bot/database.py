"""Open the database: upgraded to the newest shape first, refused when it comes from a newer Lorekeeper."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from knowledge.database import open_engine, writing
from knowledge.errors import DatabaseError

_SCRIPTS = Path(__file__).parent / "migrations"


def open_database(url: str) -> sa.Engine:
    """Open a database and upgrade it; raises DatabaseError where it cannot be opened or upgraded."""
    engine = open_engine(url)
    try:
        upgrade(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def upgrade(engine: sa.Engine) -> None:
    """Apply the missing migrations in one transaction; two processes may do this at once."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    try:
        with writing(engine) as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise DatabaseError(
                    f"The database {engine.url.database} has shape {current}, which this version does "
                    "not know: it was written by a newer Lorekeeper. Install that version again, or set "
                    "LOREKEEPER_DATABASE_URL to another file."
                )
            if current == scripts.get_current_head():
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except sa.exc.DBAPIError as error:
        raise DatabaseError(
            f"The database {engine.url.database} could not be upgraded ({error.orig}). Nothing was "
            "changed; check the disk's free space and that no other program holds the file, then start again."
        ) from error
