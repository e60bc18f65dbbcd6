"""Answers admins who can see a document, and what a person can see: within what they may read themselves.

Who is an admin is asked at every look; where Slack does not say, they are none. Of what an admin may not read there are
counts at most: being an admin of the bot opens no document to anybody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack, App

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.admins import AUDIT, admins_of
from bot.slack.features import TeamParts, Works
from bot.slack.gate import reach_of
from bot.slack.home_admin import DOCUMENT_ACTION, READER_ACTION
from bot.slack.readers_view import MOST_TITLES, document_view, message_view, person_view
from bot.slack.render import Block
from bot.visible import find_readers, list_visible

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HomeReaders:
    """Takes the two fields of the part "who sees what"; may be called from several threads."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Connect the fields."""
        app.action(DOCUMENT_ACTION)(self._on_document)
        app.action(READER_ACTION)(self._on_person)

    def works(self) -> Works:
        """Nothing of it waits."""
        return {}

    # Bolt reads the names of a listener's parameters.

    def _on_document(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        if asked := " ".join(str(body["actions"][0].get("value") or "").split()):
            self._show(body, lambda admin: self.of_document(admin, asked))

    def _on_person(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        if person := str(body["actions"][0].get("selected_user") or ""):
            self._show(body, lambda admin: self.of_person(admin, person))

    def _show(self, body: Mapping[str, Any], view: Callable[[str], Block]) -> None:
        """Open the page at once, while the trigger lasts; what needs calls to Slack comes into it afterwards."""
        user = str(body["user"]["id"])
        try:
            opened = self.parts.delivery.call(
                "views.open",
                wait_seconds=0.0,
                trigger_id=str(body["trigger_id"]),
                view=message_view(words.READERS_LOOKING),
            )
            told = view(user) if admins_of(self.parts).is_admin(user) else message_view(words.ADMINS_ONLY)
            self.parts.delivery.repeat(
                "views.update", patience_seconds=8.0, view_id=str(opened["view"]["id"]), view=told
            )
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("who sees what was not shown to %s: %s", user, error)

    def of_document(self, admin: str, asked: str) -> Block:
        """Who can see the documents with these words in their title, among those that this admin may read."""
        parts = self.parts
        found = find_readers(
            parts.engine,
            asked,
            within=reach_of(parts.memberships, parts.team, admin),
            holds=parts.permissions_hold,
        )
        # No words of titles: they would stand in the log for whoever reads it.
        AUDIT.info("%s looked up who can see a document: %d found", admin, len(found))
        return document_view(found)

    def of_person(self, admin: str, person: str) -> Block:
        """What a person can see when they ask alone; titles only of what this admin may read, too."""
        parts = self.parts
        theirs, own = (reach_of(parts.memberships, parts.team, one) for one in (person, admin))
        found = list_visible(parts.engine, theirs, titles=MOST_TITLES, shown_to=own)
        count = sum(one.documents for one in found)
        AUDIT.info("%s looked up what %s can see: %d documents", admin, person, count)
        return person_view(person, found, self._notes(person, is_told=bool(theirs.readable)))

    def _notes(self, person: str, *, is_told: bool) -> list[str]:
        """What is to be known of a person besides: that their account is gone, or that Slack did not tell all."""
        if not is_told:
            return [words.SEES_NOTHING_HERE]
        profile = self.parts.memberships.profiles.person(person)
        deactivated = profile is not None and profile.deactivated
        known = self.parts.memberships.knows(person)
        return [*([words.SEES_DEACTIVATED] if deactivated else []), *([] if known else [words.SEES_PERHAPS_MORE])]
