"""Whether this person may be answered in this place: switched-off channels, other organisations, guests, too much use.

It fails closed: where Slack does not say who somebody is or who reads along, there is no answer, but a reason. Only a
question that nobody put to the bot gets neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from bot import words
from bot.channels import ChannelSettings
from bot.slack.briefing import Refusal
from bot.slack.membership import Memberships
from bot.slack.profiles import Profiles
from bot.turn import Incoming
from bot.use_limits import MINUTE, UseLimits, check_use
from knowledge.audience import Audience

_SILENCE = Refusal(text="")


@dataclass(frozen=True, kw_only=True)
class GateRules:
    """What the settings say about who is answered where."""

    channels: frozenset[str] = frozenset()
    """The channels that the bot answers in; empty for all. Direct messages are no channel."""
    limits: UseLimits = field(default_factory=UseLimits)


@dataclass(frozen=True, kw_only=True)
class SlackGate:
    """The gate of one workspace; may be asked from several threads."""

    team: str
    engine: sa.Engine
    profiles: Profiles
    rules: GateRules

    def __call__(self, incoming: Incoming, channel: ChannelSettings) -> Refusal | None:
        """Refuse a question, or let it pass."""
        if reason := self._closed(incoming, channel):
            return Refusal(text=reason) if _is_addressed(incoming) else _SILENCE
        if reason := self._outside(incoming, channel) or self._too_much(incoming):
            return _SILENCE if incoming.visibility == "if_sure" else Refusal(text=reason)
        return None

    def _closed(self, incoming: Incoming, channel: ChannelSettings) -> str:
        if channel.disabled:
            return words.GATE_DISABLED
        listed = not self.rules.channels or incoming.channel in self.rules.channels
        return "" if listed or incoming.channel_kind == "im" else words.GATE_NOT_LISTED

    def _outside(self, incoming: Incoming, channel: ChannelSettings) -> str:
        """Why this is not among this workspace's own people; an admin's word opens a channel for others."""
        if channel.allow_external:
            return ""
        if incoming.channel_kind != "im":
            if incoming.external:
                return words.SHARED_CHANNEL
            place = self.profiles.place(incoming.channel)
            if place is None or place.shared is None:
                return words.GATE_UNKNOWN_PLACE
            if place.shared:
                return words.SHARED_CHANNEL
        return words.GATE_STRANGER if incoming.external else why_no_member(self.profiles, self.team, incoming.user)

    def _too_much(self, incoming: Incoming) -> str:
        exceeded = check_use(self.engine, incoming, self.rules.limits)
        if exceeded is None:
            return ""
        wait = exceeded.again_at - datetime.now(UTC)
        return words.asked_too_much(exceeded.limit, per_minute=exceeded.window == MINUTE, wait=wait)


def why_no_member(profiles: Profiles, team: str, user: str) -> str:
    """Why a person does not count as a full member of the workspace, in a sentence for them; empty where they do."""
    person = profiles.person(user)
    if person is None or not (person.teams or person.stranger):
        return words.GATE_UNKNOWN_PERSON
    if not person.is_of(team):
        return words.GATE_STRANGER
    if person.guest is None:
        return words.GATE_UNKNOWN_PERSON
    return words.GATE_GUEST if person.guest else ""


def reach_of(memberships: Memberships, team: str, user: str) -> Audience:
    """What one person may be told of, beside an answer; nothing where they are no full member of the workspace."""
    if why_no_member(memberships.profiles, team, user):
        return Audience(readable=frozenset())
    return memberships.audience_of_person(user)


def _is_addressed(incoming: Incoming) -> bool:
    """Tell whether the bot was named, written to directly or called by a command: silence would puzzle then."""
    return incoming.mentioned or incoming.channel_kind == "im" or incoming.visibility == "ephemeral"
