"""Who is where in a workspace, asked once from the command line: members, names, and what one person may read.

Where Slack does not answer, less is told, with a note that says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa
from slack_sdk import WebClient

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import Delivery
from bot.slack.membership import Memberships
from knowledge.audience import Audience
from knowledge.readers import usergroups_named

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 10.0
_PAGE = 200
# Each name is a call of its own.
_MOST_NAMED = 100


class Whereabouts:
    """Asks Slack with the bot's token; for one command, from one thread."""

    def __init__(self, client: WebClient) -> None:
        self._delivery = Delivery(client, stopping=threading.Event())

    @cached_property
    def team(self) -> str:
        """The workspace; empty where Slack does not say."""
        return str(self._ask("auth.test").get("team_id") or "")

    def members_of(self, kind: str, who: str) -> tuple[str, ...]:
        """Who belongs to a channel or a user group, by name; empty where that is not known."""
        match kind:
            case "channel":
                members = [user for page in self._pages("conversations.members", channel=who) for user in page]
            case "usergroup":
                members = list(self._ask("usergroups.users.list", usergroup=who).get("users") or ())
            case "person":
                members = [who]
            case _:
                return ()
        return tuple(self._name(user) if place < _MOST_NAMED else user for place, user in enumerate(members))

    def audience_of(
        self, engine: sa.Engine, key: str, groups: Callable[[frozenset[str]], frozenset[str]]
    ) -> tuple[Audience, list[str]]:
        """What a person may read who is named by id or e-mail address, and what is not known of them."""
        notes: list[str] = []
        user = str(self._ask("users.lookupByEmail", email=key).get("user", {}).get("id") or "") if "@" in key else key
        if not user:
            return Audience.everyone(), [f"Slack knows nobody with the address {key}: what everyone may read."]
        memberships = Memberships(self._delivery, groups=groups, usergroups=partial(usergroups_named, engine))
        person = memberships.profiles.person(user)
        if person is None:
            notes.append(f"Slack does not say who {user} is: what an e-mail address opens is missing here.")
        elif person.guest:
            notes.append(f"{user} is a guest: the bot answers guests only where an admin opened a channel to them.")
        return memberships.audience_of_person(user), notes

    def _name(self, user: str) -> str:
        told = self._ask("users.info", user=user).get("user") or {}
        name = str(told.get("real_name") or told.get("name") or "")
        return f"{name} ({user})" if name else user

    def _pages(self, method: str, **arguments: Any) -> Iterator[list[str]]:
        cursor = ""
        while True:
            reply = self._ask(method, limit=_PAGE, **arguments, **({"cursor": cursor} if cursor else {}))
            yield [str(user) for user in reply.get("members") or ()]
            cursor = str((reply.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    def _ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._delivery.repeat(method, patience_seconds=_PATIENCE_SECONDS, **arguments)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("%s: %s", method, error)
            return {}
