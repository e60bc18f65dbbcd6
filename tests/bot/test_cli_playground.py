"""`lorekeeper playground`, whole: page, bot, sources and schedule up, one question answered, all down again."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.cli.playground import document_links, has_desktop
from bot.database import open_database
from bot.own_guide import choose_sources, guide_places
from bot.playground.running import FILE, RunningPlayground, find_running
from bot.playground.seed import seed
from bot.playground.workspace import Workspace
from knowledge.store import add_source
from tests.bot.terminal import Terminal

PATIENCE_SECONDS = 120.0


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask_server(url: str, content: dict[str, Any] | None = None) -> Any:
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        text = reply.read().decode()
    return json.loads(text) if text.startswith("{") else text


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            if what():
                return
        except (OSError, sqlite3.OperationalError):
            pass  # not there yet
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


class Visitor(threading.Thread):
    """Somebody who opens the page, asks one question in #general, and ends Lorekeeper when it is answered."""

    def __init__(self, port: int, database: Path, question: str) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._url = f"http://127.0.0.1:{port}/"
        self._question = question
        self.page = ""
        self.answer = ""
        self.problem: AssertionError | None = None

    def run(self) -> None:
        try:
            wait_for(self._opened)
            wait_for(self._asked)
            wait_for(self._answered)
        except AssertionError as problem:
            self.problem = problem
        os.kill(os.getpid(), signal.SIGTERM)

    def _opened(self) -> bool:
        self.page = ask_server(self._url)
        return True

    def _asked(self) -> bool:
        # Connected, and the handbook is read: an answer before that would rightly say that it knows nothing.
        if not any(entry["name"] == "hello" for entry in self._ledger()) or not is_informed(self._database):
            return False
        said = {"user": "U0ADAPARK", "channel": "C0GENERAL", "text": f"<@U0LOREKEEPER> {self._question}"}
        return bool(ask_server(f"{self._url}playground/api/say", said)["ok"])

    def _answered(self) -> bool:
        """Not before its status is taken away: until then the answer may be changed, and is not kept as sent."""
        is_over = False
        for call in self._ledger():
            name, request = str(call.get("name")), call.get("request") or {}
            if name.startswith("chat.") and "Sources" in json.dumps(request):
                self.answer, is_over = json.dumps(request), False
            elif name == "assistant.threads.setStatus" and self.answer and request.get("status") == "":
                is_over = True
        return is_over

    def _ledger(self) -> list[dict[str, Any]]:
        return list(ask_server(f"{self._url}playground/api/ledger")["entries"])


@pytest.mark.slow
def test_it_comes_up_answers_and_goes_down_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "badges.md").write_text("# Badges\n\nBadges are issued by Maria Lopez at the front desk.\n", "utf-8")
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    port = free_port()
    visitor = Visitor(port, terminal.home / "lorekeeper.db", "Who issues badges?")
    visitor.start()
    shown = terminal.type("playground", "--port", str(port), "--docs", str(folder), "--no-open")
    visitor.join(5)
    assert visitor.problem is None, f"{visitor.problem}; {shown.err}"
    assert shown.code == 0
    assert f"http://127.0.0.1:{port}/" in shown.out
    assert "handbook: 1 added" in shown.out
    assert shown.err.rstrip().endswith("Stopped.")
    assert "<html" in visitor.page
    assert "Maria Lopez" in visitor.answer
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert "Who issues badges?" in terminal.type("history").out


@pytest.mark.slow
def test_its_channels_are_read_with_its_own_token_and_commands_beside_it_find_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(
        home=tmp_path / "home",
        capsys=capsys,
        # A workspace's token for a channel of the playground's opens nothing.
        environment={"SLACK_BOT_TOKEN": "xoxb-of-another", "SLACK_CLIENT_ID": "1.2"},
    )
    terminal.home.mkdir()
    (terminal.home / "lorekeeper.toml").write_text(
        '[knowledge]\nslack_channels = ["C0HELP"]\nslack_terms_acknowledged = "2025-10-10"\n', encoding="utf-8"
    )
    state = Workspace()
    seed(state)
    said = {"type": "message", "team": "T0PLAYGROUND", "user": "U0ADAPARK", "ts": "1760000000.000000"}
    state.add_message(state.channels["C0HELP"], {**said, "text": "The kettle stands in room 4.17."})
    (terminal.home / "playground.json").write_text(json.dumps(state.to_json()), encoding="utf-8")
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    add_source(engine, kind="slack", location="slack:C0HELP", audience="channel:C0HELP", name="#help")
    engine.dispose()
    looker = Looker(terminal.home)
    looker.start()
    shown = terminal.type("playground", "--port", str(free_port()), "--no-open")
    looker.join(5)
    assert "#help: 1 added" in shown.out, shown.err
    assert looker.found is not None
    assert looker.mode == 0o600
    assert not (terminal.home / FILE).exists()


class Looker(threading.Thread):
    """Looks for the playground as another process does, and ends it once it has read something."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = home
        self.found: RunningPlayground | None = None
        self.mode = 0

    def run(self) -> None:
        try:
            wait_for(self._looked)
            wait_for(lambda: is_informed(self._home / "lorekeeper.db"))
            time.sleep(0.5)  # it says what it has read
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def _looked(self) -> bool:
        self.found = find_running(self._home)
        if self.found is not None:
            self.mode = stat.S_IMODE((self._home / FILE).stat().st_mode)
        return self.found is not None


def is_informed(database: Path) -> bool:
    """Whether a document has been read."""
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("SELECT count(*) FROM chunk").fetchone()[0])


def test_a_port_in_use_is_named_with_the_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shown = terminal.type("playground", "--port", str(port), "--no-open")
    assert shown.code == 1
    assert str(port) in shown.err
    assert "playground.port" in shown.err


def test_a_folder_that_is_not_there_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Terminal(home=tmp_path / "home", capsys=capsys).type("playground", "--docs", str(tmp_path / "gone"))
    assert shown.code == 2
    assert "gone" in shown.err


def test_without_sources_the_guide_is_known_and_folders_take_its_place(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    guide = set(guide_places())
    assert {one.name for one in choose_sources(engine, ())} == guide
    assert {one.name for one in choose_sources(engine, ())} == guide
    for folder in (tmp_path / "one" / "docs", tmp_path / "two" / "docs"):
        folder.mkdir(parents=True)
    first, second = tmp_path / "one" / "docs", tmp_path / "two" / "docs"
    assert [one.name for one in choose_sources(engine, (first,))] == ["docs"]
    assert [one.name for one in choose_sources(engine, (first, second))] == ["docs", str(second)]
    assert len(choose_sources(engine, ())) == 2
    engine.dispose()


def test_the_guide_and_in_a_checkout_the_readme_are_there() -> None:
    places = guide_places()
    assert places["Lorekeeper guide"].is_dir()
    assert places["Lorekeeper README"].is_file()


def test_citations_of_local_files_open_in_the_playground() -> None:
    asked: list[int] = []
    link = document_links("http://127.0.0.1:3939/", lambda: asked.append(1))
    assert link("file:///docs/a%20b.md") == "http://127.0.0.1:3939/document?uri=file%3A%2F%2F%2Fdocs%2Fa%2520b.md"
    assert asked == [1]  # which folders there are now
    assert link("https://example.org/") == "https://example.org/"
    assert asked == [1]


def test_no_browser_is_opened_where_nobody_sits() -> None:
    assert not has_desktop({"DISPLAY": ":0"})  # under test stdout is no terminal
    assert not has_desktop({})
