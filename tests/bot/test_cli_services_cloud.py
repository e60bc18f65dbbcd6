"""Google Drive and Notion on the command line: a credential kept, a source added with it, read, and removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.credentials import set_credential
from bot.database import open_database
from bot.settings import load_settings, prepare_home
from knowledge.secret import Secret
from tests.bot.terminal import Terminal
from tests.knowledge.drive_server import ACCOUNT, ROOT, Item, drive_served, user
from tests.knowledge.notion_server import TOKEN, block, id_of, notion_served

REPOSITORY = Path(__file__).resolve().parents[2]
BADGES = "Badges are issued by Maria Lopez at the front desk."


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


def keep(terminal: Terminal, name: str, secret: str) -> None:
    """Keep a credential."""
    settings = load_settings({}, terminal.home)
    prepare_home(settings.home)
    engine = open_database(settings.database_url)
    set_credential(engine, settings, name, Secret(secret))
    engine.dispose()


def hand_over(terminal: Terminal, name: str, secret: str) -> None:
    """Hand a credential over on standard input, as `credentials set NAME --file -` reads it."""
    program = "from bot.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--home", str(terminal.home), "credentials", "set", name, "--file", "-"],
        input=secret,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"--credential {name}" in done.stdout


class TestDrive:
    def test_a_folder_is_added_read_and_removed(self, terminal: Terminal) -> None:
        with drive_served() as drive:
            uri = drive.put("a", Item(name="Badges.txt", content=BADGES.encode()))
            drive.put("b", Item(name="Safe.txt", content=b"The safe code.", permissions=[user("ada@example.com")]))
            hand_over(terminal, "drive-key", drive.key)
            said = terminal.type("sources", "add", drive.location, "--name", "papers", "--credential", "drive-key").out
            assert said.startswith("Added 'papers' (")
            assert "can be read" in said
            assert "papers: 2 added" in terminal.type("sync").out
            assert "papers: 2 unchanged" in terminal.type("sync").out
            drive.put("a", Item(name="Badges.txt", content=BADGES.replace("Maria Lopez", "Ben").encode()))
            assert "papers: 1 changed" in terminal.type("sync").out
        shown = terminal.type("sync")
        assert (shown.code, "Google Drive cannot be read" in shown.out) == (1, True)
        (passage,) = terminal.type("search", "badges safe code", "--json").json["passages"]
        assert (passage["uri"], passage["text"]) == (uri, BADGES.replace("Maria Lopez", "Ben"))
        listed = terminal.type("sources", "list").out + terminal.type("sources", "list", "--json").out
        assert "PRIVATE KEY" not in listed
        assert "'papers'" in terminal.type("credentials", "remove", "drive-key").err
        assert terminal.type("sources", "remove", "papers").out == "Removed 'papers' with 2 documents.\n"
        assert terminal.type("credentials", "remove", "drive-key").code == 0

    def test_what_is_missing_is_said_with_the_next_step(self, terminal: Terminal) -> None:
        with drive_served() as drive:
            shown = terminal.type("sources", "add", drive.location)
            assert (shown.code, "credentials set NAME < key.json" in shown.err) == (1, True)
            keep(terminal, "token", "just-a-token")
            shown = terminal.type("sources", "add", drive.location, "--credential", "token")
            assert (shown.code, "is not JSON" in shown.err, "just-a-token" in shown.err) == (1, True, False)
            keep(terminal, "token", drive.key)
            shown = terminal.type("sources", "add", drive.location.replace(ROOT, "other"), "--credential", "token")
            assert (shown.code, f"Share it with {ACCOUNT}" in shown.err) == (1, True)
            assert terminal.type("sources", "list", "--json").json["sources"] == []


class TestNotion:
    def test_a_page_is_added_read_and_removed(self, terminal: Terminal) -> None:
        with notion_served() as notion:
            notion.put("Handbook", {**block("child_page", title="Badges"), "id": id_of("Badges")})
            uri = notion.put("Badges", block("paragraph", BADGES), above="Handbook")
            keep(terminal, "notion", TOKEN)
            said = terminal.type("sources", "add", notion.location("Handbook"), "--credential", "notion").out
            assert said.startswith("Added 'Handbook' (")
            assert "'Handbook' can be read" in said
            assert "Handbook: 2 added" in terminal.type("sync").out
            assert "Handbook: 2 unchanged" in terminal.type("sync").out
            notion.pages[id_of("Badges")].blocks = [block("paragraph", BADGES.replace("Maria Lopez", "Ben"))]
            notion.pages[id_of("Badges")].edited = "2026-01-03T00:00:00.000Z"
            assert "Handbook: 1 changed" in terminal.type("sync").out
        shown = terminal.type("sync")
        assert (shown.code, "Notion cannot be read" in shown.out) == (1, True)
        passages = terminal.type("search", "front desk", "--json").json["passages"]
        assert (passages[0]["uri"], passages[0]["text"]) == (uri, BADGES.replace("Maria Lopez", "Ben"))
        assert TOKEN not in terminal.type("sources", "list", "--json").out
        assert terminal.type("sources", "remove", "Handbook").out == "Removed 'Handbook' with 2 documents.\n"

    def test_what_is_missing_is_said_with_the_next_step(self, terminal: Terminal) -> None:
        with notion_served() as notion:
            shown = terminal.type("sources", "add", notion.location())
            assert (shown.code, "credentials set NAME" in shown.err) == (1, True)
            keep(terminal, "notion", "ntn_other")
            shown = terminal.type("sources", "add", notion.location(), "--credential", "notion")
            assert (shown.code, "token is not accepted" in shown.err, "ntn_other" in shown.err) == (1, True, False)
            shown = terminal.type("sources", "add", "https://www.notion.so/acme/Page", "--credential", "notion")
            assert (shown.code, "Copy link" in shown.err) == (1, True)
