"""Settings: where they come from, and what is said about those that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import FileSettings, list_settings, load_settings, prepare_home, read_settings_file
from knowledge.secret import Secret


def refusal(tmp_path: Path, text: str) -> str:
    """Write a settings file that cannot be used and return what is said about it."""
    file = tmp_path / "lorekeeper.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_settings_file(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_without_file_and_environment_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    assert settings.file == FileSettings()
    assert settings.database_url == f"sqlite:///{tmp_path / 'lorekeeper.db'}"
    assert settings.slack_api_url == "https://slack.com/api/"
    assert not settings.slack_bot_token


def test_the_environment_names_home_database_tokens_and_slack(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "LOREKEEPER_HOME": str(tmp_path / "home"),
            "LOREKEEPER_DATABASE_URL": "sqlite:////elsewhere/lore.db",
            "SLACK_BOT_TOKEN": " xoxb-1 ",
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_SIGNING_SECRET": "secret",
            "SLACK_API_URL": "http://127.0.0.1:3939/api",
        }
    )
    assert settings.home == tmp_path / "home"
    assert settings.database_url == "sqlite:////elsewhere/lore.db"
    assert settings.slack_bot_token.reveal() == "xoxb-1"
    assert settings.slack_api_url == "http://127.0.0.1:3939/api/"


def test_an_option_goes_before_the_environment(tmp_path: Path) -> None:
    assert load_settings({"LOREKEEPER_HOME": "/elsewhere"}, tmp_path).home == tmp_path


def test_home_may_be_written_with_a_tilde() -> None:
    assert load_settings({"LOREKEEPER_HOME": "~/lore"}).home == Path.home() / "lore"


def test_the_file_changes_single_settings(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text("[model]\nthreads = 3\n[playground]\nport = 0\n", encoding="utf-8")
    file = load_settings({}, tmp_path).file
    assert file.model.threads == 3
    assert file.playground.port == 0
    assert file.model.name == "embedded"


def test_an_unknown_key_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    said = refusal(tmp_path, "[model]\nthread = 2\n")
    assert "model.thread: unknown setting (did you mean model.threads?)" in said
    assert "lorekeeper doctor" in said


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    assert "knowlege: unknown setting (did you mean knowledge?)" in refusal(tmp_path, "[knowlege]\n")


def test_a_bad_value_is_shown_with_what_was_expected_once_per_key(tmp_path: Path) -> None:
    said = refusal(tmp_path, '[model]\nthreads = "many"\n[knowledge]\nword_weight = 2\n')
    assert "has 2 setting(s)" in said
    assert "model.threads = 'many': expected 'auto' or a valid integer" in said
    assert "knowledge.word_weight = 2: expected less than or equal to 1" in said


def test_a_value_where_a_table_belongs_is_explained(tmp_path: Path) -> None:
    assert "model = 3: expected a table, written as [model]" in refusal(tmp_path, "model = 3")


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    assert "is not valid TOML" in refusal(tmp_path, "model =")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        read_settings_file(tmp_path / "lorekeeper.toml")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings_file(tmp_path / "lorekeeper.toml")


def test_the_address_of_slack_must_be_a_url(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"SLACK_API_URL is 'slack\.com'"):
        load_settings({"SLACK_API_URL": "slack.com"}, tmp_path)


def test_secrets_show_only_when_asked_for(tmp_path: Path) -> None:
    settings = load_settings({"SLACK_BOT_TOKEN": "xoxb-very-secret"}, tmp_path)
    assert "xoxb" not in repr(settings)
    assert "xoxb" not in f"{settings.slack_bot_token}"
    assert settings.slack_bot_token == Secret("xoxb-very-secret")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_every_setting_is_listed_with_its_default(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text("[answer]\npassages = 7\n", encoding="utf-8")
    listed = {setting.key: setting for setting in list_settings(load_settings({}, tmp_path).file)}
    assert (listed["answer.passages"].value, listed["answer.passages"].default) == (7, 4)
    assert listed["playground.port"].value == listed["playground.port"].default == 3939


def test_home_is_made(tmp_path: Path) -> None:
    prepare_home(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"home cannot be made \(it is a file\)"):
        prepare_home(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run the tests as another user")
def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(SettingsError, match="cannot be written"):
            prepare_home(tmp_path)
    finally:
        tmp_path.chmod(0o700)
