"""Lets admins set how the bot behaves in a channel: who they are is asked when the form opens and when it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import words
from bot.channels import load_channel, save_channel
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Kind, Lease
from bot.slack.admins import admins_of
from bot.slack.channel_form import (
    CHANNEL_CALLBACK,
    SourceChoice,
    channel_form,
    channel_refused,
    channel_saved,
    form_channel,
    parse_channel_form,
)
from bot.slack.features import TeamParts
from bot.slack.feedback_form import FormErrors
from bot.slack.render import Block
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ChannelConfig:
    """Takes the channel form; may be called from several threads."""

    parts: TeamParts
    refresh: Callable[[str], None] = lambda _user: None
    """Shows a person the home page anew, from where they opened the form."""

    def listen(self, app: App) -> None:
        """Connect the form."""
        app.view(CHANNEL_CALLBACK)(self._on_submit)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Nothing of it waits: a change is kept before it is acknowledged."""
        return {}

    # Bolt reads the names of a listener's parameters.

    def _on_submit(self, ack: Ack, body: dict[str, Any]) -> None:
        self.submit(ack, body)

    def submit(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Keep what the form says, or say at the field what is wrong with it."""
        user, view = str(body["user"]["id"]), body["view"]
        channel, from_home = form_channel(view)
        if not is_channel(channel) or not admins_of(self.parts).is_admin(user):
            ack(response_action="update", view=channel_refused(words.ADMINS_ONLY))
            return
        known = frozenset(source.id for source in sources_of_channel(self.parts.engine, channel))
        settings = parse_channel_form(view, known)
        if isinstance(settings, FormErrors):
            ack(response_action="errors", errors=dict(settings.errors))
            return
        save_channel(self.parts.engine, self.parts.team, channel, settings, changed_by=user)
        logger.info("%s changed the settings of %s", user, channel)
        ack(response_action="update", view=channel_saved(channel))
        if from_home:
            self.refresh(user)


def open_channel_form(parts: TeamParts, trigger_id: str, channel: str, user: str, *, from_home: bool = False) -> bool:
    """Open the form for one channel, or say why not, within the trigger's three seconds; False where nothing opened."""
    if not is_channel(channel):
        return open_view(parts, trigger_id, channel_refused(words.CHANNEL_FORM_NOT_HERE))
    view = channel_refused(words.ADMINS_ONLY)
    if admins_of(parts).is_admin(user):
        settings = load_channel(parts.engine, parts.team, channel)
        sources = sources_of_channel(parts.engine, channel)
        view = channel_form(channel, settings, sources, from_home=from_home)
    return open_view(parts, trigger_id, view)


def is_channel(channel: str) -> bool:
    """Tell a channel from a direct message, by its id."""
    return channel.startswith(("C", "G"))


def open_view(parts: TeamParts, trigger_id: str, view: Block) -> bool:
    """Open a form or page in front of the person who gave the trigger; False where Slack does not."""
    try:
        parts.delivery.call("views.open", wait_seconds=0.0, trigger_id=trigger_id, view=view)
    except (SlackSilentError, SlackRefusedError) as error:
        logger.warning("a form did not open: %s", error)
        return False
    return True


def sources_of_channel(engine: sa.Engine, channel: str) -> tuple[SourceChoice, ...]:
    """The sources that answers in this channel may draw on; the names of others are no business of its admins."""
    readable = sorted(Audience.of_channel(channel).readable)
    source = tables.source
    query = sa.select(source.c.id, source.c.name).where(source.c.audience.in_(readable)).order_by(source.c.name)
    with reading(engine) as connection:
        return tuple(SourceChoice(id=row.id, name=row.name) for row in connection.execute(query))
