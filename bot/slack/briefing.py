"""What goes with a question before it is answered: who will read the answer, whether there may be one, and how it is
wanted. The one place where a channel's and a person's settings meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from bot import words
from bot.channels import ChannelSettings, load_channel
from bot.people import load_preferences
from bot.slack.membership import Memberships
from bot.turn import Brief, Incoming, Style
from knowledge.audience import Audience
from knowledge.document import Passage


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there will be no answer, in a sentence for the person; an empty one says nothing at all."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Briefed:
    """An audience and a brief: the question may be answered."""

    audience: Audience
    brief: Brief
    channel: ChannelSettings


@dataclass(frozen=True, kw_only=True)
class Readers:
    """Who will read an answer, and which sources it may stand on in this place."""

    audience: Audience
    sources: frozenset[str] | None


Gate = Callable[[Incoming, ChannelSettings], Refusal | None]
"""Says whether this person may be answered in this place; must fail closed."""
Context = Callable[[Incoming, Audience], tuple[Passage, ...]]
"""Gathers what lies on the table beside the library, within the audience."""
Recall = Callable[[Incoming, Audience, frozenset[str] | None], tuple[Passage, ...]]
"""Finds what was said before, within the audience; the sources are those that an answer may stand on here."""


def refuse_external(incoming: Incoming, channel: ChannelSettings) -> Refusal | None:
    """Refuse where another organisation reads along."""
    return Refusal(text=words.SHARED_CHANNEL) if incoming.external and not channel.allow_external else None


def no_context(_incoming: Incoming, _audience: Audience) -> tuple[Passage, ...]:
    """Nothing beside the library."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """Briefs one question at a time; may be used from several threads."""

    engine: sa.Engine
    memberships: Memberships
    gate: Gate = refuse_external
    context: Context = no_context
    recall: Recall | None = None
    """None where nothing is remembered."""

    def brief(self, incoming: Incoming) -> Briefed | Refusal:
        """Say how a question is to be answered, or why it is not."""
        channel = load_channel(self.engine, incoming.team, incoming.channel)
        if refusal := self.gate(incoming, channel):
            return refusal
        person = load_preferences(self.engine, incoming.team, incoming.user)
        audience = self.memberships.audience_of(incoming)
        style = Style(language=person.language, length=person.length, instructions=channel.instructions)
        brief = Brief(
            style=style,
            sources=channel.sources,
            context=self.context(incoming, audience),
            earlier=() if self.recall is None else self.recall(incoming, audience, channel.sources),
            channel=incoming.channel,
            conversation=incoming.conversation,
        )
        return Briefed(audience=audience, brief=brief, channel=channel)

    def brief_again(self, incoming: Incoming) -> Readers | Refusal:
        """Who will read the answer as of now, whatever is remembered, or why there may be none any more."""
        self.memberships.look_again(incoming)
        channel = load_channel(self.engine, incoming.team, incoming.channel)
        if refusal := self.gate(incoming, channel):
            return refusal
        return Readers(audience=self.memberships.audience_of(incoming), sources=channel.sources)
