"""Who a person is and who reads along in a channel, as Slack says, remembered for a minute.

It says what is known and what is not; what follows from that is the gate's business. Thread-safe.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import Delivery

logger = logging.getLogger(__name__)

KEPT_SECONDS = 60.0
_PATIENCE_SECONDS = 5.0
_MOST_KEPT = 5_000
Known = TypeVar("Known")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One person, as far as Slack describes them."""

    teams: frozenset[str] = frozenset()
    """Workspaces and organisations that they belong to."""
    stranger: bool = False
    guest: bool | None = None
    """None where Slack does not say."""
    admin: bool = False
    """An admin or owner of the workspace."""
    deactivated: bool = False
    email: str = ""
    """Confirmed, in lower case; empty where Slack does not say."""

    def is_of(self, team: str) -> bool:
        """Tell whether this person belongs to the workspace itself."""
        return not self.stranger and team in self.teams


@dataclass(frozen=True, kw_only=True)
class PlaceProfile:
    """One channel or conversation, as far as Slack describes it."""

    shared: bool | None = None
    """Another organisation reads along, or was invited to; None where Slack does not say."""
    public: bool = False


class Profiles:
    """The people and places of one workspace."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        kept_seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delivery = delivery
        self._kept_seconds = kept_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._people: dict[str, tuple[float, Profile]] = {}
        self._places: dict[str, tuple[float, PlaceProfile]] = {}

    def person(self, user: str) -> Profile | None:
        """Describe a person; None where Slack does not."""
        return self._find(self._people, user, lambda: read_profile(self._ask("users.info", "user", user)))

    def place(self, channel: str) -> PlaceProfile | None:
        """Describe a channel; None where Slack does not."""
        return self._find(
            self._places, channel, lambda: read_place(self._ask("conversations.info", "channel", channel))
        )

    def forget(self, identifier: str) -> None:
        """Ask again next time: this person or channel changed."""
        with self._lock:
            self._people.pop(identifier, None)
            self._places.pop(identifier, None)

    def _find(self, known: dict[str, tuple[float, Known]], identifier: str, ask: Callable[[], Known]) -> Known | None:
        now = self._monotonic()
        with self._lock:
            kept = known.get(identifier)
        if kept is not None and now - kept[0] < self._kept_seconds:
            return kept[1]
        try:
            found = ask()
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("nothing is known of %s: %s", identifier, error)
            return None
        with self._lock:
            if len(known) >= _MOST_KEPT:
                known.clear()
            known[identifier] = (now, found)
        return found

    def _ask(self, method: str, what: str, identifier: str) -> Mapping[str, Any]:
        reply = self._delivery.repeat(method, patience_seconds=_PATIENCE_SECONDS, **{what: identifier})
        told = reply.get(what)
        return told if isinstance(told, Mapping) else {}


def is_open(profiles: Profiles, channel: str) -> bool:
    """Tell whether everybody in the workspace may read a channel, and nobody else; no where Slack does not say."""
    place = profiles.place(channel) if channel.startswith("C") else None
    return place is not None and place.public and place.shared is False


def read_profile(told: Mapping[str, Any]) -> Profile:
    """Read the `user` of `users.info`."""
    organisation = told.get("enterprise_user")
    organisation = organisation if isinstance(organisation, Mapping) else {}
    named = [told.get("team_id"), organisation.get("enterprise_id"), *(organisation.get("teams") or [])]
    limits = [told.get("is_restricted"), told.get("is_ultra_restricted")]
    profile = told.get("profile")
    profile = profile if isinstance(profile, Mapping) else {}
    confirmed = told.get("is_email_confirmed") is True
    powers = [told.get("is_admin"), told.get("is_owner"), told.get("is_primary_owner")]
    return Profile(
        teams=frozenset(str(team) for team in named if team),
        stranger=bool(told.get("is_stranger")),
        guest=True if True in limits else None if None in limits else False,
        admin=True in powers and not told.get("deleted"),
        deactivated=bool(told.get("deleted")),
        email=str(profile.get("email") or "").strip().lower() if confirmed else "",
    )


def read_place(told: Mapping[str, Any]) -> PlaceProfile:
    """Read the `channel` of `conversations.info`."""
    outside = [told.get("is_ext_shared"), told.get("is_pending_ext_shared")]
    shared = True if True in outside or told.get("pending_shared") else None
    if shared is None and False in (told.get("is_ext_shared"), told.get("is_shared")):
        shared = False
    is_channel = bool(told.get("is_channel")) and not told.get("is_im") and not told.get("is_mpim")
    return PlaceProfile(shared=shared, public=is_channel and told.get("is_private") is False)
