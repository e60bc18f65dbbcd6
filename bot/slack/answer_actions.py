"""What people choose in the menu of an answer: who may, and what follows.

To have an answer made again is its asker's or an admin's; to ask why is everybody's who can see it. What takes longer
than a moment waits in the inbox, kept before the press is acknowledged.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import tables, words
from bot.answered import Answered, load_answered
from bot.clarify import choices_of
from bot.conversation import load_saved
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Received
from bot.slack.answer_menu import (
    CHOICE_ACTION,
    KEEP_ACTION,
    MENU_ACTION,
    SHARE_ACTION,
    parse_choice,
    parse_menu_value,
)
from bot.slack.features import TeamParts, Works
from bot.slack.feedback_form import receipt_message
from bot.slack.presses import PressWork, container_of, put_press, whisper_at
from bot.slack.why_form import named_usergroups, why_gone, why_loading, why_view
from bot.turn import Purpose, Revision
from bot.why import load_why
from knowledge.audience import Audience
from knowledge.database import reading

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AnswerActions:
    """Takes what is chosen in the menu; all methods may be called from several threads."""

    parts: TeamParts
    is_admin: Callable[[str], bool]
    threshold: Callable[[], float | None]
    """Says from which estimate of support on there is an answer now; None where nobody knows."""
    may_approve: bool
    """Whether answers can be approved here at all."""
    presses: Mapping[str, PressWork]
    """What is done with presses that waited in the inbox, by name."""

    def listen(self, app: App) -> None:
        """Connect the menu and the buttons beside it."""
        app.action(MENU_ACTION)(self._on_choice)
        app.action(SHARE_ACTION)(self._on_share)
        app.action(KEEP_ACTION)(self._on_keep)
        app.action(re.compile(rf"{CHOICE_ACTION}_\d+"))(self._on_meant)

    def works(self) -> Works:
        """Presses wait in the inbox."""
        return {"press": lambda lease: self.presses[str(lease.payload["press"])](lease.payload)}

    # Bolt reads the names of a listener's parameters.

    def _on_choice(self, ack: Ack, body: dict[str, Any]) -> None:
        self.choose(ack, body)

    def _on_share(self, ack: Ack, body: dict[str, Any]) -> None:
        put_press(self.parts, "share", body)
        ack()

    def _on_keep(self, ack: Ack, body: dict[str, Any]) -> None:
        put_press(self.parts, "keep", body)
        ack()

    def _on_meant(self, ack: Ack, body: dict[str, Any]) -> None:
        self.take_meaning(ack, body)

    def take_meaning(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Answer what was meant, in the place where we asked back."""
        action = body["actions"][0]
        pressed = parse_choice(str(action.get("action_id") or ""), str(action.get("value") or ""))
        answered = load_answered(self.parts.engine, pressed[0]) if pressed else None
        if pressed is None or answered is None or not _may_see(answered, body):
            ack()
            whisper_at(self.parts.delivery, body, receipt_message(words.ANSWER_GONE))
            return
        saved = load_saved(self.parts.engine, answered.id).answer
        choices = choices_of(saved) if saved is not None else ()
        if pressed[1] > len(choices):
            # Pressed on an old copy of the message: it says something else by now.
            ack()
            whisper_at(self.parts.delivery, body, receipt_message(words.CHOSEN_ALREADY))
            return
        self._make_again(ack, answered, "choose", body, text=choices[pressed[1] - 1])

    def choose(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Do what was chosen in an answer's menu."""
        option = body["actions"][0].get("selected_option") or {}
        chosen = parse_menu_value(str(option.get("value") or ""))
        answered = load_answered(self.parts.engine, chosen[1]) if chosen else None
        if chosen is None or answered is None or not _may_see(answered, body):
            ack()
            whisper_at(self.parts.delivery, body, receipt_message(words.ANSWER_GONE))
            return
        match chosen[0]:
            case "why":
                ack()
                self._explain(answered, body)
            case "escalate":
                put_press(self.parts, "escalate", body, answer_id=answered.id)
                ack()
            case purpose:
                self._make_again(ack, answered, purpose, body)

    def _make_again(
        self, ack: Ack, answered: Answered, purpose: Purpose, body: Mapping[str, Any], text: str | None = None
    ) -> None:
        user = str(body["user"]["id"])
        if user == answered.user:
            said = self._put_revision(answered, purpose, body, text)
            ack()
        else:
            # Whether somebody is an admin may take a call; the press is acknowledged first then.
            ack()
            said = self._put_revision(answered, purpose, body, text) if self.is_admin(user) else words.NOT_YOURS
        if said:
            whisper_at(self.parts.delivery, body, receipt_message(said))

    def _put_revision(self, answered: Answered, purpose: Purpose, body: Mapping[str, Any], text: str | None) -> str:
        """Put the wish into the inbox; returns what is said instead where that is not done."""
        if self._is_under_way(answered):
            return words.AT_IT
        user = str(body["user"]["id"])
        self.parts.inbox.put(
            Received(
                event_id=str(body["trigger_id"]),
                kind="revision",
                team=answered.team,
                channel=answered.channel,
                ts=answered.question_ts,
                conversation=answered.conversation,
                user=user,
                payload=asdict(Revision(answer_id=answered.id, purpose=purpose, user=user, text=text)),
            )
        )
        return ""

    def _is_under_way(self, answered: Answered) -> bool:
        inbox = tables.inbox
        query = sa.select(inbox.c.id).where(
            inbox.c.kind == "revision",
            inbox.c.state.in_(("waiting", "working")),
            inbox.c.conversation == answered.conversation,
            inbox.c.payload["answer_id"].as_integer() == answered.id,
        )
        with reading(self.parts.engine) as connection:
            return connection.execute(query).first() is not None

    def _explain(self, answered: Answered, body: Mapping[str, Any]) -> None:
        """Open the form at once; what needs a call of ours comes into it afterwards."""
        user = str(body["user"]["id"])
        everybody_here = Audience.of_channel(answered.channel)
        is_open = answered.may_be_read_by(everybody_here)
        view = self._view(answered.id, everybody_here) if is_open else why_loading()
        try:
            opened = self.parts.delivery.call(
                "views.open", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=view
            )
            may_approve = self.may_approve and answered.outcome == "answered" and self.is_admin(user)
            if is_open and not may_approve:
                return
            audience = everybody_here if is_open else self.parts.memberships.audience_of_person(user)
            view = self._view(answered.id, audience, may_approve=may_approve)
            self.parts.delivery.repeat(
                "views.update", patience_seconds=8.0, view_id=str(opened["view"]["id"]), view=view
            )
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("why answer %d came about was not shown: %s", answered.id, error)

    def _view(self, answer_id: int, audience: Audience, *, may_approve: bool = False) -> dict[str, Any]:
        why = load_why(self.parts.engine, answer_id, audience)
        if why is None:
            return why_gone()
        return why_view(
            why,
            link=self.parts.link,
            threshold=self.threshold(),
            now=datetime.now(UTC),
            may_approve=may_approve,
            usergroups={one: self.parts.memberships.count_members(one) for one in named_usergroups(why)},
        )


def _may_see(answered: Answered, body: Mapping[str, Any]) -> bool:
    """Tell whether the press came from where the answer stands, or from its asker's own copy of it."""
    user = str((body.get("user") or {}).get("id"))
    in_channel = container_of(body).get("channel_id") == answered.channel
    if answered.visibility == "ephemeral":
        return user == answered.user
    return in_channel or user == answered.user
