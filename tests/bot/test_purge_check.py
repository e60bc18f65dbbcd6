"""M15: `lorekeeper purge-check` finds whatever is left of a workspace, wherever it is, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Installation

from bot.database import open_database
from bot.purge import Removal, ask_for_removal, purge
from bot.settings import load_settings
from bot.slack.token_store import open_installations
from tests.bot.terminal import Terminal
from tests.bot.test_purge import WHEN, fill

TEAM = "T0ACME"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    home = tmp_path / "home"
    home.mkdir()
    return Terminal(home=home, capsys=capsys)


def left(terminal: Terminal) -> list[str]:
    """Where something is left."""
    shown = terminal.type("purge-check", TEAM, "--json")
    places = [trace["place"] for trace in shown.json["traces"]]
    assert shown.code == (1 if places else 0)
    return places


def test_an_empty_folder_has_nothing_to_hide(terminal: Terminal) -> None:
    shown = terminal.type("purge-check", TEAM)
    assert shown.code == 0
    assert f"Nothing of {TEAM} is left" in shown.out


def test_rows_are_found_before_the_removal_and_a_receipt_after_it(terminal: Terminal) -> None:
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    fill(engine, TEAM, 1)
    before = left(terminal)
    for table in ("turn", "answer", "feedback", "person", "channel", "inbox", "citation", "left_thread"):
        assert f"lorekeeper.db: table {table}" in before
    assert terminal.type("purge-check", "T0OTHER").code == 0
    removal = Removal(event_id="Ev1", team=TEAM, reason="app_uninstalled", at=WHEN)
    ask_for_removal(engine, removal)
    purge(engine, removal, terminal.home)
    engine.dispose()
    shown = terminal.type("purge-check", TEAM)
    assert shown.code == 0
    assert "app_uninstalled: removed" in shown.out
    assert "1 turn" in shown.out


def test_a_removal_that_is_not_done_yet_is_found(terminal: Terminal) -> None:
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    ask_for_removal(engine, Removal(event_id="Ev1", team=TEAM, reason="tokens_revoked", at=WHEN))
    engine.dispose()
    assert left(terminal) == ["lorekeeper.db: the workspace's id in inbox.team"]


def test_an_installation_a_folder_and_a_file_are_found(terminal: Terminal) -> None:
    store, _ = open_installations(load_settings({"SLACK_CLIENT_ID": "1.2"}, terminal.home))
    store.save(Installation(app_id="A1", team_id=TEAM, user_id="U1", bot_token="xoxb-1", bot_id="B", bot_user_id="U"))
    assert len(left(terminal)) == 2
    store.remove_team(TEAM)
    store.engine.dispose()
    assert left(terminal) == []
    folder = terminal.home / "teams" / TEAM
    folder.mkdir(parents=True)
    assert left(terminal) == [f"{folder}: its files"]
    folder.rmdir()
    note = terminal.home / "notes.txt"
    note.write_bytes(b"x" * ((1 << 20) - 3) + TEAM.encode())
    assert left(terminal) == [f"{note}: its id"]


def test_another_workspaces_database_is_looked_through_too(terminal: Terminal) -> None:
    engine = open_database(f"sqlite:///{terminal.home / 'teams' / 'T0OTHER' / 'lorekeeper.db'}")
    fill(engine, TEAM, 1)
    engine.dispose()
    assert any("T0OTHER" in place and "table turn" in place for place in left(terminal))
