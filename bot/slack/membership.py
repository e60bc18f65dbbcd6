"""Who will read an answer: from the place of the question to the audience that retrieval must keep to.

A channel's answer is read by the channel; a direct message by one person, who may read what their channels
may. Failing means less: where Slack does not say which channels a person is in, there are none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import Delivery
from bot.slack.profiles import Profiles
from bot.turn import Incoming
from knowledge.audience import Audience, usergroup_audience

logger = logging.getLogger(__name__)

EVENTS = frozenset(
    {
        "member_joined_channel",
        "member_left_channel",
        "user_change",
        "channel_shared",
        "channel_unshared",
    }
)
"""Events that end what is remembered of a person or a channel; `Memberships.heed` takes them."""
KEPT_SECONDS = 60.0
_PATIENCE_SECONDS = 8.0
_PAGE = 200


class Memberships:
    """The channels of people, remembered for a minute; thread-safe."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        groups: Callable[[frozenset[str]], frozenset[str]] = lambda _identities: frozenset(),
        usergroups: Callable[[], frozenset[str]] = lambda: frozenset(),
        kept_seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`groups` tells the group audiences that somebody belongs to, by Slack id and e-mail address; `usergroups`
        the ids of the user groups that documents are for."""
        self._delivery = delivery
        self._groups = groups
        self._usergroups = usergroups
        self._kept_seconds = kept_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._members: dict[str, tuple[float, frozenset[str]]] = {}
        self.profiles = Profiles(delivery, kept_seconds=kept_seconds, monotonic=monotonic)
        """Who people are and who reads along in channels: forgotten by the same events."""

    def audience_of(self, incoming: Incoming) -> Audience:
        """Name everybody who can read the answer to this message."""
        if incoming.channel_kind != "im":
            return Audience.of_channel(incoming.channel)
        return self.audience_of_person(incoming.user)

    def audience_of_person(self, user: str) -> Audience:
        """All that one person may read, who reads alone."""
        groups = self.groups_of(user) | self.usergroups_of(user)
        return Audience.of_person(user, self.channels_of(user), groups)

    def audience_now(self, incoming: Incoming) -> Audience:
        """The same, and nothing remembered counts: asked right before an answer is shown."""
        self.look_again(incoming)
        return self.audience_of(incoming)

    def look_again(self, incoming: Incoming) -> None:
        """Let nothing that is remembered count for this message any more."""
        self.forget(incoming.user)
        with self._lock:
            self._members.clear()
        self.profiles.forget(incoming.user)
        self.profiles.forget(incoming.channel)

    def usergroups_of(self, user: str) -> frozenset[str]:
        """The user groups with documents that this person belongs to, as document audiences."""
        used = sorted(self._usergroups())
        return frozenset(usergroup_audience(one) for one in used if user in self._members_of(one))

    def count_members(self, usergroup: str) -> int:
        """How many people are in a user group; 0 where Slack does not tell."""
        return len(self._members_of(usergroup))

    def groups_of(self, user: str) -> frozenset[str]:
        """The group audiences that this person belongs to; asked anew each time, as permissions may have changed."""
        person = self.profiles.person(user)
        mail = {person.email} if person is not None and person.email else set()
        return self._groups(frozenset({user} | mail))

    def knows(self, user: str) -> bool:
        """Tell whether Slack said lately which channels this person is in."""
        with self._lock:
            known = self._known.get(user)
        return known is not None and self._monotonic() - known[0] < self._kept_seconds

    def channels_of(self, user: str) -> frozenset[str]:
        """Ids of the channels this person is in, as far as the bot can see."""
        return self._remembered(self._known, user, lambda: self._ask(user))

    def _members_of(self, usergroup: str) -> frozenset[str]:
        return self._remembered(self._members, usergroup, lambda: self._ask_members(usergroup))

    def _remembered(
        self,
        kept: dict[str, tuple[float, frozenset[str]]],
        identifier: str,
        ask: Callable[[], frozenset[str]],
    ) -> frozenset[str]:
        now = self._monotonic()
        with self._lock:
            known = kept.get(identifier)
        if known is not None and now - known[0] < self._kept_seconds:
            return known[1]
        try:
            found = ask()
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("who belongs where is not known of %s, so nothing counts: %s", identifier, error)
            return frozenset()
        with self._lock:
            kept[identifier] = (now, found)
        return found

    def forget(self, user: str) -> None:
        """Ask again next time: this person joined or left a channel."""
        with self._lock:
            self._known.pop(user, None)

    def heed(self, event: Mapping[str, Any]) -> None:
        """Take one of EVENTS: what it changes is asked anew next time."""
        user = event.get("user")
        user = user.get("id") if isinstance(user, Mapping) else user
        if event.get("type") in ("channel_shared", "channel_unshared"):
            self.profiles.forget(str(event.get("channel")))
            return
        self.forget(str(user))
        self.profiles.forget(str(user))

    def _ask(self, user: str) -> frozenset[str]:
        found: set[str] = set()
        page: dict[str, Any] = {"limit": _PAGE}
        while True:
            reply = self._delivery.repeat(
                "users.conversations",
                patience_seconds=_PATIENCE_SECONDS,
                user=user,
                types="public_channel,private_channel,mpim",
                **page,
            )
            found.update(str(channel["id"]) for channel in reply.get("channels") or [])
            cursor = (reply.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return frozenset(found)
            page["cursor"] = cursor

    def _ask_members(self, usergroup: str) -> frozenset[str]:
        reply = self._delivery.repeat(
            "usergroups.users.list", patience_seconds=_PATIENCE_SECONDS, usergroup=usergroup, include_disabled=False
        )
        return frozenset(str(user) for user in reply.get("users") or [])
