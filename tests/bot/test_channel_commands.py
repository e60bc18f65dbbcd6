"""A channel as a source from the command line: off until it is switched on, read with the settings' token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.playground.process import start_playground
from bot.playground.running import announced
from bot.playground.seed import seed
from bot.playground.workspace import Workspace as State
from bot.settings import read_settings_file
from bot.slack.manifest import build_manifest
from tests.bot.dialogue import ADA, BEN, HELP, Workspace
from tests.bot.terminal import Terminal

SWITCHED_ON = f'[knowledge]\nslack_channels = ["{HELP}"]\nslack_terms_acknowledged = "2025-10-10"\n'


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose help channel holds a hundred days of talk: two messages a day, and a thread on each tenth."""
    path = tmp_path_factory.mktemp("state") / "playground.json"
    path.write_text(json.dumps(_history()), encoding="utf-8")
    with start_playground(port=0, state=path, manifest=build_manifest()) as process:
        yield Workspace(process)


def _history() -> dict[str, object]:
    state = State()
    seed(state)
    channel = state.channels[HELP]
    noon = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    message = {"type": "message", "team": "T0PLAYGROUND"}
    for day in range(100, 0, -1):
        for minute, user in ((0, ADA), (5, BEN), (30, ADA)):
            seconds = int((noon - timedelta(days=day, minutes=-minute)).timestamp())
            said = {"user": user, "ts": f"{seconds}.000000", "text": f"day{day} minute{minute} okapi"}
            state.add_message(channel, {**message, **said})
            if minute == 30 and day % 10 == 0:
                reply = {"user": BEN, "ts": f"{seconds + 60}.000000", "text": f"reply{day}", "thread_ts": said["ts"]}
                state.add_message(channel, {**message, **reply})
    return state.to_json()


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], workspace: Workspace) -> Terminal:
    playground = workspace.playground
    environment = {"SLACK_BOT_TOKEN": playground.bot_token, "SLACK_API_URL": playground.api_url}
    return Terminal(home=tmp_path / "home", capsys=capsys, environment=environment)


def switch_on(terminal: Terminal, text: str = SWITCHED_ON) -> None:
    terminal.home.mkdir(exist_ok=True)
    (terminal.home / "lorekeeper.toml").write_text(text, encoding="utf-8")


def test_a_channel_is_refused_with_the_notice_until_the_settings_name_it(terminal: Terminal) -> None:
    shown = terminal.type("sources", "add", f"slack:{HELP}")
    assert shown.code != 0
    for words in ("API terms", "tell the people", "slack_channels", "slack_terms_acknowledged", "2025-10-10"):
        assert words in shown.err
    switch_on(terminal, SWITCHED_ON.replace(HELP, "C0OTHER"))
    assert "is not read" in terminal.type("sources", "add", f"slack:{HELP}").err


def test_a_channel_is_added_read_in_pages_and_removed(terminal: Terminal) -> None:
    switch_on(terminal, SWITCHED_ON + "slack_history_requests_per_minute = 100\n")
    shown = terminal.type("sources", "add", f"slack:{HELP}")
    assert (shown.code, "Added '#help'" in shown.out) == (0, True)
    assert "tell the people" in shown.err
    (source,) = terminal.type("sources", "list", "--json").json["sources"]
    assert (source["kind"], source["audience"]) == ("slack", f"channel:{HELP}")
    report = terminal.type("sync", "--json").json["sources"][0]
    # Each day has a run of two messages, and one of the third where that is no thread.
    assert (report["added"], report["failed"]) == (200, [])
    again = terminal.type("sync", "--json").json["sources"][0]
    assert (again["added"], again["changed"], again["deleted"]) == (0, 0, 0)
    assert "okapi" not in terminal.type("search", "okapi").out
    assert "reply50" in terminal.type("search", "reply50", "--in", HELP, "--json").out
    assert "200 documents" in terminal.type("sources", "remove", f"slack:{HELP}").out


def test_where_the_playground_runs_commands_read_its_channels_without_a_token(
    terminal: Terminal, workspace: Workspace
) -> None:
    """Those that begin something with Slack's own workspace still miss a token."""
    terminal.environment = {}
    switch_on(terminal, SWITCHED_ON + "slack_history_requests_per_minute = 100\n")
    with announced(workspace.playground.line, terminal.home):
        assert "Added '#help'" in terminal.type("sources", "add", f"slack:{HELP}").out
        assert terminal.type("sync", "--json").json["sources"][0]["added"] == 200
        title = "day50 minute30 okapi (#help)"
        assert "ben" in terminal.type("sources", "readers", title, "--json").json["documents"][0]["people"][1].lower()
        assert "No Slack token" not in terminal.type("sources", "visible", "--as", ADA).err
        assert "SLACK_BOT_TOKEN is not set" in terminal.type("run").err
        assert "there is a token" not in terminal.type("setup", "--no-input", "--no-open", "--wait", "0").out
        slack = next(one for one in terminal.type("doctor", "--json").json["checks"] if one["name"] == "slack")
        assert "no tokens set" in slack["detail"]
    assert "cannot be read without the bot's token" in terminal.type("sync").out


def test_a_token_of_slacks_goes_before_the_playgrounds(terminal: Terminal, workspace: Workspace) -> None:
    terminal.environment = {**terminal.environment, "SLACK_BOT_TOKEN": "xoxb-mine"}
    switch_on(terminal)
    with announced(workspace.playground.line, terminal.home):
        assert "invalid_auth" in terminal.type("sources", "add", f"slack:{HELP}").err


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN"),
        ({"SLACK_CLIENT_ID": "1.2"}, "several workspaces"),
    ],
)
def test_without_one_workspaces_token_it_is_refused(terminal: Terminal, environment: dict[str, str], said: str) -> None:
    switch_on(terminal)
    terminal.environment = {**terminal.environment, **environment}
    assert said in terminal.type("sources", "add", f"slack:{HELP}").err


@pytest.mark.parametrize("arguments", [("--audience", "channel:C0GENERAL"), ("--credential", "x")])
def test_a_channel_is_for_its_own_members_whatever_is_asked_for(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    switch_on(terminal)
    assert terminal.type("sources", "add", f"slack:{HELP}", *arguments).code == 2


@pytest.mark.parametrize("location", ["slack:D0ADAPARK", "slack:help", "slack:"])
def test_what_names_no_channel_is_refused(terminal: Terminal, location: str) -> None:
    switch_on(terminal)
    assert "names no channel" in terminal.type("sources", "add", location).err


def test_channels_without_the_acknowledgement_stop_the_start(tmp_path: Path) -> None:
    file = tmp_path / "lorekeeper.toml"
    file.write_text(f'[knowledge]\nslack_channels = ["{HELP}"]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"knowledge\.slack_terms_acknowledged.*2025-10-10"):
        read_settings_file(file)
    file.write_text(SWITCHED_ON, encoding="utf-8")
    assert read_settings_file(file).knowledge.slack_channels == [HELP]
