"""Installing, with the playground as Slack's end: HTTP mode, a browser's way through OAuth, and the end of it all.

M15 (uninstall leaves nothing, with proof), M2 (repeated deliveries), S9 (installation by OAuth).
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from bot import tables
from bot.app import Application, build
from bot.cli.hosting import hosting
from bot.database import open_database
from bot.playground.process import PlaygroundProcess, start_playground
from bot.purge import find_traces, open_removals
from bot.settings import AnswerSettings, Settings, load_settings
from bot.slack.manifest import build_manifest
from bot.slack.tenants import TEAMS_FOLDER
from bot.sync import ingest_parts, publish_generation, sync_source
from knowledge.database import reading
from knowledge.store import add_source
from tests.bot.dialogue import ADA, ADAS_DM, BOT, HELP, Workspace, wait_until
from tests.bot.http_client import SlackCaller
from tests.bot.terminal import Shown, Terminal
from tests.bot.test_cli_playground import free_port
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

EMBEDDER = FakeEmbedder(dim=256)
TEXT = "Badges are issued by Maria Lopez at the front desk."


def teach(settings: Settings, folder: Path) -> None:
    """Let a data folder know one document."""
    folder.mkdir(parents=True)
    (folder / "badges.md").write_text(f"# Badges\n\n{TEXT}\n", encoding="utf-8")
    engine = open_database(settings.database_url)
    stored = add_source(engine, kind="files", location=str(folder))
    with ingest_parts(engine, EMBEDDER, settings) as parts:
        sync_source(stored, parts)
    publish_generation(engine, EMBEDDER, settings)
    engine.dispose()


def settings_for(playground: PlaygroundProcess, home: Path, **more: str) -> Settings:
    home.mkdir(exist_ok=True)
    environment = {"SLACK_API_URL": playground.api_url, "SLACK_SIGNING_SECRET": playground.signing_secret}
    found = load_settings(environment | more, home)
    # The threshold was fitted to a real embedder's cosines; those of hashed words are smaller.
    return replace(found, file=replace(found.file, answer=AnswerSettings(minimum_support=0.03)))


@contextmanager
def hosted(settings: Settings, port: int) -> Iterator[Application]:
    with ExitStack() as opened:
        generator = ScriptedGenerator(f"{TEXT} [1]")
        application = opened.enter_context(build(settings, generator=generator, embedder=EMBEDDER))
        opened.enter_context(hosting(application, lambda uri: uri, host="127.0.0.1", port=port))
        yield application


def sent_answers(engine: sa.Engine) -> list[str]:
    answer = tables.answer
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(answer.c.text).where(answer.c.state == "final_sent")))


@dataclass
class Browser:
    """Follows addresses and keeps cookies, as far as an installation needs it."""

    cookies: dict[str, str] = field(default_factory=dict)

    def visit(self, url: str) -> tuple[int, str]:
        """Open an address and follow it to the end: the last status and page."""
        for _ in range(5):
            target = urlsplit(url)
            connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=10)
            cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request("GET", f"{target.path}?{target.query}", headers={"Cookie": cookie} if cookie else {})
            reply = connection.getresponse()
            body = reply.read().decode()
            if given := reply.getheader("Set-Cookie"):
                name, _, value = given.split(";")[0].partition("=")
                self.cookies[name] = value
            connection.close()
            if reply.status not in (302, 303, 307):
                self.url = url
                return reply.status, body
            url = str(reply.getheader("Location"))
        raise AssertionError("it goes round and round")

    def press(self, page: str, label: str) -> tuple[int, str]:
        """Follow a link by its words."""
        found = re.search(rf"href=['\"]([^'\"]*)['\"][^>]*>{label}<", page)
        assert found is not None, page
        link = unescape(found.group(1))
        return self.visit(f"{self.url.split('?')[0]}{link}" if link.startswith("?") else link)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def called(port: int) -> Iterator[PlaygroundProcess]:
    """A workspace that calls the bot, with the app as its manifest for HTTP mode describes it."""
    manifest = build_manifest(http="https://lore.example.com")
    manifest["oauth_config"]["redirect_urls"] = [f"http://127.0.0.1:{port}/"]
    with start_playground(
        port=0, manifest=manifest, events_url=f"http://127.0.0.1:{port}/slack/events", time_scale=60.0
    ) as process:
        yield process


def test_one_workspace_is_answered_over_http(called: PlaygroundProcess, port: int, tmp_path: Path) -> None:
    """Events arrive signed and once; an answer stands in the thread."""
    settings = settings_for(called, tmp_path / "home", SLACK_BOT_TOKEN=called.bot_token)
    teach(settings, tmp_path / "docs")
    workspace = Workspace(called)
    with hosted(settings, port) as application:
        ts = workspace.say(ADA, HELP, f"{BOT} Who issues badges?")
        (answer,) = workspace.answers(HELP, ts)
        assert "Maria Lopez" in answer
        wait_until(lambda: len(sent_answers(application.engine)) == 1)


def test_a_delivery_that_is_repeated_is_one_question(called: PlaygroundProcess, port: int, tmp_path: Path) -> None:
    """M2: while nobody listens, Slack's deliveries fail and are repeated; then there is one answer."""
    settings = settings_for(called, tmp_path / "home", SLACK_BOT_TOKEN=called.bot_token)
    teach(settings, tmp_path / "docs")
    workspace = Workspace(called)
    ts = workspace.say(ADA, ADAS_DM, "Who issues badges?")
    time.sleep(0.5)
    with hosted(settings, port) as application:
        workspace.answers(ADAS_DM, ts, seconds=30)
        time.sleep(1.0)
        assert len(workspace.bot_messages(ADAS_DM, ts)) == 1
        wait_until(lambda: len(sent_answers(application.engine)) == 1)


