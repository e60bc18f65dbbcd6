"""Methods about the app itself: api.test, auth.test, apps.connections.open, bots.info, team.info."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.events import bot_profile
from bot.playground.options import HANDSHAKE_SECONDS
from bot.playground.playground import Playground
from bot.playground.workspace import APP_ID, BOT_ID, BOT_USER_ID, JSON, TEAM_ID


def api_test(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """Say that calls arrive, or fail on request."""
    del playground
    if "error" in arguments:
        raise ApiError(arguments["error"])
    return {"args": dict(arguments)}


def auth_test(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """Say whose token it is."""
    del arguments
    return {
        "url": playground.url,
        "team": playground.workspace.team_name,
        "user": playground.workspace.bot.name,
        "team_id": TEAM_ID,
        "user_id": BOT_USER_ID,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def apps_connections_open(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """Hand out the address of a WebSocket that works once."""
    del arguments
    now = playground.workspace.now()
    playground.tickets = {key: until for key, until in playground.tickets.items() if until > now}
    ticket = secrets.token_urlsafe(24)
    playground.tickets[ticket] = now + HANDSHAKE_SECONDS
    address = playground.url.replace("http", "ws", 1)
    return {"url": f"{address}link/?ticket={ticket}&app_id={APP_ID}"}


def bots_info(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """Describe the bot."""
    if arguments.get("bot", BOT_ID) != BOT_ID:
        raise ApiError("bot_not_found")
    profile = bot_profile(playground.workspace)
    return {"bot": {key: profile[key] for key in ("id", "deleted", "name", "updated", "app_id", "user_id", "icons")}}


def team_info(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """Describe the workspace."""
    workspace = playground.workspace
    if arguments.get("team", TEAM_ID) != TEAM_ID:
        raise ApiError("team_not_found")
    return {
        "team": {
            "id": TEAM_ID,
            "name": workspace.team_name,
            "url": playground.url,
            "domain": workspace.domain,
            "email_domain": "",
            "icon": {"image_default": True},
        }
    }
