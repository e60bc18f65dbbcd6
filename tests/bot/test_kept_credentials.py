"""What opens sources: kept encrypted, named by sources, and shown to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.credentials import list_credentials, open_credential, remove_credential, set_credential
from bot.database import open_database
from bot.errors import MisuseError, SettingsError
from bot.settings import Settings, load_settings
from knowledge.secret import Secret
from knowledge.store import add_source
from tests.bot.terminal import Terminal

TOKEN = "ghp_" + "a1" * 18


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    opened = open_database(settings.database_url)
    yield opened
    opened.dispose()


def test_a_credential_comes_back_and_is_nowhere_on_the_disk(engine: sa.Engine, settings: Settings) -> None:
    assert not set_credential(engine, settings, "github", Secret(f"  {TOKEN}\n"))
    assert open_credential(engine, settings, "github") == Secret(TOKEN)
    assert TOKEN not in repr(open_credential(engine, settings, "github"))
    engine.dispose()
    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert files
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)


def test_setting_it_again_replaces_it(engine: sa.Engine, settings: Settings) -> None:
    set_credential(engine, settings, "github", Secret("old"))
    assert set_credential(engine, settings, "github", Secret("new"))
    assert open_credential(engine, settings, "github") == Secret("new")
    assert [one.name for one in list_credentials(engine)] == ["github"]


def test_one_that_a_source_needs_stays(engine: sa.Engine, settings: Settings, tmp_path: Path) -> None:
    set_credential(engine, settings, "key", Secret("text"))
    add_source(engine, kind="files", location=str(tmp_path), name="papers", credential="key")
    assert list_credentials(engine)[0].sources == ("papers",)
    with pytest.raises(MisuseError, match="'papers'"):
        remove_credential(engine, "key")


def test_a_source_whose_credential_is_missing_holds_up_no_other(
    engine: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "page.md").write_text("Badges are blue.", encoding="utf-8")
    add_source(engine, kind="notion", location="https://www.notion.so/", name="wiki", credential="lost")
    add_source(engine, kind="files", location=str(folder))
    shown = Terminal(home=tmp_path, capsys=capsys).type("sync")
    assert shown.code == 1
    assert "wiki: failed: there is no credential 'lost'" in shown.out
    assert "docs: 1 added" in shown.out


def test_a_removed_one_is_gone(engine: sa.Engine, settings: Settings) -> None:
    set_credential(engine, settings, "key", Secret("text"))
    remove_credential(engine, "key")
    with pytest.raises(MisuseError, match="lorekeeper credentials set key"):
        open_credential(engine, settings, "key")
    with pytest.raises(MisuseError, match="no credential 'key'"):
        remove_credential(engine, "key")


@pytest.mark.parametrize("name", ["", "With Space", "../x", "a" * 65, "é"])
def test_names_are_plain(engine: sa.Engine, settings: Settings, name: str) -> None:
    with pytest.raises(MisuseError, match="cannot be named"):
        set_credential(engine, settings, name, Secret("text"))


def test_an_empty_one_is_refused(engine: sa.Engine, settings: Settings) -> None:
    with pytest.raises(MisuseError, match="is empty"):
        set_credential(engine, settings, "key", Secret(" \n"))


def test_keys_can_be_changed_and_a_lost_one_is_said(engine: sa.Engine, settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    set_credential(engine, replace(settings, token_key=Secret(old)), "key", Secret("text"))
    both = replace(settings, token_key=Secret(f"{new},{old}"))
    assert open_credential(engine, both, "key") == Secret("text")
    with pytest.raises(SettingsError, match="another key"):
        open_credential(engine, replace(settings, token_key=Secret(new)), "key")
