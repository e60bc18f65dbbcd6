"""What people type after /lore is read as they mean it."""

from __future__ import annotations

import pytest

from bot.slack.commands import parse_command


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("", "help", ""),
        ("help", "help", ""),
        ("Sources", "sources", ""),
        ("status.", "status", ""),
        ("sync", "sync", ""),
        ("config", "config", ""),
        ("sync Our Handbook", "sync", "Our Handbook"),
        ("forget  me", "forget", ""),
        ("forget", "help", ""),
        ("ask who pays?", "ask", "who pays?"),
        ("ASK\nwho pays\nfor lunch?", "ask", "who pays\nfor lunch?"),
        ("ask", "ask", ""),
        ("who pays for lunch?", "ask", "who pays for lunch?"),
        ("sources of income?", "ask", "sources of income?"),
        ("sync runs how often?", "ask", "sync runs how often?"),
        ("forget me not meaning", "ask", "forget me not meaning"),
        ("lunch?", "ask", "lunch?"),
        ("frobnicate", "help", ""),
    ],
)
def test_subcommands_and_bare_questions(text: str, name: str, argument: str) -> None:
    command = parse_command(text)
    assert (command.name, command.argument) == (name, argument)
