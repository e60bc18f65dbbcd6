"""Confluence and Jira from the command line: added, read, followed, refused and removed, as a person would type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.credentials import set_credential
from bot.database import open_database
from bot.settings import load_settings, prepare_home
from knowledge.secret import Secret
from tests.bot.terminal import Terminal
from tests.knowledge.atlassian_server import ANA, TOKEN, Issue, Tracker, Wiki, WikiPage, atlassian_served


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


def keep(terminal: Terminal, name: str, text: str) -> None:
    """Keep a credential, as `lorekeeper credentials set` does with what it reads."""
    settings = load_settings({}, terminal.home)
    prepare_home(settings.home)
    engine = open_database(settings.database_url)
    set_credential(engine, settings, name, Secret(text))
    engine.dispose()


def never_shown(terminal: Terminal) -> bool:
    """Whether no file of the data folder holds the token."""
    return not any(TOKEN.encode() in path.read_bytes() for path in terminal.home.rglob("*") if path.is_file())


@pytest.mark.parametrize("cloud", [True, False])
def test_a_space_of_confluence_is_added_read_and_removed(terminal: Terminal, cloud: bool) -> None:
    wiki = Wiki(cloud=cloud)
    with atlassian_served(wiki):
        keep(terminal, "wiki", wiki.credential)
        uri = wiki.put(WikiPage(id="1", title="Badges", body="<p>Badges are issued by Maria Lopez.</p>"))
        wiki.put(WikiPage(id="2", title="Raises", body="<p>Badges for raises are secret.</p>", users=[ANA]))
        add = ("sources", "add", wiki.location, "--kind", "confluence", "--credential", "wiki")
        said = terminal.type(*add).out
        assert said.startswith("Added 'TEAM' (")
        assert "'Badges' can be read" in said
        assert "TEAM: 2 added" in terminal.type("sync").out
        assert "TEAM: 2 unchanged" in terminal.type("sync").out
        (passage,) = terminal.type("search", "badges", "--json").json["passages"]
        assert (passage["uri"], passage["text"]) == (uri, "Badges are issued by Maria Lopez.")
        wiki.put(WikiPage(id="1", title="Badges", body="<p>Badges are issued by Ben.</p>", version=2))
        wiki.pages["2"].status = "trashed"
        assert "TEAM: 1 changed, 1 deleted" in terminal.type("sync").out
        wiki.pages["1"].users = [ANA]
        assert "TEAM: 1 unchanged" in terminal.type("sync").out
        assert terminal.type("search", "badges", "--json").json["passages"] == []
        wiki.pages["1"].users = []
        terminal.type("sync")
        wiki.token = "replaced"
        shown = terminal.type("sync")
        assert (shown.code, "answered 401" in shown.out, "credentials set" in shown.out) == (1, True, True)
        assert TOKEN not in shown.out + shown.err
        assert "answered 401" in terminal.type("sources", "list").out
    (passage,) = terminal.type("search", "badges", "--json").json["passages"]
    assert passage["text"] == "Badges are issued by Ben."
    assert never_shown(terminal)
    assert terminal.type("sources", "remove", "TEAM").out == "Removed 'TEAM' with 1 documents.\n"


@pytest.mark.parametrize("cloud", [True, False])
def test_a_project_of_jira_is_added_read_and_removed(terminal: Terminal, cloud: bool) -> None:
    tracker = Tracker(cloud=cloud)
    with atlassian_served(tracker):
        keep(terminal, "jira", tracker.credential)
        lost = Issue(id="1", key="TEAM-1", summary="Lost badge", description="<p>It costs 15 euros.</p>")
        uri = tracker.put(lost)
        tracker.put(Issue(id="2", key="TEAM-2", summary="Badge of the boss", level="Managers"))
        add = ("sources", "add", tracker.location, "--kind", "jira", "--credential", "jira", "--name", "desk")
        said = terminal.type(*add).out
        assert said.startswith("Added 'desk' (")
        assert "'TEAM-1: Lost badge' can be read" in said
        assert "desk: 1 added" in terminal.type("sync").out
        assert "desk: 1 unchanged" in terminal.type("sync").out
        found = terminal.type("search", "lost badge", "--json").json["passages"]
        assert {passage["uri"] for passage in found} == {uri}
        tracker.put(Issue(id="3", key="TEAM-3", summary="Leave"))
        del tracker.issues["1"]
        assert "desk: 1 added, 1 deleted" in terminal.type("sync").out
        tracker.issues.clear()
        shown = terminal.type("sync")
        assert (shown.code, "finds no issue" in shown.out) == (1, True)
    assert never_shown(terminal)
    assert terminal.type("sources", "remove", "desk").out == "Removed 'desk' with 1 documents.\n"


def test_what_cannot_work_is_said_before_it_is_added(terminal: Terminal) -> None:
    wiki = Wiki()
    with atlassian_served(wiki):
        wiki.put(WikiPage(id="1", title="Badges"))
        add = ("sources", "add", wiki.location, "--kind", "confluence")
        shown = terminal.type(*add)
        assert (shown.code, "asks who reads" in shown.err) == (1, True)
        shown = terminal.type(*add, "--credential", "wiki")
        assert (shown.code, "lorekeeper credentials set wiki" in shown.err) == (2, True)
        keep(terminal, "wiki", "ana:not-an-address")
        shown = terminal.type(*add, "--credential", "wiki")
        assert (shown.code, "EMAIL:API_TOKEN" in shown.err, "not-an-address" in shown.err) == (1, True, False)
        keep(terminal, "wiki", f"ana@example.com:{TOKEN}")
        shown = terminal.type(*add, "--credential", "wiki")
        assert (shown.code, "answered 401" in shown.err, TOKEN in shown.err) == (1, True, False)
    shown = terminal.type("sources", "add", "https://acme.atlassian.net/browse/TEAM-1")
    assert (shown.code, "names one issue" in shown.err) == (1, True)
    assert "No sources yet" in terminal.type("sources", "list").out
