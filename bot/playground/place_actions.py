"""What people do with channels and with each other: make, share, join, leave, add people."""

from __future__ import annotations

import re
from dataclasses import asdict

from bot.playground.errors import ApiError
from bot.playground.methods.people import person
from bot.playground.page_request import Body, channel_of, person_of
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON, ChannelKind, User, new_id

MOST_PEOPLE_IN_A_GROUP = 9
MOST_NAME_CHARACTERS = 80
EVERYBODYS_CHANNELS = frozenset({"C0GENERAL", "C0HELP"})
_COLORS = ("8d4ad9", "1f7a8c", "b5483a", "4f772d", "a0527d", "5b6b9a")
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
    channel = workspace.add_channel(
        id=new_id("C"), name=name, kind=kind, members=[user], creator=user, shared=bool(body.get("shared"))
    )
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
    if playground.workspace.users[invitee].external and not channel.shared:
        raise ApiError("channel_not_shared")
    playground.join(channel, invitee, user)
    return {}


async def share(playground: Playground, body: Body) -> JSON:
    """Share a channel with another organisation, invite one that has not answered (`pending`), or end that."""
    person_of(playground, body)
    channel = channel_of(playground, body)
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    shared = bool(body.get("shared", True))
    channel.share_pending = bool(body.get("pending")) and not channel.shared
    if channel.share_pending:
        playground.changed()
    elif shared != channel.shared:
        playground.share(channel, shared=shared)
    return {"channel": playground.channel_json(channel)}


async def archive(playground: Playground, body: Body) -> JSON:
    """Archive a channel: nobody is in it any more, as far as the app is told."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    if channel.archived:
        raise ApiError("already_archived")
    playground.post(channel, playground.new_message(user, "archived the channel", subtype="channel_archive"))
    channel.archived = True
    playground.changed()
    return {}


async def open_group(playground: Playground, body: Body) -> JSON:
    """Open a group message with a few people and the bot."""
    user, others = person_of(playground, body), body.get("with")
    workspace = playground.workspace
    if not isinstance(others, list) or not all(isinstance(one, str) and one in workspace.users for one in others):
        raise ApiError("user_not_found")
    people = list(dict.fromkeys([user, *others, BOT_USER_ID]))
    if not 3 <= len(people) <= MOST_PEOPLE_IN_A_GROUP:
        raise ApiError("not_enough_users" if len(people) < 3 else "too_many_users")
    channel = workspace.direct_channel(*people)
    if channel is None:
        channel = workspace.open_direct(*people)
        playground.show_channel(channel)
    return {"channel": playground.channel_json(channel)}


async def create_person(playground: Playground, body: Body) -> JSON:
    """Add somebody: a colleague, a guest, or a person of another organisation."""
    workspace = playground.workspace
    real_name = " ".join(str(body.get("name", "")).split())
    name = re.sub(r"\W+", "", real_name.partition(" ")[0].lower())
    if not name or len(real_name) > MOST_NAME_CHARACTERS:
        raise ApiError("invalid_name")
    while any(user.name == name for user in workspace.users.values()):
        name += "2"
    color = _COLORS[len(workspace.users) % len(_COLORS)]
    user = User(id=new_id("U"), name=name, real_name=real_name, color=color)
    _change_standing(user, body)
    workspace.users[user.id] = user
    if not user.external:
        workspace.open_direct(user.id, BOT_USER_ID)
    if not user.external and user.guest is None:
        for channel in workspace.channels.values():
            if channel.id in EVERYBODYS_CHANNELS:
                playground.join(channel, user.id, "")
    playground.show_user(user, "team_join", described=person(workspace, user))
    return {"user": asdict(user)}


async def change_person(playground: Playground, body: Body) -> JSON:
    """Make somebody a guest or an admin, or deactivate them."""
    user = playground.workspace.users.get(str(body.get("person")))
    if user is None or user.is_bot:
        raise ApiError("user_not_found")
    if "external" in body:
        raise ApiError("invalid_arguments", "nobody moves to another organisation")
    _change_standing(user, body)
    playground.show_user(user, "user_change", described=person(playground.workspace, user))
    return {"user": asdict(user)}


async def set_usergroup(playground: Playground, body: Body) -> JSON:
    """Make a user group of these people, or let a group have other members; it is `usergroup` then."""
    person_of(playground, body)
    workspace, members = playground.workspace, body.get("members")
    if not isinstance(members, list) or not all(isinstance(one, str) and one in workspace.users for one in members):
        raise ApiError("user_not_found")
    group = str(body.get("usergroup") or new_id("S"))
    if body.get("usergroup") and group not in workspace.usergroups:
        raise ApiError("no_such_subteam")
    workspace.usergroups[group] = list(dict.fromkeys(members))
    return {"usergroup": group}


async def change_channel_id(playground: Playground, body: Body) -> JSON:
    """Give a channel another id, as Slack does when it moves one between organisations."""
    person_of(playground, body)
    channel = channel_of(playground, body)
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    playground.pages.to_channel(
        channel, {"type": "channel", "channel": playground.channel_json(channel) | {"members": []}}
    )
    old_id, channel.id = channel.id, new_id("C")
    workspace = playground.workspace
    for key in [key for key in workspace.streams if key[0] == old_id]:
        playground.streams.close(channel, workspace.streams.pop(key))
    workspace.channels = {each.id: each for each in workspace.channels.values()}
    playground.show_channel(channel)
    for message in channel.messages.values():
        playground.show_message(channel, message)
    if BOT_USER_ID in channel.members:
        ids = {"old_channel_id": old_id, "new_channel_id": channel.id}
        playground.emit({"type": "channel_id_changed", **ids, "event_ts": workspace.next_ts()})
    return {"channel": playground.channel_json(channel)}


async def remove(playground: Playground, body: Body) -> JSON:
    """Take somebody, maybe the bot, out of a channel."""
    return await leave(playground, {**body, "who": body.get("member")})


def _change_standing(user: User, body: Body) -> None:
    guest = body.get("guest", user.guest) or None
    if guest not in (None, "multi", "single"):
        raise ApiError("invalid_arguments", "guest is multi or single")
    external = bool(body.get("external", user.external))
    is_admin = bool(body.get("admin", user.is_admin))
    if (guest is not None) + external + is_admin > 1:
        raise ApiError("invalid_arguments", "somebody is a guest, or from elsewhere, or an admin")
    user.guest, user.external, user.is_admin = guest, external, is_admin
    user.deleted = bool(body.get("deleted", user.deleted))


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
