"""What people do with channels and with each other: make, join, leave."""

from __future__ import annotations

import re

from bot.playground.errors import ApiError
from bot.playground.page_request import Body, channel_of, person_of
from bot.playground.playground import Playground
from bot.playground.workspace import JSON, ChannelKind, new_id

_CHANNEL_NAME = re.compile(r"[\w-]{1,80}")


async def create_channel(playground: Playground, body: Body) -> JSON:
    """Make a channel with oneself in it; the bot has to be invited, as in Slack."""
    user = person_of(playground, body)
    name = str(body.get("name", "")).lower()
    workspace = playground.workspace
    if _CHANNEL_NAME.fullmatch(name) is None:
        raise ApiError("invalid_name")
    if workspace.find_channel(f"#{name}") is not None:
        raise ApiError("name_taken")
    kind: ChannelKind = "private" if body.get("private") else "public"
    channel = workspace.add_channel(id=new_id("C"), name=name, kind=kind, members=[user], creator=user)
    playground.show_channel(channel)
    return {"channel": playground.channel_json(channel)}


async def invite(playground: Playground, body: Body) -> JSON:
    """Add somebody, maybe the bot, to a channel one is in."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    invitee = str(body.get("invitee"))
    if invitee not in playground.workspace.users:
        raise ApiError("user_not_found")
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    if invitee in channel.members:
        raise ApiError("already_in_channel")
    playground.join(channel, invitee, user)
    return {}


async def leave(playground: Playground, body: Body) -> JSON:
    """Leave a channel, or take somebody (`who`) out of it."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    who = str(body.get("who", user))
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    if who not in channel.members:
        raise ApiError("not_in_channel")
    playground.leave(channel, who)
    return {}
