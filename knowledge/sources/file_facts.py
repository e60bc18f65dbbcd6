"""What a hidden file in a folder says of the files beside it: how people call them, and who answers for them.

It is written together with a file and not changed afterwards: a file is read with what it says then.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FACTS_FILE = ".lorekeeper-files.json"
_MOST_BYTES = 64 * 1024
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What is said of one file."""

    title: str = ""
    """Empty where the file's own title is to be used."""
    owner: str = ""


def write_facts(folder: Path, facts: Mapping[str, FileFacts]) -> None:
    """Say something of files in a folder, by their names."""
    content = json.dumps({name: asdict(one) for name, one in facts.items()}, ensure_ascii=False)
    draft = folder / f"{FACTS_FILE}.draft"
    draft.write_text(content, encoding="utf-8", errors="replace")
    draft.replace(folder / FACTS_FILE)


def read_facts(path: Path) -> dict[str, FileFacts]:
    """Read such a file; one that cannot be read or understood says nothing."""
    try:
        # Not following a link and not waiting for a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            told = json.loads(file.read(_MOST_BYTES)) if is_regular else {}
    except (OSError, ValueError):
        return {}
    named = told.items() if isinstance(told, dict) else ()
    return {name: FileFacts(title=_text(one, "title"), owner=_text(one, "owner")) for name, one in named}


def _text(told: object, key: str) -> str:
    value = told.get(key) if isinstance(told, dict) else ""
    return " ".join(value.split())[:_LONGEST] if isinstance(value, str) else ""
