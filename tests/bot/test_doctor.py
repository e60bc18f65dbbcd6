"""Doctor: one check per thing that has to be right, each with what to do where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

from bot.database import open_database
from bot.doctor import Check, Report, examine
from bot.inbox import Inbox, Received
from bot.playground.process import start_playground
from bot.settings import Settings, load_settings, write_slack_file
from bot.slack.manifest import scopes_of
from bot.slack.token_store import open_installations
from knowledge.database import writing
from knowledge.embed import EMBEDDED_NAME, Embedder
from knowledge.tables import generation
from tests.bot.slack_double import slack_double
from tests.bot.terminal import Terminal
from tests.knowledge.fake_embedder import FakeEmbedder


def look(home: Path, environment: dict[str, str] | None = None, model: Embedder | None = None) -> Report:
    """Examine a data folder with a small embedder."""
    embedder = model or FakeEmbedder()

    def load(_settings: Settings, _engine: sa.Engine) -> Embedder:
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
    assert "0.40 or more (of 1), as it is set" in check(report, "threshold").detail


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


def test_stored_vectors_of_full_precision_are_named_as_the_reason_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.md").write_text("# Badges\n\nBadges are issued at the desk.\n", encoding="utf-8")
    home = tmp_path / "home"
    full = FakeEmbedder(name=EMBEDDED_NAME, dim=384)
    assert "or because the faster form cannot be made" in check(look(home, model=full), "embedder").detail
    terminal = Terminal(home=home, capsys=capsys, model=full)
    terminal.type("sources", "add", str(tmp_path / "a.md"))
    terminal.type("sync")
    found = check(look(home, model=full), "embedder")
    assert found.ok
    assert "as the stored vectors are: `lorekeeper sync --rebuild`" in found.detail
    (home / "lorekeeper.toml").write_text('[knowledge]\nembedder_precision = "full"\n', encoding="utf-8")
    assert "at full precision" not in check(look(home, model=full), "embedder").detail


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


TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
REPLIES: dict[str, dict[str, object]] = {
    "auth.test": {"ok": True, "team": "Acme", "team_id": "T1", "user": "lore", "user_id": "UBOT"},
    "apps.connections.open": {"ok": True, "url": "ws://127.0.0.1:9/"},
}
ALL_SCOPES = ",".join(scopes_of())


class TestSlack:
    """M20: tokens, scopes, events, lines, secrets, the clock and who may read what is secret."""

    def test_without_tokens_nobody_is_asked(self, tmp_path: Path) -> None:
        assert "the playground needs none" in check(look(tmp_path), "slack").detail
        assert "not set" in check(look(tmp_path, {"SLACK_APP_TOKEN": "xapp-1"}), "slack").detail

    def test_good_tokens_name_bot_and_team(self, tmp_path: Path) -> None:
        with slack_double(REPLIES, scopes=ALL_SCOPES) as slack:
            report = look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url})
        assert check(report, "slack").detail == "lore in Acme"
        assert check(report, "slack scopes").detail == f"all {len(scopes_of())} granted"
        assert check(report, "clock").detail == "as Slack's"

    def test_each_missing_scope_says_what_does_not_work_without_it(self, tmp_path: Path) -> None:
        with slack_double(REPLIES, scopes="chat:write,files:read") as slack:
            found = check(look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url}), "slack scopes")
        assert not found.ok
        assert "reactions:read (without it: no feedback by reaction)" in found.detail
        assert "reinstall" in found.next_step

    def test_an_optional_scope_is_named_and_no_fault(self, tmp_path: Path) -> None:
        scopes = ",".join(set(scopes_of()) - {"files:read", "assistant:write"})
        with slack_double(REPLIES, scopes=scopes) as slack:
            found = check(look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url}), "slack scopes")
        assert found.ok
        assert "files:read (optional" in found.detail
        assert "assistant:write (optional" in found.detail

    def test_a_token_that_slack_refuses_is_named(self, tmp_path: Path) -> None:
        refusing = REPLIES | {"auth.test": {"ok": False, "error": "token_revoked"}}
        with slack_double(refusing) as slack:
            found = check(look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url}), "slack")
        assert not found.ok
        assert "SLACK_BOT_TOKEN" in found.detail
        assert "lorekeeper setup" in found.next_step

    def test_a_line_that_does_not_open_is_told_from_a_token_that_is_refused(self, tmp_path: Path) -> None:
        with slack_double(REPLIES) as slack:
            found = check(look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url}), "slack connection")
        assert not found.ok
        assert "firewall" in found.next_step
        refusing = REPLIES | {"apps.connections.open": {"ok": False, "error": "not_allowed_token_type"}}
        with slack_double(refusing) as slack:
            found = check(look(tmp_path, {**TOKENS, "SLACK_API_URL": slack.url}), "slack connection")
        assert "SLACK_APP_TOKEN" in found.detail

    def test_a_line_that_opens_is_greeted(self, tmp_path: Path) -> None:
        with start_playground(port=0) as playground:
            environment = {
                "SLACK_BOT_TOKEN": playground.bot_token,
                "SLACK_APP_TOKEN": playground.app_token,
                "SLACK_API_URL": playground.api_url,
            }
            found = check(look(tmp_path, environment), "slack connection")
        assert found.ok, found
        assert "Slack greets" in found.detail

    def test_events_are_judged_by_what_arrived(self, tmp_path: Path) -> None:
        with slack_double(REPLIES) as slack:
            environment = {**TOKENS, "SLACK_API_URL": slack.url}
            before = check(look(tmp_path, environment), "slack events")
            assert "arrived so far: none" in before.detail
            assert "Event Subscriptions" in before.next_step
            engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
            Inbox(engine).put(Received(event_id="Ev1", kind="question", team="T1", channel="D1", ts="1.0"))
            engine.dispose()
            after = check(look(tmp_path, environment), "slack events")
        assert "arrived so far: message.im; not yet: app_home_opened" in after.detail
        assert after.next_step == ""

    def test_http_mode_needs_a_signing_secret_and_a_clock(self, tmp_path: Path) -> None:
        (tmp_path / "lorekeeper.toml").write_text('[slack]\nmode = "http"\n', encoding="utf-8")
        with slack_double(REPLIES, scopes=ALL_SCOPES) as slack:
            environment = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_API_URL": slack.url}
            assert "SLACK_SIGNING_SECRET is not set" in check(look(tmp_path, environment), "slack").detail
            assert not check(look(tmp_path, environment), "signing secret").ok
            environment["SLACK_SIGNING_SECRET"] = "xoxb-not-a-signing-secret"
            assert not check(look(tmp_path, environment), "signing secret").ok
            environment["SLACK_SIGNING_SECRET"] = "8f742231b10e8888abcd99"
            assert check(look(tmp_path, environment), "signing secret").ok
            assert check(look(tmp_path, environment), "clock").ok
            slack.date = "Fri, 20 Nov 2020 10:00:00 GMT"
            late = check(look(tmp_path, environment), "clock")
        assert not late.ok
        assert "ahead of Slack's" in late.detail

    def test_several_workspaces_need_a_public_address_and_a_private_key(self, tmp_path: Path) -> None:
        (tmp_path / "lorekeeper.toml").write_text('[slack]\nmode = "http"\n', encoding="utf-8")
        environment = {
            "SLACK_CLIENT_ID": "1.2",
            "SLACK_CLIENT_SECRET": "s",
            "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd",
        }
        report = look(tmp_path, environment)
        assert "slack.public_url" in check(report, "slack").next_step
        assert check(report, "token key").ok
        (tmp_path / "token.key").chmod(0o644)
        found = check(look(tmp_path, environment), "token key")
        assert not found.ok
        assert found.next_step.startswith("chmod 600")

    def test_the_token_of_each_workspace_is_asked_about(self, tmp_path: Path) -> None:
        (tmp_path / "lorekeeper.toml").write_text(
            '[slack]\nmode = "http"\npublic_url = "https://lore.example.com"\n', encoding="utf-8"
        )
        replies = REPLIES | {"auth.test xoxb-gone": {"ok": False, "error": "account_inactive"}}
        with slack_double(replies) as slack:
            environment = {
                "SLACK_CLIENT_ID": "1.2",
                "SLACK_CLIENT_SECRET": "s",
                "SLACK_SIGNING_SECRET": "8f742231b10e8888abcd",
                "SLACK_API_URL": slack.url,
            }
            store, _ = open_installations(load_settings(environment, tmp_path))
            assert "0 installed" in check(look(tmp_path, environment), "workspaces").detail
            for team, token in (("T1", "xoxb-good"), ("T2", "xoxb-gone")):
                store.save(
                    Installation(app_id="A1", team_id=team, user_id="U", bot_token=token, bot_id="B", bot_user_id="UB")
                )
            store.engine.dispose()
            found = check(look(tmp_path, environment), "workspaces")
            assert not found.ok
            assert found.detail.startswith("T2: ")
            assert "T1" not in found.detail
            environment["LOREKEEPER_TOKEN_KEY"] = Fernet.generate_key().decode()
            assert "encrypted with another key" in check(look(tmp_path, environment), "workspaces").detail

    def test_tokens_that_others_may_read_are_found(self, tmp_path: Path) -> None:
        write_slack_file(tmp_path / "slack.env", {"SLACK_APP_TOKEN": "xapp-1"})
        assert check(look(tmp_path), "slack.env").ok
        (tmp_path / "slack.env").chmod(0o640)
        assert not check(look(tmp_path), "slack.env").ok


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
