"""The starter version: an adapter that comes with the package and makes the embedded model fit for the work.

What it learned, from what, and how good it is: `starter_adapter/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.errors import ModelFileError, ModelNotAllowedError
from models.registry import sha256_of

_FILE = Path(__file__).parent / "starter_adapter" / "adapter.gguf"
_SHA256 = "b27961e86046f1d6b80773a21253b75fc61b9c745d8ebb9782e87b1b162955ca"


@dataclass(frozen=True, kw_only=True)
class Starter:
    """The adapter's file, and how answers name the version."""

    path: Path
    version: str


def starter(file: Path = _FILE) -> Starter:
    """Find the starter version's adapter and check it; raises ModelFileError, or ModelNotAllowedError if it changed."""
    if not file.is_file():
        raise ModelFileError(
            f"The starter version's adapter is missing: {file}. Install Lorekeeper again, or set model.name to "
            "embedded-plain."
        )
    if sha256_of(file) != _SHA256:
        raise ModelNotAllowedError(
            f"{file} is not the adapter that comes with Lorekeeper: it is damaged or was replaced. Install again, or "
            "set model.name to embedded-plain."
        )
    return Starter(path=file, version=f"starter@{_SHA256[:8]}")
