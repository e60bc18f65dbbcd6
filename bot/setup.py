"""The parts of `lorekeeper setup` that ask Slack and wait: does a message arrive, is a question answered.

Knows nothing of terminals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from slack_sdk.socket_mode.request import SocketModeRequest

from bot import tables
from bot.errors import SlackRefusedError, SlackSetupError, SlackSilentError
from bot.settings import Settings
from bot.slack.gateway import connect_client
from bot.slack.socket_mode import SocketMode
from knowledge.database import reading

_LOOK_AGAIN_SECONDS = 0.3


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What came over a line while somebody was asked to write."""

    message: bool
    """A direct message to the bot arrived."""
    events: tuple[str, ...]
    """Everything that arrived, by name, each once."""


def listen_for_message(settings: Settings, seconds: float, ready: Callable[[], None]) -> Heard:
    """Listen until a direct message arrives; `ready` hears when it can be written. Raises SlackSetupError."""
    arrived = threading.Event()
    events: list[str] = []

    def note(request: SocketModeRequest) -> dict[str, Any] | None:
        event = request.payload.get("event") if isinstance(request.payload, dict) else None
        if isinstance(event, dict):
            name = _name(event)
            if name not in events:
                events.append(name)
            if name == "message.im" and event.get("user") and not event.get("bot_id"):
                arrived.set()
        return None

    lines = SocketMode(
        connect_client(settings.slack_bot_token, settings.slack_api_url),
        settings.slack_app_token.reveal(),
        note,
        lines=1,
    )
    try:
        lines.check()
        lines.start()
        _wait(lambda: lines.connected, min(seconds, 20.0))
        if not lines.connected:
            raise SlackSetupError(
                "Slack gives an address, but no line to it opens. Let this machine open wss:// connections, past "
                "firewall and proxy."
            )
        ready()
        arrived.wait(seconds)
    except (SlackRefusedError, SlackSilentError) as error:
        raise SlackSetupError(f"{error} `lorekeeper doctor` says more.") from error
    finally:
        lines.stop()
    return Heard(message=arrived.is_set(), events=tuple(events))


def messages_arrived(engine: sa.Engine, team: str) -> bool:
    """Tell whether a question of this workspace ever came in."""
    inbox = tables.inbox
    query = sa.select(inbox.c.id).where(inbox.c.team == team, inbox.c.kind == "question").limit(1)
    with reading(engine) as connection:
        return connection.scalar(query) is not None


def first_answer(engine: sa.Engine, team: str) -> str | None:
    """The newest answer that was sent in this workspace; None where there is none."""
    answer = tables.answer
    sent = (answer.c.team == team, answer.c.state == "final_sent")
    query = sa.select(answer.c.text).where(*sent).order_by(answer.c.id.desc()).limit(1)
    with reading(engine) as connection:
        found: str | None = connection.scalar(query)
    return found


def wait_for_answer(engine: sa.Engine, team: str, seconds: float) -> str | None:
    """Wait for the first answer in this workspace; None where there is none in time."""
    _wait(lambda: first_answer(engine, team) is not None, seconds)
    return first_answer(engine, team)


def _wait(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(min(_LOOK_AGAIN_SECONDS, max(0.0, deadline - time.monotonic())))


def _name(event: dict[str, Any]) -> str:
    kind = str(event.get("type") or "")
    place = {"im": "im", "channel": "channels", "group": "groups", "mpim": "mpim"}.get(str(event.get("channel_type")))
    return f"message.{place}" if kind == "message" and place else kind
