"""What opens sources that are not open to all: tokens with names, encrypted at rest with the keys of `bot.keys`.

Someone who copies the database alone cannot use them. A source names its credential; several may name the same one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.dialects.sqlite import insert

from bot.errors import MisuseError, SettingsError
from bot.keys import KEY_FILE, load_keys
from bot.settings import Settings
from bot.tables import credential
from knowledge.database import reading, writing
from knowledge.secret import Secret
from knowledge.tables import source

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class StoredCredential:
    """A credential as it may be shown."""

    name: str
    set_at: datetime
    sources: tuple[str, ...]
    """Names of the sources that are opened with it."""


def set_credential(engine: sa.Engine, settings: Settings, name: str, secret: Secret) -> bool:
    """Keep a credential, in place of one of that name; tells whether there was one. Raises MisuseError."""
    if not _NAME.fullmatch(name):
        raise MisuseError(
            f"a credential cannot be named {name!r}: expected up to 64 small letters, digits, dots, dashes and "
            "underscores, like github-read."
        )
    if not secret.reveal().strip():
        raise MisuseError(f"the credential {name!r} is empty. Paste the token, or hand it over on standard input.")
    text = _cipher(settings).encrypt(secret.reveal().strip().encode()).decode()
    values = {"secret": text, "set_at": datetime.now(UTC)}
    with writing(engine) as connection:
        known = connection.execute(sa.select(credential.c.name).where(credential.c.name == name)).first()
        row = insert(credential).values(name=name, **values)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
    return known is not None


def open_credential(engine: sa.Engine, settings: Settings, name: str) -> Secret:
    """The secret of that name. Raises MisuseError where it is not there, SettingsError for a changed key."""
    with reading(engine) as connection:
        text = connection.scalar(sa.select(credential.c.secret).where(credential.c.name == name))
    if text is None:
        raise MisuseError(f"there is no credential {name!r}. Keep it first: lorekeeper credentials set {name}")
    try:
        return Secret(_cipher(settings).decrypt(text.encode()).decode())
    except InvalidToken:
        raise SettingsError(
            f"The credential {name!r} was encrypted with another key. Put that key back into LOREKEEPER_TOKEN_KEY or "
            f"{KEY_FILE}, or set the credential again: lorekeeper credentials set {name}"
        ) from None


def list_credentials(engine: sa.Engine) -> tuple[StoredCredential, ...]:
    """All credentials by name, without what is secret."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(credential.c.name, credential.c.set_at).order_by(credential.c.name)).all()
        using = connection.execute(
            sa.select(source.c.credential, source.c.name).where(source.c.credential.is_not(None))
        ).all()
    return tuple(
        StoredCredential(
            name=row.name,
            set_at=row.set_at,
            sources=tuple(sorted(name for used, name in using if used == row.name)),
        )
        for row in rows
    )


def remove_credential(engine: sa.Engine, name: str) -> None:
    """Forget a credential. Raises MisuseError where it is not there, or a source still needs it."""
    with writing(engine) as connection:
        users = connection.scalars(sa.select(source.c.name).where(source.c.credential == name)).all()
        if users:
            raise MisuseError(f"the credential {name!r} opens {', '.join(map(repr, users))}: remove that first.")
        if not connection.execute(sa.delete(credential).where(credential.c.name == name)).rowcount:
            raise MisuseError(f"there is no credential {name!r}. `lorekeeper credentials list` shows them.")


def _cipher(settings: Settings) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in load_keys(settings)])
