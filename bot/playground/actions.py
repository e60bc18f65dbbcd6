"""What people do on the page: each action is one POST with a JSON body, as the page protocol has it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.playground import events
from bot.playground.errors import ApiError
from bot.playground.methods.reactions import EMOJI_NAME
from bot.playground.playground import Playground
from bot.playground.text import from_typed, mentions, rich_text_of
from bot.playground.workspace import BOT_USER_ID, JSON, SLACKBOT_ID, Channel, ChannelKind, Ephemeral, new_id

Body = Mapping[str, Any]
MOST_TYPED_CHARACTERS = 100_000
_CHANNEL_NAME = re.compile(r"[\w-]{1,80}")


async def say(playground: Playground, body: Body) -> JSON:
    """Post what a person typed."""
    user, channel = _person(playground, body), _channel(playground, body)
    text = _typed(playground, body)
    ts_parts = playground.thread_parts(channel, body.get("thread_ts"))
    block_id = new_id("")[:5]
    message = playground.new_message(
        user,
        text,
        client_msg_id=new_id("").lower() + new_id("").lower(),
        blocks=[rich_text_of(text, block_id)],
        **ts_parts,
    )
    playground.post(channel, message)
    if mentions(text, BOT_USER_ID) and BOT_USER_ID not in channel.members:
        _say_bot_is_absent(playground, channel, user, message)
    return {"ts": message["ts"]}


async def edit(playground: Playground, body: Body) -> JSON:
    """Replace the text of one's own message."""
    user, channel = _person(playground, body), _channel(playground, body)
    message = _own(channel, body, user)
    text = _typed(playground, body)
    block_id = message.get("blocks", [{}])[0].get("block_id", "")
    changes: JSON = {"text": text, "blocks": [rich_text_of(text, block_id)]}
    if text != message["text"]:
        changes["edited"] = {"user": user, "ts": playground.workspace.next_ts()}
    playground.change(channel, message, changes)
    return {}


async def delete(playground: Playground, body: Body) -> JSON:
    """Delete one's own message."""
    user, channel = _person(playground, body), _channel(playground, body)
    ephemeral = playground.workspace.ephemerals.get((channel.id, str(body.get("ts"))))
    if ephemeral is not None and ephemeral.user == user:
        playground.hide_ephemeral(ephemeral)
        return {}
    playground.delete(channel, _own(channel, body, user))
    return {}


async def react(playground: Playground, body: Body) -> JSON:
    """Add or remove one's reaction."""
    user, channel = _person(playground, body), _channel(playground, body)
    message = _message(channel, body)
    name = str(body.get("name", "")).strip(":")
    if EMOJI_NAME.fullmatch(name) is None:
        raise ApiError("invalid_name")
    add = bool(body.get("add", True))
    if not playground.react(channel, message, user=user, name=name, add=add):
        raise ApiError("already_reacted" if add else "no_reaction")
    return {}


async def block_action(playground: Playground, body: Body) -> JSON:
    """Press a button, or choose something."""
    user = _person(playground, body)
    answer = await playground.interactivity.block_action(
        user, _object(body, "container"), _object(body, "action"), body.get("state")
    )
    if not answer.received:
        raise ApiError("operation_timed_out")
    return {}


async def view_submit(playground: Playground, body: Body) -> JSON:
    """Submit a modal."""
    errors = await playground.interactivity.submit(
        _person(playground, body), str(body.get("view_id")), _object(body, "values")
    )
    return {"errors": errors} if errors else {}


async def view_close(playground: Playground, body: Body) -> JSON:
    """Close a modal."""
    await playground.interactivity.close(_person(playground, body), str(body.get("view_id")))
    return {}


async def open_home(playground: Playground, body: Body) -> JSON:
    """Look at the bot's home or messages tab."""
    user = _person(playground, body)
    tab = body.get("tab", "home")
    if tab not in ("home", "messages"):
        raise ApiError("invalid_arguments", "tab is home or messages")
    workspace = playground.workspace
    channel = workspace.open_direct(user, BOT_USER_ID)
    playground.emit(
        events.app_home_opened(
            user=user, channel=channel, tab=tab, view=workspace.homes.get(user), event_ts=workspace.next_ts()
        )
    )
    return {}


async def create_channel(playground: Playground, body: Body) -> JSON:
    """Make a channel with oneself in it; the bot has to be invited, as in Slack."""
    user = _person(playground, body)
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
    user, channel = _person(playground, body), _channel(playground, body)
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
    user, channel = _person(playground, body), _channel(playground, body)
    who = str(body.get("who", user))
    if channel.kind in ("im", "mpim"):
        raise ApiError("method_not_supported_for_channel_type")
    if who not in channel.members:
        raise ApiError("not_in_channel")
    playground.leave(channel, who)
    return {}


async def clear_traffic(playground: Playground, body: Body) -> JSON:
    """Empty the ledger."""
    del body
    playground.ledger.clear()
    return {}


async def faults(playground: Playground, body: Body) -> JSON:
    """Set switches for what goes wrong; `clear` and `disconnect` act at once."""
    settings = dict(body)
    if settings.pop("clear", False):
        playground.faults.clear()
    reason = settings.pop("disconnect", None)
    playground.faults.change(settings)
    answer: JSON = {"faults": playground.faults.settings.model_dump()}
    return answer if reason is None else answer | {"disconnected": await playground.socket.disconnect(str(reason))}


ACTIONS: Mapping[str, Callable[[Playground, Body], Awaitable[JSON]]] = {
    "say": say,
    "edit": edit,
    "delete": delete,
    "react": react,
    "block_action": block_action,
    "view_submit": view_submit,
    "view_close": view_close,
    "open_home": open_home,
    "create_channel": create_channel,
    "invite": invite,
    "leave": leave,
    "clear_traffic": clear_traffic,
    "faults": faults,
}


def _person(playground: Playground, body: Body) -> str:
    user = str(body.get("user"))
    found = playground.workspace.users.get(user)
    if found is None or found.is_bot:
        raise ApiError("user_not_found")
    return user


def _channel(playground: Playground, body: Body) -> Channel:
    channel = playground.workspace.channels.get(str(body.get("channel")))
    if channel is None:
        raise ApiError("channel_not_found")
    if body.get("user") not in channel.members:
        raise ApiError("not_in_channel")
    return channel


def _message(channel: Channel, body: Body) -> JSON:
    message = channel.messages.get(str(body.get("ts")))
    if message is None:
        raise ApiError("message_not_found")
    return message


def _own(channel: Channel, body: Body, user: str) -> JSON:
    message = _message(channel, body)
    if message["user"] != user:
        raise ApiError("not_your_message")
    return message


def _typed(playground: Playground, body: Body) -> str:
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ApiError("no_text")
    if len(text) > MOST_TYPED_CHARACTERS:
        raise ApiError("msg_too_long")
    return from_typed(text.strip(), list(playground.workspace.users.values()))


def _object(body: Body, key: str) -> JSON:
    value = body.get(key)
    if not isinstance(value, dict):
        raise ApiError("invalid_arguments", f"{key} must be an object")
    return value


def _say_bot_is_absent(playground: Playground, channel: Channel, user: str, message: JSON) -> None:
    text = f"You mentioned <@{BOT_USER_ID}>, but they're not in this channel. Invite them, and ask again."
    thread = playground.thread_parts(channel, message.get("thread_ts"))
    notice = playground.new_message(SLACKBOT_ID, text, **thread)
    playground.show_ephemeral(Ephemeral(user=user, channel=channel.id, message=notice))
