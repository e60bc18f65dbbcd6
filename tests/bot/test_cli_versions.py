"""`lorekeeper versions`, typed as a person would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.learn.versions import find_version, refuse
from models.tuned import open_tuned
from tests.bot.terminal import Terminal
from tests.bot.versions_shelf import make_version, write_answer


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


@pytest.fixture
def engine(terminal: Terminal) -> Iterator[sa.Engine]:
    terminal.home.mkdir()
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    for name in ("v1", "v2"):
        make_version(engine, terminal.home, name)
    yield engine
    engine.dispose()


def test_the_list_shows_states_and_what_people_thought(terminal: Terminal, engine: sa.Engine) -> None:
    write_answer(engine, "v1", ("U1", 1), ("U2", -1), ("U3", -1))
    write_answer(engine, "", ("U1", 1))
    assert terminal.type("versions", "promote", "v1").out == (
        "v1 is in service instead of the base model. A bot that runs follows within seconds.\n"
    )
    shown = terminal.type("versions", "list", "--json").json
    assert (shown["in_service"], shown["base"], shown["base_figures"]["good"]) == ("v1", "embedded", 1)
    (v1,) = [one for one in shown["versions"] if one["name"] == "v1"]
    assert (v1["state"], v1["figures"]) == ("in_service", {"answers": 1, "abstained": 0, "good": 1, "bad": 2})
    page = terminal.type("versions", "list").out
    assert "in service" in page
    assert "(embedded)" in page


def test_a_version_is_tried_out_promoted_and_taken_back(terminal: Terminal, engine: sa.Engine) -> None:
    tried = terminal.type("versions", "canary", "v1", "--share", "0.3", "--channel", "C1", "--why", "a try").out
    assert tried.startswith("v1 answers 30% of new conversations.")
    canary = find_version(engine, "v1")
    assert (canary.share, canary.channels) == (0.3, ("C1",))
    shown = terminal.type("versions", "show", "v1")
    assert "answers 30% of new conversations in C1" in shown.out
    assert "go on: votes decide from 10 people on" in shown.out
    assert "a try" in shown.out
    assert terminal.type("versions", "promote", "v1", "--json").json["state"] == "in_service"
    terminal.type("versions", "promote", "v2")
    assert "the base model" not in terminal.type("versions", "rollback", "--why", "worse").out
    done = terminal.type("versions", "rollback", "--json").json
    assert done == {"left": "v1", "now": "", "was_canary": False}
    events = terminal.type("versions", "show", "v2", "--json").json["history"]
    assert [(one["state"], one["why"]) for one in events][-1] == ("retired", "worse")
    assert events[-1]["user"].startswith("terminal")


def test_what_cannot_be_is_said_and_ends_with_two(terminal: Terminal, engine: sa.Engine) -> None:
    refuse(engine, "v2", by="gate", why="worse")
    for arguments, said in (
        (("promote", "v3"), "no version 'v3' (there are: v1, v2)"),
        (("promote", "v2"), "it is refused"),
        (("canary", "v1", "--share", "2"), "at most 1"),
        (("rollback",), "Nothing can be rolled back"),
        (("show", "v3"), "no version 'v3'"),
    ):
        shown = terminal.type("versions", *arguments)
        assert shown.code == 2
        assert said in shown.err


def test_a_file_that_changed_is_not_put_in_service(terminal: Terminal, engine: sa.Engine) -> None:
    open_tuned(terminal.home / "models", "v1").path.write_bytes(b"GGUF other")
    shown = terminal.type("versions", "promote", "v1")
    assert shown.code == 1
    assert "is not the file that was made for version 'v1'" in shown.err
    assert find_version(engine, "v1").state == "candidate"