def test_from_the_install_link_to_the_uninstall(
    called: PlaygroundProcess, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """S9, M15: installed by an admin in a browser, answered from the workspace's own documents, removed whole."""
    base = f"http://127.0.0.1:{port}"
    settings = settings_for(
        called,
        tmp_path / "home",
        SLACK_CLIENT_ID=called.client_id,
        SLACK_CLIENT_SECRET=called.client_secret,
    )
    slack = replace(settings.file.slack, public_url=base)
    settings = replace(settings, file=replace(settings.file, slack=slack))
    workspace = Workspace(called)
    browser = Browser()
    with hosted(settings, port) as application:
        authorise = browser.visit(f"{base}/slack/install")
        assert authorise[0] == 200, authorise
        status, page = browser.press(authorise[1], "Cancel")
        assert "cancelled" in page
        _, page = browser.visit(f"{base}/slack/install")
        status, page = browser.press(page, "Allow")
        assert status == 200, page
        assert "Lorekeeper is installed" in page
        (folder,) = (settings.home / TEAMS_FOLDER).iterdir()
        own = replace(settings, home=folder, database_url=f"sqlite:///{folder / 'lorekeeper.db'}")
        teach(own, tmp_path / "docs")
        ts = workspace.say(ADA, ADAS_DM, "Who issues badges?")
        assert "Maria Lopez" in workspace.answers(ADAS_DM, ts)[-1]
        terminal = Terminal(home=settings.home, capsys=capsys)
        assert terminal.type("purge-check", folder.name).code == 1
        workspace.act("uninstall")
        wait_until(lambda: not folder.exists() and open_removals(application.engine) == ())
        shown = terminal.type("purge-check", folder.name)
        assert shown.code == 0, shown.out
        assert "removed" in shown.out
        assert "2 installation" in shown.out


class Runner(threading.Thread):
    """Uninstalls once a question was answered."""

    def __init__(self, workspace: Workspace, is_up: Callable[[], bool] | None = None) -> None:
        super().__init__(daemon=True)
        self._workspace = workspace
        self._is_up = is_up or self._has_a_line
        self.problem: AssertionError | None = None

    def _has_a_line(self) -> bool:
        return any(one["name"] == "hello" for one in self._workspace.ledger("connection"))

    def run(self) -> None:
        try:
            wait_until(self._is_up, 60)
            ts = self._workspace.say(ADA, ADAS_DM, "Who issues badges?")
            self._workspace.answers(ADAS_DM, ts, seconds=60)
            self._workspace.act("uninstall")
        except AssertionError as problem:
            self.problem = problem


def is_listening(port: int) -> bool:
    try:
        return SlackCaller(port=port).ask("GET", "/healthz").status == 200
    except OSError:
        return False


def test_the_command_serves_http_until_the_app_is_taken_away(
    called: PlaygroundProcess, port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """M15: `lorekeeper run --http` for one workspace, from the first answer to the proof."""
    settings = settings_for(called, tmp_path / "home")
    teach(settings, tmp_path / "docs")
    environment = {
        "SLACK_API_URL": called.api_url,
        "SLACK_BOT_TOKEN": called.bot_token,
        "SLACK_SIGNING_SECRET": called.signing_secret,
    }
    terminal = Terminal(home=settings.home, capsys=capsys, environment=environment, reply=f"{TEXT} [1]")
    admin = Runner(Workspace(called), lambda: is_listening(port))
    admin.start()
    shown = terminal.type("run", "--http", "--port", str(port))
    admin.join(5)
    assert admin.problem is None, shown.err
    assert shown.code == 1
    assert f"listening on 127.0.0.1:{port}" in shown.err
    team = re.findall(r"The workspace (\w+) took", shown.err)[0]
    assert terminal.type("purge-check", team).code == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "SLACK_SIGNING_SECRET is not set"),
        ({"SLACK_SIGNING_SECRET": "xoxb-1-not-a-secret"}, "SLACK_SIGNING_SECRET is no signing secret"),
        ({"SLACK_SIGNING_SECRET": "8f742231b10e8888abcd"}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_SIGNING_SECRET": "8f742231b10e8888abcd", "SLACK_CLIENT_ID": "1.2"}, "SLACK_CLIENT_SECRET is not"),
    ],
)
def test_http_mode_says_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: dict[str, str], says: str
) -> None:
    terminal = Terminal(home=tmp_path / "home", capsys=capsys, environment=environment)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lorekeeper.toml").write_text('[slack]\nmode = "http"\n', encoding="utf-8")
    shown = terminal.type("run")
    assert shown.code == 1
    assert says in shown.err


