"""Reads the files that evaluations take and writes their runs; `.jsonl` may be compressed as `.jsonl.xz`."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.errors import MisuseError


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file, one a line. Raises MisuseError with the line that cannot be used."""
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(path, number, line)
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise MisuseError(f"{path} cannot be read: {error}. Give a .jsonl or .jsonl.xz file.") from error


def first_existing(folder: Path, *names: str) -> Path:
    """The first of these files that a folder holds. Raises MisuseError where it holds none."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MisuseError(f"{folder} holds no {' or '.join(names)}; see `lorekeeper eval --help` for the format.")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MisuseError(f"{path} cannot be written: {error.strerror}. Choose another file for --run.") from error


def _open(path: Path) -> Any:
    return lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8")


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise MisuseError(f"{path}, line {number} is not JSON: {error.msg}.") from error
    if not isinstance(row, dict):
        raise MisuseError(f"{path}, line {number} is {type(row).__name__}, expected an object.")
    return row
