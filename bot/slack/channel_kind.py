"""Opens a channel as a source, with the token of the settings, where the settings permit it.

Off until an admin writes the channel into the settings and acknowledges the notice.
"""

from __future__ import annotations

import re
import threading

import sqlalchemy as sa

from bot.channel_ledger import SCHEME, ChannelLedger
from bot.learn.tombstones import person_origin
from bot.settings import TERMS_DATE, Settings
from bot.slack.channel_reader import ChannelReader, SlackLine
from bot.slack.channel_source import ChannelOptions, ChannelSource
from bot.slack.deliver import Delivery
from bot.slack.pace import Pace
from knowledge.errors import SourceError
from knowledge.sources.source import SourcePlace

NOTICE = (
    "Slack's API terms forbid apps that are offered outside one's own organisation to keep copies and indexes of what "
    "is said in Slack. In your own organisation's app it is your decision: what is said in such a channel becomes "
    "knowledge for its members, so tell the people in it. Whoever switches memory off on the app's home page is left "
    "out."
)
_CHANNEL = re.compile(r"[CG][A-Z0-9]+")


def channel_of(location: str) -> str:
    """The id of the channel that a location names; raises SourceError."""
    channel = location.removeprefix(SCHEME)
    if not _CHANNEL.fullmatch(channel):
        raise SourceError(
            f"{location!r} names no channel. Expected {SCHEME}C0123ABCD, with the id that Slack shows in the channel's "
            "details; direct messages are never read."
        )
    return channel


def refusal_of(settings: Settings, channel: str) -> str:
    """Why the settings do not permit to read a channel, with the notice; empty where they do."""
    if channel in settings.file.knowledge.slack_channels:
        return ""
    return (
        f"The channel {channel} is not read: that is off until you switch it on. {NOTICE} To switch it on, write under "
        f'[knowledge] in {settings.settings_file}: slack_channels = ["{channel}"] and '
        f'slack_terms_acknowledged = "{TERMS_DATE}", the date of those terms.'
    )


def open_channel(place: SourcePlace, engine: sa.Engine, settings: Settings) -> ChannelSource:
    """Make the source of a channel; Slack is not asked yet. Raises SourceError where there is no token for it."""
    from bot.slack.gateway import connect_client

    channel = channel_of(place.location)
    if settings.slack_client_id:
        raise SourceError(
            "Channels are not read where several workspaces may install the app (SLACK_CLIENT_ID is set): Slack's API "
            "terms forbid copies and indexes there. Run one installation for one workspace, with SLACK_BOT_TOKEN."
        )
    if not settings.slack_bot_token:
        raise SourceError(
            f"The channel {channel} cannot be read without the bot's token. Set SLACK_BOT_TOKEN, or run "
            "`lorekeeper setup`."
        )
    stopping = threading.Event()
    knowledge = settings.file.knowledge
    line = SlackLine(
        delivery=Delivery(connect_client(settings.slack_bot_token, settings.slack_api_url), stopping=stopping),
        pace=Pace(knowledge.slack_history_requests_per_minute, stopping=stopping),
        token=settings.slack_bot_token,
        api_url=settings.slack_api_url,
    )
    options = ChannelOptions(
        refusal=refusal_of(settings, channel), rechecks=knowledge.slack_history_requests_per_minute
    )
    return ChannelSource(
        place.id, ChannelReader(line, channel, person_origin), ChannelLedger(engine, place.id), options
    )
