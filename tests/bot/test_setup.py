"""`lorekeeper setup` from nothing to the first answer, over the playground: asked as a person is, stopped, taken up
again, and without anybody to ask."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.playground.process import PlaygroundProcess, start_playground
from bot.settings import load_settings, write_slack_file
from bot.slack.manifest import build_manifest
from tests.bot.dialogue import ADA, ADAS_DM, Workspace, wait_until
from tests.bot.slack_double import slack_double
from tests.bot.terminal import Shown, Terminal


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0, manifest=build_manifest()) as process:
        yield process


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "badges.md").write_text("# Badges\n\nBadges are issued by Maria Lopez at the front desk.\n", "utf-8")
    return folder


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], playground: PlaygroundProcess) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys, environment={"SLACK_API_URL": playground.api_url})


class Admin(threading.Thread):
    """Somebody in Slack: writes whenever a new line to the bot is open, as setup asks them to."""

    def __init__(self, workspace: Workspace, *texts: str) -> None:
        super().__init__(daemon=True)
        self._workspace = workspace
        self._texts = texts
        self._lines = len(self._hellos())
        self.problem: AssertionError | None = None

    def run(self) -> None:
        try:
            for text in self._texts:
                wait_until(lambda: len(self._hellos()) > self._lines, 60)
                # The bot itself keeps two lines; the second may open a moment later.
                self._workspace.say(ADA, ADAS_DM, text)
                self._lines = len(self._hellos())
        except AssertionError as problem:
            self.problem = problem

    def _hellos(self) -> list[dict[str, Any]]:
        return [entry for entry in self._workspace.ledger("connection") if entry["name"] == "hello"]


def setup(terminal: Terminal, *arguments: str) -> Shown:
    return terminal.type("setup", "--no-open", *arguments)


def test_from_nothing_to_the_first_answer(terminal: Terminal, playground: PlaygroundProcess, handbook: Path) -> None:
    """M20."""
    admin = Admin(Workspace(playground), "hello", "Who issues badges?")
    admin.start()
    terminal.answers = ["", "xapp-oops", playground.bot_token, playground.app_token, str(handbook)]
    shown = setup(terminal, "--wait", "60")
    admin.join(5)
    assert admin.problem is None
    assert shown.code == 0, shown.out + shown.err
    assert "SLACK_BOT_TOKEN is not a token of the right kind" in shown.out
    assert "every scope that it needs is granted" in shown.out
    assert "it arrived" in shown.out
    assert "message.im" in shown.out
    assert "handbook: 1 added" in shown.out
    assert "it answered" in shown.out
    assert "Ready. `lorekeeper run`" in shown.out
    # Nothing secret shows, neither while it is typed nor later.
    assert [hidden for text, hidden in terminal.asked if "TOKEN" in text] == [True, True, True]
    for secret in (playground.bot_token, playground.app_token):
        assert secret not in shown.out + shown.err
    kept = terminal.home / "slack.env"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load_settings({}, terminal.home).slack_bot_token.reveal() == playground.bot_token
    # Called again, there is nothing to do and nothing to ask.
    terminal.answers, terminal.asked = [], []
    again = setup(terminal, "--wait", "1")
    assert again.code == 0, again.out
    assert terminal.asked == []
    assert "messages have arrived before" in again.out
    assert "it has answered before" in again.out


def test_the_link_makes_the_app_of_the_manifest(terminal: Terminal) -> None:
    terminal.answers = []
    shown = setup(terminal)
    assert shown.code == 130
    link = next(line.strip() for line in shown.out.splitlines() if line.strip().startswith("https://api.slack.com/"))
    assert json.loads(parse_qs(urlsplit(link).query)["manifest_json"][0]) == build_manifest()
    assert json.loads((terminal.home / "manifest.json").read_text("utf-8")) == build_manifest()


def test_what_was_given_before_a_stop_is_kept(terminal: Terminal, playground: PlaygroundProcess) -> None:
    terminal.answers = ["", playground.bot_token]
    assert setup(terminal).code == 130
    assert load_settings({}, terminal.home).slack_bot_token.reveal() == playground.bot_token
    terminal.answers, terminal.asked = [], []
    assert setup(terminal).code == 130
    assert ["SLACK_APP_TOKEN" in text for text, _ in terminal.asked] == [True]


def test_a_token_that_slack_refuses_is_asked_for_again(terminal: Terminal, playground: PlaygroundProcess) -> None:
    terminal.answers = ["", "xoxb-wrong", playground.bot_token, ""]
    shown = setup(terminal, "--skip", "messages", "--skip", "documents", "--skip", "answer")
    assert "Slack refuses SLACK_BOT_TOKEN" in shown.out
    assert "xoxb-wrong" not in shown.out
    assert shown.code == 1
    assert "SLACK_APP_TOKEN is missing" in shown.out.split("To do:")[1]


def test_without_anybody_to_ask_it_says_what_is_missing(terminal: Terminal, handbook: Path) -> None:
    shown = setup(terminal, "--no-input", "--docs", str(handbook))
    assert shown.code == 1
    assert terminal.asked == []
    to_do = shown.out.split("To do:")[1]
    assert "SLACK_BOT_TOKEN is missing" in to_do
    assert "the first answer" in to_do
    assert "handbook: 1 added" in shown.out


def test_where_no_message_arrives_it_says_what_to_look_at(terminal: Terminal, tmp_path: Path) -> None:
    without_messages = build_manifest()
    without_messages["settings"]["event_subscriptions"]["bot_events"] = ["app_home_opened"]
    with start_playground(port=0, manifest=without_messages) as deaf:
        workspace = Workspace(deaf)
        terminal.environment = {
            "SLACK_API_URL": deaf.api_url,
            "SLACK_BOT_TOKEN": deaf.bot_token,
            "SLACK_APP_TOKEN": deaf.app_token,
        }
        admin = Admin(workspace, "hello")
        admin.start()
        shown = setup(terminal, "--wait", "3", "--no-input", "--skip", "answer", "--skip", "documents")
        admin.join(5)
    assert shown.code == 1
    assert "Event Subscriptions must list message.im" in shown.out


def test_each_missing_scope_is_named_with_what_it_costs(terminal: Terminal) -> None:
    replies = {
        "auth.test": {"ok": True, "team": "Acme", "team_id": "T1", "user": "lore", "user_id": "U1"},
        "apps.connections.open": {"ok": True, "url": "ws://127.0.0.1:9/"},
    }
    with slack_double(replies, scopes="chat:write") as slack:
        terminal.environment = {"SLACK_API_URL": slack.url, "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
        shown = setup(terminal, "--no-input", "--skip", "messages", "--skip", "documents", "--skip", "answer")
    assert shown.code == 1
    assert "the scope reactions:read is missing: without it, no feedback by reaction" in shown.out
    assert "optional scope files:read" in shown.out


def test_http_mode_asks_for_the_signing_secret_and_says_how_to_go_on(terminal: Terminal) -> None:
    replies = {"auth.test": {"ok": True, "team": "Acme", "team_id": "T1", "user": "lore", "user_id": "U1"}}
    with slack_double(replies) as slack:
        terminal.environment = {"SLACK_API_URL": slack.url}
        terminal.answers = ["", "xoxb-1", "short", "8f742231b10e8888abcd99", ""]
        shown = setup(terminal, "--http", "https://lore.example.com")
    assert shown.code == 1
    assert "SLACK_SIGNING_SECRET is no signing secret" in shown.out
    assert "SLACK_APP_TOKEN" not in [text for text, _ in terminal.asked]
    assert "press Verify beside the Request URL" in shown.out
    manifest = json.loads((terminal.home / "manifest.json").read_text("utf-8"))
    assert manifest["settings"]["event_subscriptions"]["request_url"] == "https://lore.example.com/slack/events"


PROGRAM = "from bot.cli.output import ask_person; print('got', len(ask_person('Token', True)), flush=True)"


def test_on_a_terminal_a_token_does_not_show_while_it_is_typed() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ):
        os.close(theirs)
        shown = b""
        typed = False
        with contextlib.suppress(OSError):  # the other end closes when the program ends
            while piece := os.read(ours, 1024):
                shown += piece
                if b"Token" in shown and not typed:
                    time.sleep(0.2)  # the prompt comes before the echo is switched off
                    os.write(ours, b"xoxb-secret\n")
                    typed = True
        os.close(ours)
    assert b"got 11" in shown
    assert b"secret" not in shown


def test_tokens_may_come_from_another_program() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="xoxb-1\n", capture_output=True, text=True, check=True
    )
    assert asked.stdout == "got 6\n"


class TestFile:
    def test_the_environment_goes_before_the_file(self, tmp_path: Path) -> None:
        write_slack_file(tmp_path / "slack.env", {"SLACK_BOT_TOKEN": "xoxb-file", "SLACK_APP_TOKEN": "xapp-file"})
        settings = load_settings({"SLACK_BOT_TOKEN": "xoxb-environment"}, tmp_path)
        assert settings.slack_bot_token.reveal() == "xoxb-environment"
        assert settings.slack_app_token.reveal() == "xapp-file"

    def test_what_is_added_leaves_the_rest_and_an_empty_one_goes(self, tmp_path: Path) -> None:
        path = tmp_path / "slack.env"
        write_slack_file(path, {"SLACK_BOT_TOKEN": "xoxb-1"})
        write_slack_file(path, {"SLACK_APP_TOKEN": "xapp-1"})
        assert path.read_text("utf-8") == "SLACK_BOT_TOKEN=xoxb-1\nSLACK_APP_TOKEN=xapp-1\n"
        write_slack_file(path, {"SLACK_BOT_TOKEN": ""})
        assert path.read_text("utf-8") == "SLACK_APP_TOKEN=xapp-1\n"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_name_that_nobody_knows_is_named(self, terminal: Terminal) -> None:
        terminal.home.mkdir()
        (terminal.home / "slack.env").write_text("# mine\n\nSLACK_TOKEN=xoxb-secret\n", encoding="utf-8")
        shown = terminal.type("history")
        assert shown.code == 1
        assert "'SLACK_TOKEN'" in shown.err
        assert "xoxb-secret" not in shown.err
