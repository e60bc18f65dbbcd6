"""What a page begins with: all that its person may see."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from bot.playground.workspace import BOT_USER_ID, JSON, TEAM_ID

if TYPE_CHECKING:
    from bot.playground.playground import Playground

SNAPSHOT_TRAFFIC = 200


def snapshot(playground: Playground, user: str) -> JSON:
    """Give everything that a page which acts as this person begins with."""
    workspace = playground.workspace
    channels = list(workspace.channels_of(user))
    messages = {c.id: [playground.page_message(c, m) for m in c.messages.values()] for c in channels}
    for ephemeral in workspace.ephemerals.values():
        if ephemeral.user == user and ephemeral.channel in messages:
            messages[ephemeral.channel].append(ephemeral.message | {"ephemeral": True})
    visible = {channel.id for channel in channels}
    return {
        "type": "snapshot",
        "team": {"id": TEAM_ID, "name": workspace.team_name, "domain": workspace.domain},
        "me": user,
        "bot_user": BOT_USER_ID,
        "users": [asdict(u) for u in workspace.users.values()],
        "channels": [playground.channel_json(channel) for channel in channels],
        "messages": messages,
        "home": workspace.homes.get(user),
        "views": playground.interactivity.open_views(user),
        "bot_connected": playground.bot_is_here,
        "statuses": playground.signs.statuses_in(visible),
        "prompts": playground.signs.prompts_in(visible),
        "features": playground.features.settings.model_dump(),
        "surface": playground.surface,
        "commands": [
            {key: command[key] for key in ("command", "description", "usage_hint")}
            for command in playground.app.commands
        ],
        "shortcuts": playground.app.shortcuts,
        "sessions": playground.sessions.shown_in(visible),
        "traffic": playground.ledger.entries()[-SNAPSHOT_TRAFFIC:],
    }
