"""The keys that tokens are encrypted with at rest: LOREKEEPER_TOKEN_KEY, or a file of the data folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet

from bot.errors import SettingsError
from bot.settings import Settings
from knowledge.secret import Secret

KEY_FILE = "token.key"


def load_keys(settings: Settings) -> Sequence[bytes]:
    """The keys, newest first; makes the key file where there is no key at all. Raises SettingsError."""
    place = "LOREKEEPER_TOKEN_KEY"
    text = settings.token_key.reveal()
    if not text:
        path = settings.home / KEY_FILE
        place = str(path)
        text = _read_or_make(path).reveal()
    keys = [key.encode() for key in text.replace(",", " ").split()]
    try:
        for key in keys:
            Fernet(key)
    except ValueError as error:
        raise SettingsError(
            f"{place} holds no key for tokens: expected 32 bytes in URL-safe base64, as Fernet.generate_key() makes. "
            "Put the right one there; a new one means that every workspace installs again."
        ) from error
    if not keys:
        raise SettingsError(f"{place} is empty. Put the key back, or remove the file for a new one.")
    return keys


def _read_or_make(path: Path) -> Secret:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Secret(path.read_text(encoding="utf-8"))
    key = Fernet.generate_key().decode()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{key}\n")
        file.flush()
        os.fsync(file.fileno())
    return Secret(key)
