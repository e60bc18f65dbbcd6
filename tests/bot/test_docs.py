"""What README and the guide say is so: every command, setting and file in them exists, and none is missing."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest

from bot.cli.root import lorekeeper
from bot.settings import FileSettings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "bot" / "guide").glob("*.md")}


def commands(group: click.Group, prefix: str) -> list[str]:
    """The full names of all commands."""
    found: list[str] = []
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        found += commands(command, full) if isinstance(command, click.Group) else [full]
    return found


def settings_table() -> dict[str, str]:
    """Key and default of each row of the guide's table."""
    return dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| `([^`]*)` \|", GUIDE["settings.md"], re.MULTILINE))


def defaults() -> dict[str, object]:
    """Every setting with its default."""
    found: dict[str, object] = {}
    for section in fields(FileSettings):
        values = getattr(FileSettings(), section.name)
        assert is_dataclass(values)
        found.update({f"{section.name}.{key.name}": getattr(values, key.name) for key in fields(values)})
    return found


@pytest.mark.parametrize("command", commands(lorekeeper, "lorekeeper"))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`{command}" in README


@pytest.mark.parametrize("text", [README, *GUIDE.values()], ids=["README.md", *GUIDE])
def test_every_command_that_is_named_exists(text: str) -> None:
    known = commands(lorekeeper, "lorekeeper")
    for named in re.findall(r"`(lorekeeper [a-z][a-z ]*)", text):
        assert any(f"{named.strip()} ".startswith(f"{command} ") for command in known) or any(
            command.startswith(named.strip()) for command in known
        ), named


def test_the_settings_page_lists_every_setting_with_its_default() -> None:
    shown = {key: tomllib.loads(f"value = {default}")["value"] for key, default in settings_table().items()}
    assert shown == defaults()


@pytest.mark.parametrize(
    "variable",
    [
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_API_URL",
        "LOREKEEPER_HOME",
        "LOREKEEPER_DATABASE_URL",
    ],
)
def test_every_environment_variable_is_described(variable: str) -> None:
    assert variable in README
    assert variable in GUIDE["settings.md"]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:bot|knowledge|models|tests)/[\w/.-]*)`", README))))
def test_every_file_that_the_readme_points_at_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)", README))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
