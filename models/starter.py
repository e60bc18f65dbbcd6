"""The starter version: an adapter that comes with the package and makes the embedded model fit for the work.

How it was made and measured is in `starter_adapter/README.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.registry import sha256_of

_FILE = Path(__file__).parent / "starter_adapter" / "adapter.gguf"


@dataclass(frozen=True, kw_only=True)
class Starter:
    """The adapter's file, and how answers name the version."""

    path: Path
    version: str


def starter() -> Starter:
    """Find the starter version's adapter; raises ModelFileError where the package lacks it."""
    return Starter(path=_FILE, version=f"starter@{sha256_of(_FILE)[:8]}")
