"""Datasets hold copies of people's words: one that holds what was deleted or withdrawn since is removed.

What a version learned stays in its numbers; `bot.learn.tombstones.versions_that_learned` names such versions.
"""

from __future__ import annotations

import json
import logging
import shutil
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from bot.jobs import Job
from bot.learn.export import MANIFEST
from bot.learn.tombstones import buried_subjects
from bot.purge import DATASETS_FOLDER
from bot.timetable import Timetable
from knowledge.database import reading

logger = logging.getLogger(__name__)

_INTERVAL = timedelta(hours=1)


def remove_stale_datasets(engine: sa.Engine, home: Path) -> tuple[str, ...]:
    """Remove the datasets in the data folder that hold a buried origin; returns their names."""
    with reading(engine) as connection:
        buried = buried_subjects(connection)
    if not buried:
        return ()
    stale = [path.parent for path in sorted((home / DATASETS_FOLDER).glob(f"*/{MANIFEST}")) if _holds(path, buried)]
    for folder in stale:
        shutil.rmtree(folder)
        logger.info("the dataset %s was removed: it held what was deleted or withdrawn since", folder)
    return tuple(folder.name for folder in stale)


def stale_datasets_job(engine: sa.Engine, home: Path) -> Job:
    """Look again and again."""

    def work() -> str:
        removed = remove_stale_datasets(engine, home)
        return f"removed {', '.join(removed)}" if removed else "nothing to remove"

    return Job(name="datasets", times=Timetable(every=_INTERVAL), work=work)


def _holds(manifest: Path, buried: frozenset[str]) -> bool:
    """Whether a dataset holds such a row; what cannot be read could hold anything."""
    try:
        return not buried.isdisjoint(json.loads(manifest.read_text(encoding="utf-8"))["origins"])
    except (OSError, ValueError, KeyError, TypeError):
        return True
