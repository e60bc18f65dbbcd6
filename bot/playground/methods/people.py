"""The users methods: who there is, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.methods.conversations import channel_page
from bot.playground.methods.places import page_of
from bot.playground.playground import Playground
from bot.playground.workspace import APP_ID, BOT_ID, BOT_USER_ID, JSON, User, Workspace


def info(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """users.info."""
    user = playground.workspace.users.get(arguments["user"])
    if user is None:
        raise ApiError("user_not_found")
    return {"user": _told(playground, user, arguments)}


def _told(playground: Playground, user: User, arguments: Mapping[str, Any]) -> JSON:
    """Describe a person to the app; an e-mail address has a scope of its own."""
    told = person(playground.workspace, user, with_locale=arguments.get("include_locale", False))
    if playground.app.may("users:read.email") and not (user.is_bot or user.external):
        told["is_email_confirmed"] = True
        told["profile"]["email"] = user.email
    return told


def list_all(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """users.list."""
    users = list(playground.workspace.users.values())
    limit = arguments.get("limit") or len(users)
    if limit < 1:
        raise ApiError("invalid_arguments", "[ERROR] must be more than 0 [json-pointer:/limit]")
    page, cursor = page_of(users, arguments.get("cursor"), limit)
    return {
        "members": [_told(playground, user, arguments) for user in page],
        "cache_ts": int(playground.workspace.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """users.lookupByEmail."""
    asked = str(arguments["email"]).strip().lower()
    for user in playground.workspace.users.values():
        if user.email == asked and not (user.is_bot or user.external or user.deleted):
            return {"user": _told(playground, user, arguments)}
    raise ApiError("users_not_found")


def usergroup_members(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """usergroups.users.list: those who are still there."""
    workspace = playground.workspace
    members = workspace.usergroups.get(str(arguments["usergroup"]))
    if members is None:
        raise ApiError("no_such_subteam")
    return {"users": [user for user in members if not workspace.users[user].deleted]}


def conversations(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """users.conversations: of another person, only what is public or shared with the bot."""
    workspace = playground.workspace
    user = arguments.get("user", BOT_USER_ID)
    if user not in workspace.users:
        raise ApiError("invalid_arguments", "[ERROR] invalid `user`")
    visible = [c for c in workspace.channels_of(user) if c.kind == "public" or BOT_USER_ID in c.members]
    return channel_page(visible, arguments)


def person(workspace: Workspace, user: User, *, with_locale: bool = False) -> JSON:
    """Describe a person as Slack does; of people elsewhere an app learns less."""
    described: JSON = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "color": user.color,
        "real_name": user.real_name,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": _profile(user),
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 0,
    }
    if user.external:
        return described | {"is_stranger": not _shares_a_channel(workspace, user)}
    described |= {
        "is_admin": user.is_admin,
        "is_owner": user.is_admin,
        "is_primary_owner": user.is_admin,
        "is_restricted": user.guest is not None,
        "is_ultra_restricted": user.guest == "single",
    }
    return described | ({"locale": "en-US"} if with_locale else {})


def _profile(user: User) -> JSON:
    profile: JSON = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "status_text": "",
        "status_emoji": "",
        "avatar_hash": "",
        "team": user.team_id,
    }
    return profile | ({"bot_id": BOT_ID, "api_app_id": APP_ID} if user.is_bot else {})


def _shares_a_channel(workspace: Workspace, user: User) -> bool:
    return any(BOT_USER_ID in channel.members for channel in workspace.channels_of(user.id))
