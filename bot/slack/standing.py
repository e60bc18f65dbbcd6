"""Whether a person may be told anything besides answers: the gate stands before lists, greetings and summaries too."""

from __future__ import annotations

from bot.channels import ChannelSettings, load_channel
from bot.slack.features import TeamParts
from bot.slack.gate import SlackGate
from bot.turn import ChannelKind, Incoming


def refusal_for(parts: TeamParts, user: str, *, channel: str = "", kind: ChannelKind = "im", ts: str = "0.0") -> str:
    """Why this person is told nothing, alone or in a channel; empty where they may be."""
    gate = SlackGate(team=parts.team, engine=parts.engine, profiles=parts.memberships.profiles, rules=parts.gate)
    asking = Incoming(
        team=parts.team,
        channel=channel,
        channel_kind=kind,
        user=user,
        ts=ts,
        thread_ts=None,
        text="",
        mentioned=True,
        visibility="ephemeral",
    )
    settings = load_channel(parts.engine, parts.team, channel) if channel else ChannelSettings()
    refusal = gate(asking, settings)
    return refusal.text if refusal else ""
