"""What a team's bot can do besides answering: each feature listens to Bolt and works off its kinds of inbox rows.

`build_features` is the list. A feature gets the parts of its team's bot and touches no other feature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from slack_bolt import App
from slack_sdk import WebClient

from bot.equipment import Equipment
from bot.inbox import Inbox, Kind, Lease
from bot.runs import Runs
from bot.slack.deliver import Delivery
from bot.slack.directory import Directory
from bot.slack.gate import GateRules
from bot.slack.membership import Memberships
from bot.slack.shown import ShownPages
from bot.worker import Answering
from knowledge.readers import PERMISSIONS_HOLD

Works = Mapping[Kind, Callable[[Lease], None]]
"""What is done with the rows of each kind. It may raise: the row is tried again a few times."""


@dataclass(frozen=True, kw_only=True)
class TeamParts:
    """What the features of one team's bot work with."""

    team: str
    bot_user_id: str
    engine: sa.Engine
    inbox: Inbox
    client: WebClient
    delivery: Delivery
    memberships: Memberships
    directory: Directory
    runs: Runs
    answering: Answering
    link: Callable[[str], str]
    """Turns a citation's uri into the address that people can open."""
    version: Callable[[], str]
    """The version that answers now."""
    next_runs: Callable[[], Mapping[str, datetime]]
    """When each source, by id, is read next."""
    permissions_hold: timedelta = PERMISSIONS_HOLD
    """How long a source's word on who may read what holds."""
    admins: frozenset[str] = frozenset()
    """People whom the settings name as admins, besides the workspace's own."""
    escalate_to: str = ""
    """The person or channel that is asked where a channel's own settings name nobody."""
    gate: GateRules = field(default_factory=GateRules)
    """What the settings say about who is answered where."""
    equipment: Equipment = field(default_factory=Equipment)
    shown: ShownPages = field(default_factory=ShownPages)
    """What people's home pages show."""
    home: Path | None = None
    """The team's data folder; None where there is none (tests)."""


class Feature(Protocol):
    """One thing that the bot can do."""

    def listen(self, app: App) -> None:
        """Connect buttons, forms, commands and shortcuts."""

    def works(self) -> Works:
        """The kinds of inbox rows that this feature works off."""


def build_features(parts: TeamParts) -> tuple[Feature, ...]:
    """All features of one team's bot."""
    from bot.slack.alerts import Alerts
    from bot.slack.answer_features import answer_features
    from bot.slack.channel_config import ChannelConfig
    from bot.slack.commands import Commands
    from bot.slack.gaps import Gaps
    from bot.slack.greet import Greeter
    from bot.slack.home import HomePage
    from bot.slack.home_admin_page import admin_page
    from bot.slack.home_readers import HomeReaders
    from bot.slack.readings import Readings
    from bot.slack.shortcuts import Shortcuts
    from bot.slack.votes import Votes

    admins_side = admin_page(parts)
    return (
        *answer_features(parts),
        Votes(engine=parts.engine, delivery=parts.delivery, link=parts.link, is_bot=parts.directory.is_bot),
        HomePage(parts=parts),
        admins_side,
        HomeReaders(parts=parts),
        ChannelConfig(parts=parts, refresh=admins_side.publish_channels),
        Greeter(parts),
        Commands(parts=parts),
        Shortcuts(parts),
        Alerts(parts=parts),
        Gaps(parts=parts),
        Readings(parts=parts, renew=admins_side.renew),
    )
