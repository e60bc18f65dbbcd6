"""What people do with the app itself: stop it, rename its work."""

from __future__ import annotations

from bot.playground.errors import ApiError
from bot.playground.page_request import Body, channel_of, person_of
from bot.playground.playground import Playground
from bot.playground.workspace import JSON

MOST_TITLE_CHARACTERS = 200


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
