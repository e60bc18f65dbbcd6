"""The options that say when a source is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from knowledge.store import Times

_Function = TypeVar("_Function", bound=Callable[..., Any])


def times_options(command: _Function) -> _Function:
    """Add the options that say when a source is read."""
    for option in (
        click.option(
            "--most",
            "most_minutes",
            metavar="MINUTES",
            type=click.IntRange(min=1),
            help="End a run after so long; it goes on with the next.",
        ),
        click.option(
            "--jitter",
            "jitter_minutes",
            metavar="MINUTES",
            type=click.IntRange(min=0, max=720),
            help="Begin up to so much later, differently each time.",
        ),
        click.option(
            "--quiet", metavar="HOURS", help="Never begin in these hours, like 22:00-06:00; none for no such hours."
        ),
        click.option("--zone", help="The time zone of --cron and --quiet, like Europe/Berlin.  [default: UTC]"),
        click.option("--cron", metavar="LINE", help="Read it at these times, like '30 6 * * MON-FRI'."),
        click.option(
            "--every",
            "interval_minutes",
            metavar="MINUTES",
            type=click.IntRange(min=1),
            help="Read it again every so many minutes.",
        ),
    ):
        command = option(command)
    return command


def changed_times(before: Times, given: Mapping[str, Any]) -> Times:
    """The times with what was given on the command line."""
    from bot.errors import MisuseError

    values = {name: value for name, value in given.items() if value is not None}
    if {"interval_minutes", "cron"} <= values.keys():
        raise MisuseError("--every and --cron say the same in two ways: give one of them.")
    if "interval_minutes" in values:
        values["cron"] = None
    elif "cron" in values:
        values["interval_minutes"] = None
    if values.get("quiet") in ("", "none"):
        values["quiet"] = None
    return replace(before, **values)
