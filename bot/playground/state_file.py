"""Keeps the workspace in one JSON file, written to a temporary name and renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bot.errors import SettingsError
from bot.playground.seed import seed
from bot.playground.workspace import Workspace


def load_workspace(path: Path | None) -> Workspace:
    """Read the workspace of a state file, or seed a new one."""
    workspace = Workspace()
    if path is None or not path.exists():
        seed(workspace)
        return workspace
    try:
        workspace.load(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"The playground's state file {path} cannot be read ({error}). "
            "Move it away to begin with an empty workspace."
        ) from error
    return workspace


def save_workspace(text: str, path: Path) -> None:
    """Write an already encoded workspace so that a crash leaves the old or the new file, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
