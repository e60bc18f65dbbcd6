"""Who asks and who will read the answer, as said on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from knowledge.audience import Audience

_Function = TypeVar("_Function", bound=Callable[..., Any])

OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The person and the place that an answer on the terminal is meant for."""

    user: str | None
    channel: str | None

    @property
    def audience(self) -> Audience:
        """What may be used: the channel's documents, that person's, or only what everyone may read.

        A person's channels are known to Slack alone: without it, their documents are not among that person's.
        """
        from knowledge.audience import Audience

        if self.channel is not None:
            return Audience.of_channel(self.channel)
        return Audience.everyone() if self.user is None else Audience.of_person(self.user)

    @property
    def name(self) -> str:
        """Who asks."""
        return self.user or OPERATOR

    @property
    def place(self) -> str:
        """Where the conversation is held; conversations of two places never mix."""
        return self.channel or self.name


def reader_options(command: _Function) -> _Function:
    """Add `--as USER` and `--in CHANNEL`."""
    for option in (
        click.option("--in", "channel", metavar="CHANNEL", help="Answer as in this channel (its id)."),
        click.option("--as", "user", metavar="USER", help="Answer as to this person (their id)."),
    ):
        command = option(command)
    return command
