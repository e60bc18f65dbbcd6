"""The conversations methods: what channels there are, who is in them, what was said."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.methods.places import page_of, visible_channel
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON, OTHER_TEAM_ID, TEAM_ID, Channel, Workspace

_KIND_OF_TYPE = {"public_channel": "public", "private_channel": "private", "mpim": "mpim", "im": "im"}
MOST_ITEMS = 999
MOST_REPLIES = 1000
MOST_PEOPLE_IN_A_DIRECT_MESSAGE = 8


def info(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.info."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    described = conversation(channel)
    if arguments.get("include_num_members"):
        described["num_members"] = len(channel.members)
    return {"channel": described}


def list_all(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.list: public channels, and the others that the bot is in."""
    workspace = playground.workspace
    visible = [c for c in workspace.channels.values() if c.kind == "public" or BOT_USER_ID in c.members]
    return channel_page(visible, arguments)


def members(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.members."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    page, cursor = page_of(channel.members, arguments.get("cursor"), _limit(arguments, 100, 1000, "invalid_limit"))
    return {"members": list(page), "response_metadata": {"next_cursor": cursor}}


def history(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.history: newest first, without replies."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    if BOT_USER_ID not in channel.members:
        raise ApiError("not_in_channel")
    found = [m for m in _between(channel, arguments) if _is_top_level(m)]
    limit = _limit(arguments, 100, MOST_ITEMS, "invalid_arguments")
    page, cursor = page_of(found[::-1], arguments.get("cursor"), limit)
    return _messages(page, cursor, arguments) | {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}


def replies(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.replies: the parent, then its replies, oldest first."""
    channel = visible_channel(playground.workspace, arguments["channel"])
    named = channel.messages.get(arguments["ts"])
    if BOT_USER_ID not in channel.members or named is None:
        raise ApiError("thread_not_found")
    root = str(named.get("thread_ts", named["ts"]))
    parent = [channel.messages[root]] if root in channel.messages else []
    found = [m for m in _between(channel, arguments) if m in channel.replies(root)]
    limit = _limit(arguments, MOST_REPLIES, MOST_REPLIES, "invalid_arguments")
    page, cursor = page_of([*parent, *found], arguments.get("cursor"), limit)
    return _messages(page, cursor, arguments)


def open_direct(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """conversations.open: the direct message with one person, or with a few."""
    workspace = playground.workspace
    if "channel" in arguments:
        channel = visible_channel(workspace, arguments["channel"])
        if channel.kind not in ("im", "mpim"):
            raise ApiError("method_not_supported_for_channel_type")
        existed = True
    else:
        people = _people(workspace, arguments.get("users", ""))
        existed = workspace.direct_channel(*people, BOT_USER_ID) is not None
        if not existed and arguments.get("prevent_creation"):
            raise ApiError("channel_not_found")
        channel = workspace.open_direct(*people, BOT_USER_ID)
    if not existed:
        playground.show_channel(channel)
    if not arguments.get("return_im"):
        return {"channel": {"id": channel.id}} | ({"no_op": True, "already_open": True} if existed else {})
    return {"no_op": existed, "already_open": existed, "channel": conversation(channel)}


def channel_page(channels: Sequence[Channel], arguments: Mapping[str, Any]) -> JSON:
    """Give one page of the channels of the wanted types."""
    wanted = [kind.strip() for kind in arguments.get("types", "public_channel").split(",")]
    if any(kind not in _KIND_OF_TYPE for kind in wanted):
        raise ApiError("invalid_types")
    kinds = {_KIND_OF_TYPE[kind] for kind in wanted}
    limit = _limit(arguments, 100, MOST_ITEMS, "invalid_limit")
    page, cursor = page_of([c for c in channels if c.kind in kinds], arguments.get("cursor"), limit)
    return {"channels": [conversation(c) for c in page], "response_metadata": {"next_cursor": cursor}}


def conversation(channel: Channel) -> JSON:
    """Describe a channel as Slack does."""
    described: JSON = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_channel": channel.kind == "public" or channel.kind == "private",
        "is_group": False,
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "public",
        "is_shared": channel.shared,
        "is_ext_shared": channel.shared,
        "is_org_shared": False,
        "is_pending_ext_shared": channel.share_pending,
        "context_team_id": TEAM_ID,
        "updated": channel.created * 1000,
    }
    if channel.kind == "im":
        others = [member for member in channel.members if member != BOT_USER_ID]
        return described | {"user": others[0], "is_open": True, "is_user_deleted": False, "priority": 0}
    text = {"creator": channel.creator, "last_set": channel.created}
    return described | {
        "name": channel.name,
        "name_normalized": channel.name,
        "is_general": channel.id == "C0GENERAL",
        "is_member": BOT_USER_ID in channel.members and not channel.archived,
        "creator": channel.creator,
        "unlinked": 0,
        "is_frozen": False,
        "shared_team_ids": [TEAM_ID, OTHER_TEAM_ID] if channel.shared else [TEAM_ID],
        "pending_shared": [OTHER_TEAM_ID] if channel.share_pending else [],
        "pending_connected_team_ids": [],
        "previous_names": [],
        "topic": {"value": channel.topic, **text},
        "purpose": {"value": "", **text},
    }


def _people(workspace: Workspace, users: str) -> list[str]:
    people = [user.strip() for user in users.split(",") if user.strip() and user.strip() != BOT_USER_ID]
    if not people:
        raise ApiError("users_list_not_supplied" if not users else "not_enough_users")
    if len(people) > MOST_PEOPLE_IN_A_DIRECT_MESSAGE:
        raise ApiError("too_many_users")
    if any(person not in workspace.users for person in people):
        raise ApiError("user_not_found")
    return people


def _between(channel: Channel, arguments: Mapping[str, Any]) -> list[JSON]:
    oldest, latest = arguments.get("oldest"), arguments.get("latest")
    low = _seconds(oldest, "invalid_ts_oldest") if oldest not in (None, "0") else 0.0
    high = _seconds(latest, "invalid_ts_latest") if latest not in (None, "now") else float("inf")
    if arguments.get("inclusive"):
        return [m for m in channel.messages.values() if low <= float(m["ts"]) <= high]
    return [m for m in channel.messages.values() if low < float(m["ts"]) < high]


def _seconds(value: Any, refusal: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise ApiError(refusal) from error


def _is_top_level(message: JSON) -> bool:
    return message.get("thread_ts", message["ts"]) == message["ts"] or message.get("subtype") == "thread_broadcast"


def _limit(arguments: Mapping[str, Any], default: int, most: int, refusal: str) -> int:
    limit: int = arguments.get("limit") or default
    if limit < 1 or limit > most:
        raise ApiError(refusal)
    return limit


def _messages(page: Sequence[JSON], cursor: str, arguments: Mapping[str, Any]) -> JSON:
    hidden = () if arguments.get("include_all_metadata") else ("metadata",)
    shown = [{key: value for key, value in message.items() if key not in hidden} for message in page]
    found: JSON = {"messages": copy.deepcopy(shown), "has_more": bool(cursor)}
    return found | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})
