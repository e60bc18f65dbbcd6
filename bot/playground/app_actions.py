"""What people do with the app itself: slash commands, shortcuts, Stop."""

from __future__ import annotations

from bot.playground.errors import ApiError
from bot.playground.page_request import Body, channel_of, message_of, person_of
from bot.playground.playground import Playground
from bot.playground.response_url import apply_answer
from bot.playground.text import from_typed
from bot.playground.workspace import JSON

MOST_TITLE_CHARACTERS = 200


async def slash(playground: Playground, body: Body) -> JSON:
    """Use a slash command, which Slack does not let people do in threads."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    if body.get("thread_ts"):
        raise ApiError("command_not_in_threads")
    name, text = str(body.get("command")), str(body.get("text") or "").strip()
    command = playground.app.find_command(name)
    if command is None or not name.startswith("/"):
        raise ApiError("unknown_command")
    if command["should_escape"]:
        text = from_typed(text, list(playground.workspace.users.values()))
    target, answer = await playground.interactivity.slash(user, channel, name, text)
    if answer and (answer.get("text") or answer.get("blocks")):
        apply_answer(playground, target, answer)
    return {}


async def shortcut(playground: Playground, body: Body) -> JSON:
    """Use a shortcut: of a message where one is named, else a global one."""
    user, callback_id = person_of(playground, body), str(body.get("callback_id"))
    place = None
    if body.get("channel") and body.get("ts"):
        channel = channel_of(playground, body)
        place = (channel, message_of(channel, body))
    if not playground.app.has_shortcut(callback_id, "message" if place else "global"):
        raise ApiError("unknown_shortcut")
    await playground.interactivity.shortcut(user, callback_id, place)
    return {}


async def context(playground: Playground, body: Body) -> JSON:
    """Look at a channel, or at none."""
    user = person_of(playground, body)
    playground.viewing.look_at(user, channel_of(playground, body) if body.get("channel") else None)
    return {}


async def stop_session(playground: Playground, body: Body) -> JSON:
    """Press Stop on what the agent does in a thread."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    playground.sessions.stop(channel, str(body.get("thread_ts")), user)
    return {}


async def rename_session(playground: Playground, body: Body) -> JSON:
    """Give a session another title."""
    user, channel = person_of(playground, body), channel_of(playground, body)
    title = str(body.get("title", "")).strip()
    if not 0 < len(title) <= MOST_TITLE_CHARACTERS:
        raise ApiError("invalid_name")
    playground.sessions.rename(channel, str(body.get("thread_ts")), title, user=user)
    return {}
