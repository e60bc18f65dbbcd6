"""Datasets with words that were deleted or withdrawn since are removed; others stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.learn.export import MANIFEST
from bot.learn.stale import remove_stale_datasets, stale_datasets_job
from bot.learn.tombstones import bury
from bot.purge import DATASETS_FOLDER
from knowledge.database import writing


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def dataset(home: Path, name: str, *origins: str) -> Path:
    folder = home / DATASETS_FOLDER / name
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("words\n")
    (folder / MANIFEST).write_text(json.dumps({"origins": origins}))
    return folder


def test_only_what_holds_a_buried_origin_goes(engine: sa.Engine, tmp_path: Path) -> None:
    gone, stays = dataset(tmp_path, "one", "answer:1", "answer:2"), dataset(tmp_path, "two", "answer:3")
    assert remove_stale_datasets(engine, tmp_path) == ()
    with writing(engine) as connection:
        bury(connection, ["answer:2", "answer:9"], "T1", "deleted")
    assert stale_datasets_job(engine, tmp_path).work() == "removed one"
    assert not gone.exists()
    assert stays.exists()
    assert stale_datasets_job(engine, tmp_path).work() == "nothing to remove"


def test_a_manifest_that_cannot_be_read_could_hold_anything(engine: sa.Engine, tmp_path: Path) -> None:
    (dataset(tmp_path, "broken") / MANIFEST).write_text("{")
    with writing(engine) as connection:
        bury(connection, ["answer:2"], "T1", "forgotten")
    assert remove_stale_datasets(engine, tmp_path) == ("broken",)