def test_over_socket_mode_the_bot_purges_says_so_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M15 for one workspace: rows, token and bot go; what the operator gave it stays; and the proof finds nothing."""
    with start_playground(port=0, manifest=build_manifest()) as playground:
        settings = settings_for(playground, tmp_path / "home")
        teach(settings, tmp_path / "docs")
        (settings.home / "slack.env").write_text(
            f"SLACK_BOT_TOKEN={playground.bot_token}\nSLACK_APP_TOKEN={playground.app_token}\n", encoding="utf-8"
        )
        terminal = Terminal(
            home=settings.home, capsys=capsys, environment={"SLACK_API_URL": playground.api_url}, reply=f"{TEXT} [1]"
        )
        admin = Runner(Workspace(playground))
        admin.start()
        shown: Shown = terminal.type("run")
        admin.join(5)
    assert admin.problem is None, shown.err
    assert shown.code == 1
    assert "took the app away" in shown.err
    assert "purge-check" in shown.err
    assert "1 answer" in shown.err
    kept = (settings.home / "slack.env").read_text("utf-8")
    assert kept == f"SLACK_APP_TOKEN={playground.app_token}\n"
    engine = open_database(settings.database_url)
    team = re.findall(r"The workspace (\w+) took", shown.err)[0]
    assert find_traces(engine, team, settings.home) == ()
    assert sent_answers(engine) == []
    engine.dispose()
    assert terminal.type("purge-check", team).code == 0
    assert len(terminal.type("sources", "list", "--json").json["sources"]) == 1
