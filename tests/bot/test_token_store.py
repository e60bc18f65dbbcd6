"""Tokens at rest: nobody reads them from the disk, keys can be changed, and a state is good once."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

from bot.errors import SettingsError
from bot.keys import load_keys
from bot.settings import Settings, load_settings
from bot.slack.token_store import Installations, States, open_installations
from knowledge.database import writing
from knowledge.secret import Secret

TOKEN = "xoxb-1-" + "a" * 180


def settings(home: Path, *keys: str) -> Settings:
    found = load_settings({"SLACK_CLIENT_ID": "1.2", "LOREKEEPER_TOKEN_KEY": ",".join(keys)}, home)
    home.mkdir(exist_ok=True)
    return found


def installation(team: str = "T1", token: str = TOKEN, at: float = 1000.0) -> Installation:
    return Installation(
        app_id="A1",
        team_id=team,
        team_name=f"Team {team}",
        user_id="U1",
        bot_token=token,
        bot_id="B1",
        bot_user_id="UBOT",
        bot_scopes="chat:write",
        bot_refresh_token="xoxe-refresh",
        user_token="xoxp-user",
        installed_at=at,
    )


def close(store: Installations) -> None:
    store.engine.dispose()


def everything_on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_token_comes_back_and_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    store, _ = open_installations(settings(tmp_path))
    store.save(installation())
    found = store.find_team("T1")
    assert found is not None
    assert (found.bot_token, found.bot_refresh_token, found.bot_user_id) == (TOKEN, "xoxe-refresh", "UBOT")
    whole = store.find_installation(enterprise_id=None, team_id="T1")
    assert whole is not None
    assert whole.user_token == "xoxp-user"
    close(store)
    on_disk = everything_on_disk(tmp_path)
    assert b"UBOT" in on_disk
    for secret in (TOKEN, "xoxe-refresh", "xoxp-user"):
        assert secret.encode() not in on_disk


def test_the_columns_hold_any_ciphertext(tmp_path: Path) -> None:
    store, _ = open_installations(settings(tmp_path))
    store.save(installation(token="x" * 4000))
    found = store.find_team("T1")
    assert found is not None
    assert found.bot_token == "x" * 4000
    columns = {one["name"]: one["type"] for one in sa.inspect(store.engine).get_columns("slack_bots")}
    assert isinstance(columns["bot_token"], sa.Text)
    close(store)


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = load_keys(settings(tmp_path))
    path = tmp_path / "token.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keys(settings(tmp_path)) == first
    store, _ = open_installations(settings(tmp_path))
    close(store)
    assert stat.S_IMODE((tmp_path / "installations.db").stat().st_mode) == 0o600


def test_keys_are_changed_by_putting_the_new_one_first(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    store, _ = open_installations(settings(tmp_path, old))
    store.save(installation())
    close(store)
    store, _ = open_installations(settings(tmp_path, new, old))
    close(store)
    store, _ = open_installations(settings(tmp_path, new))
    found = store.find_team("T1")
    assert found is not None
    assert found.bot_token == TOKEN
    close(store)
    store, _ = open_installations(settings(tmp_path, old))
    with pytest.raises(SettingsError, match="encrypted with another key"):
        store.find_team("T1")
    close(store)


@pytest.mark.parametrize("key", ["short", "a" * 44, "é" * 44])
def test_what_is_no_key_stops_the_start_and_is_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="LOREKEEPER_TOKEN_KEY holds no key") as caught:
        load_keys(settings(tmp_path, key))
    assert key not in str(caught.value)


def test_an_empty_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "token.key").write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"token\.key is empty"):
        load_keys(replace(settings(tmp_path), token_key=Secret("")))


def test_workspaces_are_apart_and_the_newest_installation_counts(tmp_path: Path) -> None:
    store, _ = open_installations(settings(tmp_path))
    store.save(installation("T1", "xoxb-old", at=1000.0))
    store.save(installation("T1", "xoxb-new", at=2000.0))
    store.save(installation("T2", "xoxb-two"))
    assert {bot.team_id: bot.bot_token for bot in store.list_bots()} == {"T1": "xoxb-new", "T2": "xoxb-two"}
    assert store.count_team("T1") == 2  # the earlier token is not kept
    assert store.remove_team("T1") == 2
    assert store.count_team("T1") == 0
    assert store.find_team("T1") is None
    assert store.count_team("T2") == 2
    close(store)


class TestStates:
    def test_a_state_is_good_once(self, tmp_path: Path) -> None:
        store, states = open_installations(settings(tmp_path))
        state = states.issue()
        assert states.consume(state)
        assert not states.consume(state)
        assert not states.consume("made-up")
        close(store)

    def test_of_many_who_bring_the_same_state_one_succeeds(self, tmp_path: Path) -> None:
        store, states = open_installations(settings(tmp_path))
        state = states.issue()
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(states.consume, [state] * 16)) == 1
        close(store)

    def test_a_state_is_good_for_ten_minutes_and_then_gone(self, tmp_path: Path) -> None:
        store, states = open_installations(settings(tmp_path))
        state = states.issue()
        self.make_older(states, minutes=11)
        assert not states.consume(state)
        stale = states.issue()
        self.make_older(states, minutes=11)
        states.issue()
        with store.engine.connect() as connection:
            kept = connection.scalars(sa.select(states.oauth_states.c.state)).all()
        assert stale not in kept
        assert len(kept) == 1
        close(store)

    @staticmethod
    def make_older(states: States, minutes: int) -> None:
        table = states.oauth_states
        with writing(states.engine) as connection:
            for row in connection.execute(sa.select(table)).all():
                moment: datetime = row.expire_at - timedelta(minutes=minutes)
                connection.execute(sa.update(table).where(table.c.id == row.id).values(expire_at=moment))
