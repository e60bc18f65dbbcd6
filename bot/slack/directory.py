"""What kind of place a channel is and whether somebody is a bot: asked once, remembered, careful where Slack is silent.

It stands before the acknowledgement of events, so it has a client of its own that does not wait long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import Delivery
from bot.turn import ChannelKind

logger = logging.getLogger(__name__)

_CALL_SECONDS = 2
# Who is a bot does not change; that the bot was invited to a channel must be noticed soon.
_KEPT_SECONDS = {"users.info": 3600.0, "conversations.info": 60.0}
_MOST_KEPT = 5_000
_MOST_CHANNELS = 999


class Directory:
    """The workspace's channels and people, as far as they matter here; thread-safe."""

    def __init__(
        self,
        client: WebClient,
        *,
        stopping: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        quick = WebClient(token=client.token, base_url=client.base_url, timeout=_CALL_SECONDS, retry_handlers=[])
        self._delivery = Delivery(quick, stopping=stopping)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def kind_of(self, channel: str) -> ChannelKind:
        """What kind of place a channel is; private where Slack does not say."""
        told = self._ask("conversations.info", "channel", channel)
        if told.get("is_im"):
            return "im"
        if told.get("is_mpim"):
            return "mpim"
        return "public" if told and told.get("is_private") is False else "private"

    def is_bot(self, user: str) -> bool:
        """Tell whether somebody is a bot, as far as Slack says so."""
        return bool(self._ask("users.info", "user", user).get("is_bot"))

    def name_of(self, user: str, *, at_once: bool = False) -> str:
        """What people call somebody; the id where Slack does not say, or was not asked yet and there is no time."""
        told = self._known.get(("users.info", user), (0.0, {}))[1] if at_once else self._ask("users.info", "user", user)
        profile = told.get("profile") or {}
        return str(profile.get("display_name") or told.get("real_name") or told.get("name") or user)

    def is_member(self, channel: str) -> bool:
        """Tell whether the bot is in a channel; no where Slack does not say."""
        told = self._ask("conversations.info", "channel", channel)
        return bool(told.get("is_member") or told.get("is_im") or told.get("is_mpim"))

    def shared_channels(self, user: str) -> tuple[tuple[str, str], ...]:
        """Id and name of the channels that somebody and the bot are both in, by name; none where Slack does not say."""
        try:
            own, theirs = self._channels(), self._channels(user=user)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the channels of %s are not known: %s", user, error)
            return ()
        both = {channel: name for channel, name in theirs.items() if channel in own}
        return tuple(sorted(both.items(), key=lambda one: one[1]))

    def _channels(self, **whose: str) -> dict[str, str]:
        # One page: somebody waits for a form, and a choice of more is none.
        reply = self._delivery.call(
            "users.conversations",
            wait_seconds=0.0,
            types="public_channel,private_channel",
            exclude_archived=True,
            limit=_MOST_CHANNELS,
            **whose,
        )
        return {str(one["id"]): str(one.get("name") or one["id"]) for one in reply.get("channels") or ()}

    def _ask(self, method: str, what: str, identifier: str) -> dict[str, Any]:
        now = self._monotonic()
        with self._lock:
            known = self._known.get((method, identifier))
        if known is not None and now - known[0] < _KEPT_SECONDS[method]:
            return known[1]
        try:
            reply = self._delivery.call(method, wait_seconds=0.0, **{what: identifier})
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("%s is not known: %s", identifier, error)
            return {}
        told = reply.get("user" if what == "user" else "channel") or {}
        with self._lock:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[method, identifier] = (now, told)
        return dict(told)
