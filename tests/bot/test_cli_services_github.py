"""GitHub typed at the command line: a token kept, a repository added with it, read, and asked about."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.credentials import set_credential
from bot.database import open_database
from bot.settings import load_settings
from knowledge.secret import Secret
from tests.bot.terminal import Terminal
from tests.knowledge.github_server import FakeGithub, github_served

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place() -> Iterator[FakeGithub]:
    with github_served() as served:
        yield served


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


def known(terminal: Terminal, name: str, token: str) -> None:
    """Have a token kept already."""
    settings = load_settings({}, terminal.home)
    engine = open_database(settings.database_url)
    set_credential(engine, settings, name, Secret(token))
    engine.dispose()


def keep(terminal: Terminal, name: str, token: str) -> str:
    """Hand a token over on standard input, as a script would; returns what was printed."""
    program = "from bot.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--home", str(terminal.home), "credentials", "set", name],
        input=token,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_private_repository_is_added_read_and_asked_about(terminal: Terminal, place: FakeGithub) -> None:
    place.private = True
    badges = place.issue("Badges", "Who issues badges?")
    desks = place.discussion("Desks", "How do I get a desk?")
    place.accept(desks, place.reply(desks, "Desks are given out by Ben on floor 3."))
    place.tick(5)

    refused = terminal.type("sources", "add", place.location, "--kind", "github")
    assert refused.code == 1
    assert "shows no repository acme/handbook" in refused.err
    assert "--credential" in refused.err

    known(terminal, "github", "ghp_wrong")
    added = ("sources", "add", place.location, "--kind", "github", "--credential", "github")
    refused = terminal.type(*added)
    assert refused.code == 1
    assert "Bad credentials" in refused.err
    assert "lorekeeper credentials set NAME" in refused.err
    assert "ghp_wrong" not in refused.err

    assert "Replaced 'github'. Use it: lorekeeper sources add" in keep(terminal, "github", place.token)
    said = terminal.type(*added)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Added 'acme/handbook' (")
    assert "'Badges' can be read" in said.out
    assert "acme/handbook: 2 added" in terminal.type("sync").out
    assert "acme/handbook: 2 unchanged" in terminal.type("sync").out

    place.comment(badges, "Badges are issued by Maria Lopez at the front desk.")
    place.tick(5)
    assert "acme/handbook: 1 changed" in terminal.type("sync").out
    found = terminal.type("search", "who issues badges at the front desk", "--json").json["passages"]
    assert found[0]["uri"] == f"{place.location}/issues/{badges}"
    assert "Maria Lopez" in found[0]["text"]
    answer = terminal.type("ask", "Who issues badges?", "--json").json
    assert f"{place.location}/issues/{badges}" in str(answer["citations"])

    shown = terminal.type("sources", "list")
    assert place.location in shown.out
    (row,) = terminal.type("sources", "list", "--json").json["sources"]
    assert (row["credential"], row["documents"], row["failures"]) == ("github", 2, [])
    listed = terminal.type("credentials", "list").out
    assert "acme/handbook" in listed
    assert place.token not in shown.out + str(row) + listed

    del place.discussions[desks]
    assert "1 deleted" in terminal.type("sync").out
    place.private, place.token = True, "ghp_another"
    shown = terminal.type("sync")
    assert (shown.code, "does not accept the token" in shown.out) == (1, True)
    assert terminal.type("search", "badges", "--json").json["passages"]
    removed = terminal.type("sources", "remove", "acme/handbook").out
    assert removed == "Removed 'acme/handbook' with 1 documents.\n"


def test_a_public_repository_is_read_without_a_token(terminal: Terminal, place: FakeGithub) -> None:
    place.issue("Badges", "Badges are issued by Maria Lopez.")
    place.tick(5)
    assert terminal.type("sources", "add", f"{place.location}/issues", "--kind", "github").code == 0
    assert "acme/handbook issues: 1 added" in terminal.type("sync").out


def test_other_kinds_take_no_token(terminal: Terminal, tmp_path: Path) -> None:
    known(terminal, "github", "ghp_x")
    refused = terminal.type("sources", "add", str(tmp_path), "--credential", "github")
    assert refused.code == 1
    assert "takes no credential" in refused.err


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("handbook", "is no repository on GitHub"),
        ("acme/handbook#wiki", "'wiki', which is not read"),
        ("https://github.com/acme/handbook/issues?q=is%3Aopen", "holds a search"),
        ("https://ghp_secret@github.com/acme/handbook", "lorekeeper credentials set NAME"),
    ],
)
def test_a_bad_location_is_refused(terminal: Terminal, location: str, said: str) -> None:
    refused = terminal.type("sources", "add", location, "--kind", "github")
    assert refused.code == 1
    assert said in refused.err
    assert "ghp_secret" not in refused.err
