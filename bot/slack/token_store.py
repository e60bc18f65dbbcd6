"""The workspaces that installed the app, in slack_sdk's own stores; tokens are encrypted before they reach the disk.

The key is LOREKEEPER_TOKEN_KEY, or the file `token.key` in the data folder, made at the first start for its owner
alone. To change the key, put a new one before the old one, separated by a comma (`python -c "from cryptography.fernet
import Fernet; print(Fernet.generate_key().decode())"` makes one), and start: every token is encrypted again with the
first key. Then take the old one away. In the file, one key stands on each line.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from slack_sdk.oauth.state_store.sqlalchemy import SQLAlchemyOAuthStateStore

from bot.errors import SettingsError
from bot.keys import KEY_FILE, load_keys
from bot.settings import Settings
from knowledge.database import open_engine, reading, writing

FILE = "installations.db"
STATE_SECONDS = 600
_TOKEN_COLUMNS = ("bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url")
# The SDK's own logger would name states and codes.
_quiet = logging.getLogger(f"{__name__}.sdk")
_quiet.setLevel(logging.ERROR)


class EncryptedText(sa.TypeDecorator[str]):
    """Text that is ciphertext in the database; as long as it has to be."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, cipher: MultiFernet) -> None:
        super().__init__()
        self._cipher = cipher

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else self._cipher.encrypt(value.encode()).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            return self._cipher.decrypt(value.encode()).decode()
        except InvalidToken:
            raise SettingsError(
                f"A workspace's token in {FILE} was encrypted with another key. Put that key back into "
                f"LOREKEEPER_TOKEN_KEY or {KEY_FILE}, or install the app in that workspace again."
            ) from None


class Installations(SQLAlchemyInstallationStore):
    """Who installed the app, one row per installation; tokens are readable with the key alone."""

    def __init__(self, client_id: str, engine: sa.Engine, cipher: MultiFernet) -> None:
        super().__init__(client_id, engine, logger=_quiet)
        for table in (self.bots, self.installations):
            for name in _TOKEN_COLUMNS:
                if name in table.c:
                    table.c[name].type = EncryptedText(cipher)
        self.metadata.create_all(self.engine)

    def save(self, installation: Installation) -> None:
        """Keep an installation instead of the same workspace's earlier ones, whose tokens nobody needs any more."""
        super().save(installation)
        with writing(self.engine) as connection:
            for table in (self.bots, self.installations):
                mine = (table.c.client_id == self.client_id, table.c.team_id == installation.team_id)
                newest = sa.select(sa.func.max(table.c.id)).where(*mine).scalar_subquery()
                connection.execute(sa.delete(table).where(*mine, table.c.id != newest))

    def list_bots(self) -> tuple[Bot, ...]:
        """The newest bot of every workspace."""
        with reading(self.engine) as connection:
            teams = connection.scalars(
                sa.select(self.bots.c.team_id).where(self.bots.c.client_id == self.client_id).distinct()
            ).all()
        found = (self.find_team(str(team)) for team in teams if team)
        return tuple(bot for bot in found if bot is not None)

    def find_team(self, team: str) -> Bot | None:
        """The newest bot of a workspace, whichever organisation it belongs to."""
        mine = (self.bots.c.client_id == self.client_id, self.bots.c.team_id == team)
        query = sa.select(self.bots).where(*mine, self.bots.c.bot_token.is_not(None))
        with reading(self.engine) as connection:
            row = connection.execute(query.order_by(self.bots.c.id.desc()).limit(1)).mappings().first()
        return None if row is None else self.build_bot_entity(row)

    def remove_team(self, team: str) -> int:
        """Remove every row of a workspace, whoever installed; returns how many."""
        with writing(self.engine) as connection:
            return sum(
                connection.execute(sa.delete(table).where(table.c.team_id == team)).rowcount
                for table in (self.bots, self.installations)
            )

    def count_team(self, team: str) -> int:
        """How many rows of a workspace there are."""
        with reading(self.engine) as connection:
            return sum(
                int(
                    connection.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.team_id == team)) or 0
                )
                for table in (self.bots, self.installations)
            )

    def encrypt_again(self) -> None:
        """Bring every token under the first key."""
        with writing(self.engine) as connection:
            for table in (self.bots, self.installations):
                columns = [table.c[name] for name in _TOKEN_COLUMNS if name in table.c]
                for row in connection.execute(sa.select(table.c.id, *columns)).all():
                    values: dict[str, Any] = {column.name: getattr(row, column.name) for column in columns}
                    connection.execute(sa.update(table).where(table.c.id == row.id).values(values))


class States(SQLAlchemyOAuthStateStore):
    """What an installation must bring back from Slack: good once, for ten minutes."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(STATE_SECONDS, engine, logger=_quiet)
        self.metadata.create_all(self.engine)

    def issue(self, *args: Any, **kwargs: Any) -> str:
        """Make a state; those whose time is over go."""
        with writing(self.engine) as connection:
            self._expire(connection)
        return super().issue(*args, **kwargs)

    def _expire(self, connection: sa.Connection) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        connection.execute(sa.delete(self.oauth_states).where(self.oauth_states.c.expire_at <= now))

    def consume(self, state: str) -> bool:
        """Use a state up. Of two who bring the same one, one succeeds."""
        table = self.oauth_states
        with writing(self.engine) as connection:
            self._expire(connection)
            return connection.execute(sa.delete(table).where(table.c.state == state)).rowcount == 1


def open_installations(settings: Settings) -> tuple[Installations, States]:
    """Open both stores; raises SettingsError for a key that cannot be used."""
    keys = load_keys(settings)
    engine = open_engine(f"sqlite:///{settings.home / FILE}")
    (settings.home / FILE).chmod(0o600)
    store = Installations(settings.slack_client_id, engine, MultiFernet([Fernet(key) for key in keys]))
    if len(keys) > 1:
        store.encrypt_again()
    return store, States(engine)
