"""Who may change how the bot behaves: the workspace's admins and owners, and the people whom the settings name."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bot.slack.features import TeamParts
from bot.slack.profiles import Profiles

AUDIT = logging.getLogger("bot.audit")
"""What admins did and looked up, with ids and never with words of documents; it is logged also where little else is."""


@dataclass(frozen=True, kw_only=True)
class Admins:
    """Tells admins from others; where Slack does not say, a person is none."""

    team: str
    profiles: Profiles
    named: frozenset[str] = frozenset()

    def is_admin(self, user: str) -> bool:
        """Tell whether this person may change settings; asked anew at every step that changes one."""
        if user in self.named:
            return True
        profile = self.profiles.person(user) if user else None
        return profile is not None and profile.admin and profile.guest is False and profile.is_of(self.team)


def admins_of(parts: TeamParts) -> Admins:
    """The admins of one team's bot."""
    return Admins(team=parts.team, profiles=parts.memberships.profiles, named=parts.admins)
