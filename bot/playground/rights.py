"""The short-lived rights that come with an interaction: to open one modal, and to answer a few times."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.playground.errors import ApiError
from bot.playground.workspace import TEAM_ID, Channel

if TYPE_CHECKING:
    from bot.playground.playground import Playground

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5


@dataclass(kw_only=True)
class Trigger:
    """The right to open one modal for a person, for three seconds."""

    user: str
    created_at: float
    from_modal: bool
    used: bool = False


@dataclass(kw_only=True)
class ResponseUrl:
    """The right to answer an interaction a few times."""

    channel: str
    user: str
    message_ts: str
    """What `replace_original` replaces: the message with the button, or else the newest answer given here."""
    thread_ts: str | None
    created_at: float
    follows_answers: bool
    """Without a message of the app's to begin with, each new answer becomes the original of the next."""
    uses_left: int = RESPONSE_URL_USES


class Rights:
    """All triggers and addresses that were given; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._triggers: dict[str, Trigger] = {}
        self._addresses: dict[str, ResponseUrl] = {}

    def new_trigger(self, user: str, *, from_modal: bool) -> str:
        """Give the right to open a modal."""
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        now = self._playground.workspace.now()
        # Old ones are kept for a minute, so that a late use hears that it came too late.
        self._triggers = {key: trigger for key, trigger in self._triggers.items() if trigger.created_at > now - 60}
        self._triggers[trigger_id] = Trigger(user=user, created_at=now, from_modal=from_modal)
        return trigger_id

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger, which works once; raises ApiError."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        # A workspace that waits longer for its app's word waits as long for its modals.
        lasts = max(TRIGGER_SECONDS, self._playground.options.ack_seconds)
        if self._playground.workspace.now() - trigger.created_at > lasts:
            raise ApiError("expired_trigger_id")
        trigger.used = True
        return trigger

    def new_address(
        self, channel: Channel, user: str, *, message_ts: str = "", thread_ts: str | None = None
    ) -> tuple[str, ResponseUrl]:
        """Make an address that answers are posted to."""
        key = secrets.token_urlsafe(24)
        self._addresses[key] = ResponseUrl(
            channel=channel.id,
            user=user,
            message_ts=message_ts,
            thread_ts=thread_ts,
            follows_answers=not message_ts,
            created_at=self._playground.workspace.now(),
        )
        return f"{self._playground.url}actions/{TEAM_ID}/{key}", self._addresses[key]

    def take_address(self, key: str) -> ResponseUrl:
        """Use an address once; raises ApiError where it is unknown, used up or too old."""
        found = self._addresses.get(key)
        if found is None:
            raise ApiError("invalid_url", status=404)
        age = self._playground.workspace.now() - found.created_at
        if age > RESPONSE_URL_SECONDS / self._playground.socket.time_scale:
            raise ApiError("expired_url", status=404)
        if found.uses_left == 0:
            raise ApiError("used_url", status=404)
        found.uses_left -= 1
        return found
