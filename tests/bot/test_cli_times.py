"""When sources are read, said and shown on the command line; and what opens them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from bot.channel_ledger import KIND as CHANNEL
from bot.cli.sources import add
from knowledge.sources import KINDS
from tests.bot.terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "badges.md").write_text("# Badges\n\nMaria Lopez issues badges at the front desk.\n", encoding="utf-8")
    return folder


def test_a_source_is_given_times_of_its_own(terminal: Terminal, handbook: Path) -> None:
    added = terminal.type("sources", "add", str(handbook), "--cron", "30 6 * * MON-FRI", "--zone", "Europe/Berlin")
    assert added.code == 0
    assert "handbook: read cron 30 6 * * MON-FRI (Europe/Berlin)" in terminal.type("sources", "list").out
    changed = terminal.type("sources", "schedule", "handbook", "--every", "10", "--quiet", "22:00-06:00")
    assert "'handbook' is read every 10 min (Europe/Berlin), not 22:00-06:00." in changed.out
    changed = terminal.type(
        "sources", "schedule", "handbook", "--quiet", "none", "--jitter", "3", "--most", "20", "--json"
    )
    told = json.loads(changed.out)
    assert (told["cron"], told["interval_minutes"], told["quiet"]) == (None, 10, None)
    assert (told["jitter_minutes"], told["most_minutes"], told["zone"]) == (3, 20, "Europe/Berlin")
    assert "every 30 min" in terminal.type("sources", "schedule", "handbook", "--usual").out
    assert "handbook: read" not in terminal.type("sources", "list").out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--every", "5", "--cron", "* * * * *"), "give one of them"),
        (("--cron", "every day"), "cannot be read"),
        (("--zone", "Berlin"), "no time zone 'Berlin'"),
        (("--quiet", "at night"), "quiet hours are 'at night'"),
        (("--jitter", "40"), "shorter than the interval"),
    ],
)
def test_times_that_cannot_be_are_refused_before_anything_is_kept(
    terminal: Terminal, handbook: Path, options: tuple[str, ...], said: str
) -> None:
    refused = terminal.type("sources", "add", str(handbook), *options)
    assert refused.code == 2
    assert said in refused.err
    assert "No sources yet" in terminal.type("sources", "list").out


def test_a_source_at_rest_is_read_only_by_hand_and_its_runs_are_listed(terminal: Terminal, handbook: Path) -> None:
    terminal.type("sources", "add", str(handbook))
    assert "not read yet" in terminal.type("sources", "runs", "handbook").out
    assert "no more" in terminal.type("sources", "pause", "handbook").out
    assert "paused" in terminal.type("sources", "list").out
    assert "1 added" in terminal.type("sync", "handbook").out
    (handbook / "leave.md").write_text("# Leave\n\nParental leave is 16 weeks.\n", encoding="utf-8")
    terminal.type("sync", "handbook")
    runs = json.loads(terminal.type("sources", "runs", "handbook", "--json").out)["runs"]
    assert [(run["added"], run["unchanged"], run["error"]) for run in runs] == [(1, 1, None), (1, 0, None)]
    assert "ok" in terminal.type("sources", "runs", "handbook", "--last", "1").out
    assert "again" in terminal.type("sources", "resume", "handbook").out
    assert "paused" not in terminal.type("sources", "list").out


def test_a_credential_is_kept_listed_and_forgotten_without_being_shown(
    terminal: Terminal, handbook: Path, tmp_path: Path
) -> None:
    assert "No credentials yet" in terminal.type("credentials", "list").out
    terminal.answers = ["secret-text", " "]
    assert "Kept 'papers'" in terminal.type("credentials", "set", "papers").out
    empty = terminal.type("credentials", "set", "other")
    assert (empty.code, "is empty" in empty.err) == (2, True)
    assert [hidden for _, hidden in terminal.asked] == [True, True]
    listed = terminal.type("credentials", "list", "--json")
    assert [one["name"] for one in listed.json["credentials"]] == ["papers"]
    assert "secret-text" not in listed.out + terminal.type("credentials", "list").out
    (tmp_path / "key.json").write_text("another-secret", encoding="utf-8")
    assert (
        "Replaced 'papers'" in terminal.type("credentials", "set", "papers", "--file", str(tmp_path / "key.json")).out
    )
    refused = terminal.type("sources", "add", str(handbook), "--credential", "papers")
    assert "takes no credential" in refused.err
    missing = terminal.type("sources", "add", str(handbook), "--credential", "nobody")
    assert "lorekeeper credentials set nobody" in missing.err
    assert "Removed 'papers'" in terminal.type("credentials", "remove", "papers").out


def test_every_kind_of_source_can_be_named() -> None:
    (kind,) = [one for one in add.params if one.name == "kind"]
    assert isinstance(kind.type, click.Choice)
    assert set(kind.type.choices) == {*KINDS, CHANNEL}
