"""What people do on the page: each action is one POST with a JSON body, as the page protocol has it."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping

from bot.playground import app_actions, events, place_actions
from bot.playground.errors import ApiError
from bot.playground.methods.reactions import EMOJI_NAME
from bot.playground.page_request import (
    Body,
    attached_files,
    channel_of,
    message_of,
    object_in,
    own_message_of,
    person_of,
    typed_text,
)
from bot.playground.playground import Playground
from bot.playground.text import mentions, rich_text_of
from bot.playground.workspace import BOT_USER_ID, JSON, SLACKBOT_ID, Channel, Ephemeral, new_id


async def say(playground: Playground, body: Body) -> JSON:
    """Post what a person typed."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    files = attached_files(body)
    text = typed_text(playground, body, may_be_empty=bool(files))
    thread_ts = body.get("thread_ts")
    if not thread_ts and playground.viewing.has_container and playground.is_direct(channel):
        thread_ts = playground.viewing.thread_for(user, channel)
    ts_parts = playground.thread_parts(channel, thread_ts)
    block_id = new_id("")[:5]
    message = playground.new_message(
        user,
        text,
        client_msg_id=new_id("").lower() + new_id("").lower(),
        blocks=[rich_text_of(text, block_id)] if text else None,
        **ts_parts,
    )
    if files:
        kept = [playground.files.add(user=user, **file) for file in files]
        message |= {"subtype": "file_share", "files": copy.deepcopy(kept), "upload": False}
    playground.post(channel, message)
    if mentions(text, BOT_USER_ID) and BOT_USER_ID not in channel.members:
        _say_bot_is_absent(playground, channel, user, message)
    return {"ts": message["ts"]}


async def edit(playground: Playground, body: Body) -> JSON:
    """Replace the text of one's own message."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    message = own_message_of(channel, body, user)
    text = typed_text(playground, body)
    block_id = message.get("blocks", [{}])[0].get("block_id", "")
    changes: JSON = {"text": text, "blocks": [rich_text_of(text, block_id)]}
    if text != message["text"]:
        changes["edited"] = {"user": user, "ts": playground.workspace.next_ts()}
    playground.change(channel, message, changes)
    return {}


async def delete(playground: Playground, body: Body) -> JSON:
    """Delete one's own message."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    ephemeral = playground.workspace.ephemerals.get((channel.id, str(body.get("ts"))))
    if ephemeral is not None and ephemeral.user == user:
        playground.hide_ephemeral(ephemeral)
        return {}
    playground.delete(channel, own_message_of(channel, body, user))
    return {}


async def react(playground: Playground, body: Body) -> JSON:
    """Add or remove one's reaction."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    message = message_of(channel, body)
    name = str(body.get("name", "")).strip(":")
    if EMOJI_NAME.fullmatch(name) is None:
        raise ApiError("invalid_name")
    add = bool(body.get("add", True))
    if not playground.react(channel, message, user=user, name=name, add=add):
        raise ApiError("already_reacted" if add else "no_reaction")
    return {}


async def block_action(playground: Playground, body: Body) -> JSON:
    """Press a button, or choose something."""
    user = person_of(playground, body)
    answer = await playground.interactivity.block_action(
        user, object_in(body, "container"), object_in(body, "action"), _values(body)
    )
    if not answer.received:
        raise ApiError("operation_timed_out")
    return {}


async def block_suggestion(playground: Playground, body: Body) -> JSON:
    """Type into an external select."""
    user, typed = person_of(playground, body), str(body.get("value", ""))
    return await playground.interactivity.suggest(user, object_in(body, "container"), object_in(body, "action"), typed)


async def view_submit(playground: Playground, body: Body) -> JSON:
    """Submit a modal."""
    errors = await playground.interactivity.submit(
        person_of(playground, body), str(body.get("view_id")), object_in(body, "values")
    )
    return {"errors": errors} if errors else {}


async def view_close(playground: Playground, body: Body) -> JSON:
    """Close a modal."""
    await playground.interactivity.close(person_of(playground, body), str(body.get("view_id")))
    return {}


async def open_home(playground: Playground, body: Body) -> JSON:
    """Look at the bot's home or messages tab."""
    user = person_of(playground, body)
    tab = body.get("tab", "home")
    if tab not in ("home", "messages"):
        raise ApiError("invalid_arguments", "tab is home or messages")
    workspace = playground.workspace
    known = workspace.direct_channel(user, BOT_USER_ID)
    channel = known or workspace.open_direct(user, BOT_USER_ID)
    if known is None:
        playground.show_channel(channel)
    if tab == "messages" and playground.viewing.has_container:
        return {"thread_ts": playground.viewing.open_container(user, channel)}
    playground.emit(
        events.app_home_opened(
            user=user, channel=channel, tab=tab, view=workspace.homes.get(user), event_ts=workspace.next_ts()
        )
    )
    return {}


