"""Runs long work in stages whose results stay on disk: what is done is not done again, and what is refused ends it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Result = Mapping[str, Any]
REFUSED = "refused"
"""A result with this key ends the run; its value says why."""


def run_stages(folder: Path, stages: Mapping[str, Callable[[], Result]]) -> dict[str, dict[str, Any]]:
    """Run what has not been run, until something is refused; returns the result and the seconds of every stage."""
    folder.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    for name, work in stages.items():
        file = folder / f"{name}.json"
        if not file.exists():
            print(f"{name} ...", file=sys.stderr)
            started = time.monotonic()
            result = dict(work())
            result["stage_seconds"] = round(time.monotonic() - started, 1)
            unfinished = file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(result, indent=2, ensure_ascii=False), encoding="utf-8")
            unfinished.replace(file)
        done[name] = json.loads(file.read_text(encoding="utf-8"))
        if REFUSED in done[name]:
            break
    return done
