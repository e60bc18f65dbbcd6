"""What people tell about answers in Slack, by reaction, button or form: stored first, then confirmed.

A button's receipt stands on the answer itself; a reaction's is a word to the voter alone, as the reaction already
stands there. 👎 always leads to the form for a reason or a better answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import words
from bot.answered import load_answered
from bot.clarify import choices_of
from bot.conversation import load_saved, message_of
from bot.errors import SlackRefusedError, SlackSilentError
from bot.feedback import Vote, find_answer, record_reason, record_vote, withdraw_vote
from bot.inbox import Kind, Lease
from bot.slack.answer_menu import may_keep_files, menu_blocks
from bot.slack.deliver import Delivery, Place
from bot.slack.feedback_form import (
    FORM_CALLBACK,
    OPEN_FORM_ACTION,
    FormErrors,
    feedback_form,
    parse_form,
    reason_request,
    receipt_message,
)
from bot.slack.parse import ReactionChange
from bot.slack.presses import whisper_at
from bot.slack.render import FEEDBACK_ACTIONS, RenderedMessage, parse_feedback_value, receipt, render_answer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Takes votes and reasons; all methods may be called from several threads."""

    engine: sa.Engine
    delivery: Delivery
    link: Callable[[str], str]
    is_bot: Callable[[str], bool] = lambda _user: False
    """Tells bots from people: bots do not vote."""

    def listen(self, app: App) -> None:
        """Connect the buttons and the form."""
        for action in FEEDBACK_ACTIONS:
            app.action(action)(self._on_press)
        app.action(OPEN_FORM_ACTION)(self._on_ask_reason)
        app.view(FORM_CALLBACK)(self._on_submit)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Reactions wait in the inbox."""
        return {"reaction": lambda lease: self.react(ReactionChange(**lease.payload))}

    # Bolt reads the names of a listener's parameters.

    def _on_press(self, ack: Ack, body: dict[str, Any]) -> None:
        self.press(ack, body)

    def _on_ask_reason(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self.ask_reason(body)

    def _on_submit(self, ack: Ack, body: dict[str, Any]) -> None:
        self.submit(ack, body)

    def react(self, change: ReactionChange) -> None:
        """Count a reaction that was put on an answer or taken off it."""
        answer_id = find_answer(self.engine, change.channel, change.message_ts)
        if answer_id is None or self.is_bot(change.user):
            return
        if not change.added:
            if withdraw_vote(self.engine, answer_id, change.user, change.vote):
                self._whisper(answer_id, change.user, receipt_message(words.RECEIPT_WITHDRAWN))
            return
        record_vote(self.engine, answer_id, change.user, change.vote, "reaction")
        message = receipt_message(receipt(1)) if change.vote > 0 else reason_request(str(answer_id))
        self._whisper(answer_id, change.user, message)

    def press(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Count a press on one of an answer's feedback buttons; 👎 opens the form."""
        parsed = parse_feedback_value(str(body["actions"][0].get("value") or ""))
        if parsed is None or not parsed[1].isdecimal():
            ack()
            return
        vote: Vote = 1 if parsed[0] > 0 else -1
        answer_id = int(parsed[1])
        kept = record_vote(self.engine, answer_id, str(body["user"]["id"]), vote, "button")
        ack()
        if not kept:
            self._lost(body)
            return
        if vote < 0:
            # The trigger lives for three seconds: the form comes before the receipt.
            self._open_form(body, str(answer_id))
        self._confirm(answer_id, vote, body)

    def ask_reason(self, body: Mapping[str, Any]) -> None:
        """Open the form from the button under a 👎 reaction's receipt."""
        self._open_form(body, str(body["actions"][0].get("value") or ""))

    def submit(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Keep what the form says, or say at the field what is missing."""
        form = parse_form(body["view"])
        if isinstance(form, FormErrors):
            ack(response_action="errors", errors=dict(form.errors))
            return
        user = str(body["user"]["id"])
        kept = form.key.isdecimal() and record_reason(
            self.engine, int(form.key), user, form.reason, form.correction or None
        )
        ack()
        if kept:
            self._whisper(int(form.key), user, receipt_message(words.RECEIPT_REASON))

    def _open_form(self, body: Mapping[str, Any], key: str) -> None:
        try:
            self.delivery.call(
                "views.open", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=feedback_form(key)
            )
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the form for answer %s did not open: %s", key, error)

    def _confirm(self, answer_id: int, vote: int, body: Mapping[str, Any]) -> None:
        answered = load_answered(self.engine, answer_id)
        saved = load_saved(self.engine, answer_id)
        if answered is None or saved.answer is None:
            return
        if answered.message_ts is None or answered.visibility == "ephemeral":
            # What only one person sees cannot be updated: the receipt stands beside it.
            whisper_at(self.delivery, body, receipt_message(receipt(vote)))
            return
        keeps_files = may_keep_files(answered.channel, answered.files)
        tail = menu_blocks(answer_id, answered.visibility, choices_of(saved.answer), keeps_files=keeps_files)
        message = render_answer(saved.answer, link=self.link, feedback_value=str(answer_id), vote=vote, tail=tail)
        try:
            self.delivery.update(answered.channel, answered.message_ts, message)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the receipt for answer %d was not shown: %s", answer_id, error)

    def _whisper(self, answer_id: int, user: str, message: RenderedMessage) -> None:
        place = message_of(self.engine, answer_id)
        if place is not None:
            self.delivery.whisper(Place(channel=place.channel, thread_ts=place.thread_ts), user, message)

    def _lost(self, body: Mapping[str, Any]) -> None:
        whisper_at(self.delivery, body, receipt_message(words.NO_SUCH_ANSWER))
