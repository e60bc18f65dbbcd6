"""Doctor: one check per thing that has to be right, each with what to do where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.database import open_database
from bot.doctor import Check, Report, examine
from bot.settings import Settings
from bot.slack.manifest import SCOPES
from knowledge.database import writing
from knowledge.embed import Embedder
from knowledge.tables import generation
from tests.bot.slack_double import slack_double
from tests.bot.terminal import Terminal
from tests.knowledge.fake_embedder import FakeEmbedder


def look(home: Path, environment: dict[str, str] | None = None, model: Embedder | None = None) -> Report:
    """Examine a data folder with a small embedder."""
    embedder = model or FakeEmbedder()

    def load(_settings: Settings) -> Embedder:
        return embedder

    return examine(environment or {}, home, load_embedder=load)


def check(report: Report, name: str) -> Check:
    return next(one for one in report.checks if one.name == name)


def test_a_fresh_machine_is_in_order(tmp_path: Path) -> None:
    report = look(tmp_path / "home")
    assert [one.detail for one in report.checks if not one.ok] == []
    assert report.ok
    assert "0 sources" in check(report, "database").detail
    assert "SmolLM2-135M-Instruct" in check(report, "model").detail
    assert "the playground needs none" in check(report, "slack").detail


def test_every_setting_is_listed(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text("[answer]\npassages = 7\n", encoding="utf-8")
    listed = {one.key: one.value for one in look(tmp_path).settings}
    assert listed["answer.passages"] == 7
    assert listed["playground.port"] == 3939


def test_settings_that_cannot_be_read_are_the_finding(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text("[answers]\n", encoding="utf-8")
    report = look(tmp_path)
    assert not report.ok
    assert "answers: unknown setting" in check(report, "settings").detail


def test_a_data_folder_that_cannot_be_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = check(look(tmp_path / "file"), "data folder")
    assert not found.ok
    assert "cannot be made" in found.detail


def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.db").write_bytes(b"a shopping list, not a database\n" * 64)
    found = check(look(tmp_path), "database")
    assert not found.ok
    assert "lorekeeper.db" in found.detail


def test_a_model_that_is_not_allowed_is_found(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text('[model]\nname = "mystery"\n', encoding="utf-8")
    found = check(look(tmp_path), "model")
    assert not found.ok
    assert "lorekeeper models add" in found.detail


def test_a_model_server_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text(
        '[model]\nname = "big"\nserver_url = "http://127.0.0.1:9/v1"\n', encoding="utf-8"
    )
    found = check(look(tmp_path), "model")
    assert found.ok
    assert "big at http://127.0.0.1:9/v1" in found.detail


def test_an_embedder_that_is_missing_is_found(tmp_path: Path) -> None:
    (tmp_path / "lorekeeper.toml").write_text(f'[knowledge]\nembedder = "{tmp_path / "gone"}"\n', encoding="utf-8")
    found = check(examine({"HF_HUB_OFFLINE": "1"}, tmp_path), "embedder")
    assert not found.ok
    assert "knowledge.embedder" in found.detail


def test_vectors_of_another_embedder_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Badges\n\nBadges are issued at the desk.\n", encoding="utf-8")
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    terminal.type("sources", "add", str(folder))
    terminal.type("sync")
    assert check(look(terminal.home, model=terminal.model), "embedder").ok
    found = check(look(terminal.home, model=FakeEmbedder(name="other", dim=32)), "embedder")
    assert not found.ok
    assert "sync --rebuild" in found.detail


def test_an_index_file_that_is_missing_is_mentioned_and_mends_itself(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO generation(embedder, dim, built_to_chunk, count, sha256, size, file, created_at) "
            "VALUES ('fake', 64, 9, 9, 'x', 1, 'gone.hnsw', '2026-11-20 10:00:00')"
        )
        assert connection.execute(generation.select()).one().file == "gone.hnsw"
    engine.dispose()
    found = check(look(tmp_path), "index")
    assert found.ok
    assert "rebuilt at the next start" in found.detail


def test_slack_is_asked_only_where_tokens_are_set(tmp_path: Path) -> None:
    replies: dict[str, dict[str, object]] = {
        "auth.test": {"ok": True, "team": "Acme", "user": "lore"},
        "apps.connections.open": {"ok": True},
    }
    tokens = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    with slack_double(replies, scopes=",".join(SCOPES)) as slack:
        assert check(look(tmp_path, {**tokens, "SLACK_API_URL": slack.url}), "slack").detail == "lore in Acme"
    with slack_double(replies, scopes="chat:write") as slack:
        found = check(look(tmp_path, {**tokens, "SLACK_API_URL": slack.url}), "slack")
    assert not found.ok
    assert "reactions:read" in found.detail
    assert "reinstall" in found.next_step
    assert "not set" in check(look(tmp_path, {"SLACK_APP_TOKEN": "xapp-1"}), "slack").detail


def test_the_command_prints_a_report_and_ends_with_one_where_something_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    fine = terminal.type("doctor", "--json")
    assert fine.code == 0
    assert fine.json["ok"] is True
    assert {"name", "ok", "detail", "next_step"} == set(fine.json["checks"][0])
    (terminal.home / "lorekeeper.toml").write_text('[model]\nname = "mystery"\n', encoding="utf-8")
    broken = terminal.type("doctor")
    assert broken.code == 1
    assert "FAIL  model" in broken.out
    assert "'mystery'" in broken.out
    assert "changed" in broken.out
