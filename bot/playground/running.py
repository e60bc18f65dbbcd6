"""Where the playground of a data folder is to be found while it runs: a file of that folder, for its owner alone.

What is left of one that was killed opens nothing, and counts as nothing. Its tokens are no tokens of Slack's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from bot.private_file import write_private

FILE = "playground-running.json"
# It is on this machine: one that is there answers at once.
_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class RunningPlayground:
    """What an app needs to speak with it."""

    api_url: str
    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)


@contextmanager
def announced(playground: RunningPlayground, home: Path) -> Iterator[None]:
    """Let other processes of this data folder find the playground while the block runs."""
    path = home / FILE
    text = json.dumps(asdict(playground))
    write_private(path, text)
    try:
        yield
    finally:
        # One that was started after this one has written its own.
        if _read(path) == text:
            path.unlink(missing_ok=True)


def find_running(home: Path) -> RunningPlayground | None:
    """The playground that runs with this data folder, where one does and answers."""
    try:
        found = RunningPlayground(**json.loads(_read(home / FILE)))
    except (ValueError, TypeError):
        return None
    return found if _answers(found) else None


def _answers(playground: RunningPlayground) -> bool:
    """Whether what listens there is a playground, and the one that gave out the token."""
    api = urlsplit(playground.api_url)
    connection = HTTPConnection(api.hostname or "", api.port, timeout=_SECONDS)
    try:
        connection.request("POST", f"{api.path}auth.test", headers={"Authorization": f"Bearer {playground.bot_token}"})
        told = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(told, dict) and told.get("ok") is True


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
