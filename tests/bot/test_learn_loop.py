"""`lorekeeper learn` from dataset to version: real training of a model of two layers, scripted words at the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.evaluate.files import write_rows
from bot.learn.export import MANIFEST, DatasetFile
from bot.learn.tombstones import bury
from bot.learn.versions import find_version, history
from bot.purge import DATASETS_FOLDER, RUNS_FOLDER
from knowledge.database import writing
from models.example import write_examples
from models.registry import ModelRegistry, sha256_of
from tests.bot import learn_facts as world
from tests.bot.terminal import Terminal
from tests.models.small_model import write_small_model

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("small") / "small.gguf")


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], small: Path) -> Terminal:
    home = tmp_path / "home"
    ModelRegistry(home / "models").add(str(small), "small")
    (home / "lorekeeper.toml").write_text('[model]\nname = "small"\n[tuning]\ncanary = true\ncanary_share = 0.3\n')
    versions = {"": world.never_knows, "adapter.gguf": world.reads_well}
    return Terminal(home=home, capsys=capsys, versions=versions)


@pytest.fixture
def engine(terminal: Terminal) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def make_dataset(home: Path, name: str) -> Path:
    """A finished dataset, as an interrupted round left it."""
    folder = home / DATASETS_FOLDER / name
    folder.mkdir(parents=True)
    write_examples(folder / "train.jsonl", world.clean_examples(1)[:16])
    write_examples(folder / "test.jsonl", world.clean_examples(2))
    write_examples(folder / "general.jsonl", world.general_examples())
    write_rows(folder / "test_rows.jsonl", [world.as_json(row) for row in world.answer_rows()])
    listed = [
        asdict(DatasetFile(name=path.name, sha256=sha256_of(path), rows=1)) for path in sorted(folder.glob("*.jsonl"))
    ]
    origins = sorted({row.origin for row in world.clean_examples(1)[:16]})
    (folder / MANIFEST).write_text(json.dumps({"files": listed, "origins": origins}))
    return folder


def test_a_version_that_passes_becomes_a_canary_with_all_that_shows_why(terminal: Terminal, engine: sa.Engine) -> None:
    """The dataset of a round that was ended is used again, and the same command afterwards does no more training."""
    make_dataset(terminal.home, "v1")
    shown = terminal.type("learn", "--name", "v1", "--json")
    assert (shown.code, shown.json["state"], shown.json["rows"]) == (0, "canary", 16)
    version = find_version(engine, "v1")
    assert (version.state, version.base, version.share, version.run) == ("canary", "small", 0.3, "runs/v1")
    assert "feedback:1" in version.examples
    assert [event.state for event in history(engine, "v1")][-2:] in (["candidate", "canary"], ["canary", "candidate"])
    run = terminal.home / RUNS_FOLDER / "v1"
    assert {"adapter.gguf", "run.json", "log.jsonl", "curves.png", "gate.png"} <= {path.name for path in run.iterdir()}
    assert not (run / "merged.gguf").exists()
    assert not (run / "probes.json").exists()
    again = terminal.type("learn", "--name", "v1")
    assert again.code != 0
    assert "v1" in again.err


def test_a_version_that_is_no_better_is_refused_with_its_numbers(terminal: Terminal, engine: sa.Engine) -> None:
    make_dataset(terminal.home, "v2")
    terminal.versions = {"": world.reads_well, "adapter.gguf": world.reads_well}
    shown = terminal.type("learn", "--name", "v2")
    assert shown.code == 0
    assert shown.out.startswith("v2 from 16 rows: refused (better: right is")
    assert find_version(engine, "v2").state == "refused"


def test_what_was_withdrawn_since_is_not_learned_from(terminal: Terminal, engine: sa.Engine) -> None:
    make_dataset(terminal.home, "v3")
    with writing(engine) as connection:
        bury(connection, ["feedback:1"], "T1", "withdrawn")
    shown = terminal.type("learn", "--name", "v3")
    assert shown.code == 2
    assert "deleted or withdrawn since" in shown.err
    assert not (terminal.home / RUNS_FOLDER / "v3").exists()


def test_without_feedback_and_documents_there_is_nothing_to_learn_from(terminal: Terminal) -> None:
    shown = terminal.type("learn", "--name", "v4")
    assert shown.code == 1
    assert "fewer than 8 rows" in shown.err