async def clear_traffic(playground: Playground, body: Body) -> JSON:
    """Empty the ledger."""
    del body
    playground.ledger.clear()
    return {}


async def faults(playground: Playground, body: Body) -> JSON:
    """Set switches for what goes wrong; `clear`, `give_up` and `disconnect` act at once."""
    settings = dict(body)
    if settings.pop("clear", False):
        playground.faults.clear()
    if settings.pop("give_up", False):
        playground.delivery.give_up()
    reason = settings.pop("disconnect", None)
    playground.faults.change(settings)
    answer: JSON = {"faults": playground.faults.settings.model_dump()}
    return answer if reason is None else answer | {"disconnected": await playground.socket.disconnect(str(reason))}


async def features(playground: Playground, body: Body) -> JSON:
    """Switch what the workspace offers: single features, or the whole `surface`."""
    settings = {key: value for key, value in body.items() if key not in ("surface", "user")}
    surface = body.get("surface")
    if surface not in (None, "agent", "assistant"):
        raise ApiError("invalid_arguments", "surface is agent or assistant")
    return playground.change_features(settings, surface)


async def uninstall(playground: Playground, body: Body) -> JSON:
    """Uninstall the app."""
    del body
    playground.installation.end()
    return {}


# What reaches nobody where the app has no interactivity, and what where it is not installed.
NEEDS_INTERACTIVITY = frozenset({block_action, block_suggestion, view_submit, app_actions.shortcut})
NEEDS_THE_APP = NEEDS_INTERACTIVITY | {app_actions.slash, app_actions.stop_session}
ACTIONS: Mapping[str, Callable[[Playground, Body], Awaitable[JSON]]] = {
    "say": say,
    "edit": edit,
    "delete": delete,
    "react": react,
    "block_action": block_action,
    "block_suggestion": block_suggestion,
    "view_submit": view_submit,
    "view_close": view_close,
    "open_home": open_home,
    "create_channel": place_actions.create_channel,
    "invite": place_actions.invite,
    "leave": place_actions.leave,
    "remove": place_actions.remove,
    "change_channel_id": place_actions.change_channel_id,
    "share": place_actions.share,
    "archive": place_actions.archive,
    "open_group": place_actions.open_group,
    "create_person": place_actions.create_person,
    "set_usergroup": place_actions.set_usergroup,
    "change_person": place_actions.change_person,
    "context": app_actions.context,
    "slash": app_actions.slash,
    "shortcut": app_actions.shortcut,
    "stop_session": app_actions.stop_session,
    "rename_session": app_actions.rename_session,
    "clear_traffic": clear_traffic,
    "faults": faults,
    "features": features,
    "uninstall": uninstall,
}


def _values(body: Body) -> JSON:
    state = body.get("state")
    values = state.get("values") if isinstance(state, dict) else None
    return values if isinstance(values, dict) else {}


def _say_bot_is_absent(playground: Playground, channel: Channel, user: str, message: JSON) -> None:
    text = f"You mentioned <@{BOT_USER_ID}>, but they're not in this channel. Invite them, and ask again."
    thread = playground.thread_parts(channel, message.get("thread_ts"))
    notice = playground.new_message(SLACKBOT_ID, text, **thread)
    playground.show_ephemeral(Ephemeral(user=user, channel=channel.id, message=notice))
