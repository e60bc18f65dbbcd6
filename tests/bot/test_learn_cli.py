"""`lorekeeper dataset`, and the setting that has to be acknowledged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.app import Application, build
from bot.cli.invocation import Invocation
from bot.cli.output import Report
from bot.cli.root import lorekeeper
from bot.errors import SettingsError
from bot.feedback import record_reason
from bot.purge import purge_rows
from bot.settings import Settings, load_settings
from tests.bot.learn_world import ADA, BADGES, LEAVE, TEAM, World, open_world

Run = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "lorekeeper.toml").write_text(f'[slack]\nadmins = ["{ADA}"]\n')
    world = open_world(tmp_path)
    world.learn_documents(BADGES, LEAVE)
    answer_id = world.ask("Who issues the badges?", user=ADA)
    record_reason(world.engine, answer_id, ADA, "unclear", "Maria Lopez issues badges at the front desk.")
    yield world
    world.engine.dispose()


@pytest.fixture
def run(world: World) -> Run:
    def opened(settings: Settings, *, with_generator: bool = True, progress: Report | None = None) -> Application:
        return build(settings, with_generator=False, embedder=world.embedder, progress=progress)

    invocation = Invocation(environment={}, home=world.settings.home, build=opened)
    return lambda *words: CliRunner().invoke(lorekeeper, list(words), obj=invocation, catch_exceptions=False)


def test_a_dataset_is_built_into_the_data_folder_and_shown(run: Run, world: World) -> None:
    built = run("dataset", "build", "--json")
    report = json.loads(built.stdout)
    folder = Path(report["folder"])
    assert folder.parent == world.settings.home / "datasets"
    assert report["lanes"]["corrections"] == 2
    shown = json.loads(run("dataset", "show", str(folder), "--json").stdout)
    assert shown["data_sha256"] == report["data_sha256"]


def test_the_tables_say_what_is_in_it_and_what_is_not(run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "d")
    for text in (run("dataset", "build", "-o", folder).stdout, run("dataset", "show", folder).stdout):
        assert "corrections" in text
        assert "is a person's message, and tuning.message_text is off" in text
        assert "Votes, kept as figures: 1." in text


def test_an_uninstall_takes_the_datasets_along(run: Run, world: World) -> None:
    run("dataset", "build", "--json")
    removed = purge_rows(world.engine, TEAM, world.settings.home)
    assert removed["dataset"] == 1
    assert not (world.settings.home / "datasets").exists()


@pytest.mark.parametrize("acknowledged", ["", 'message_text_acknowledged = "2020-01-01"\n'])
def test_message_text_is_refused_at_start_until_the_clause_was_read(tmp_path: Path, acknowledged: str) -> None:
    (tmp_path / "lorekeeper.toml").write_text(f"[tuning]\nmessage_text = true\n{acknowledged}")
    with pytest.raises(SettingsError, match=r"tuning.message_text_acknowledged = .*expected \"2024-12-10\""):
        load_settings({}, tmp_path)


def test_message_text_may_be_switched_on_with_the_date_of_the_clause(tmp_path: Path) -> None:
    text = '[tuning]\nmessage_text = true\nmessage_text_acknowledged = "2024-12-10"\n'
    (tmp_path / "lorekeeper.toml").write_text(text)
    assert load_settings({}, tmp_path).file.tuning.message_text
