"""Lets admins approve an answer as the standing one, from the form that explains it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slack_bolt import Ack, App

from bot import words
from bot.answered import Answered, load_answered
from bot.curated import CuratedAnswers, audience_of
from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.curate_form import CURATE_CALLBACK, CurateAnswer, curate_form, curate_refusal, parse_curate_form
from bot.slack.features import TeamParts, Works
from bot.slack.feedback_form import receipt_message
from bot.slack.limits import PLAIN_TEXT_INPUT, length
from bot.slack.people_names import name_of
from bot.slack.presses import whisper
from bot.slack.render import Block
from bot.slack.why_form import APPROVE_ACTION

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Curating:
    """Takes approvals; who is an admin is asked when the form opens and when it is sent."""

    parts: TeamParts
    curated: CuratedAnswers
    is_admin: Callable[[str], bool]

    def listen(self, app: App) -> None:
        """Connect the button and the form."""
        app.action(APPROVE_ACTION)(self._on_open)
        app.view(CURATE_CALLBACK)(self._on_submit)

    def works(self) -> Works:
        """Nothing waits in the inbox."""
        return {}

    # Bolt reads the names of a listener's parameters.

    def _on_open(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self.open(body)

    def _on_submit(self, ack: Ack, body: dict[str, Any]) -> None:
        self.submit(ack, body)

    def open(self, body: Mapping[str, Any]) -> None:
        """Put the form on top of the one that explains the answer."""
        value = str(body["actions"][0].get("value") or "")
        if not value.isdecimal() or not self.is_admin(str(body["user"]["id"])):
            return
        view = self._view(load_answered(self.parts.engine, int(value)))
        try:
            self.parts.delivery.call("views.push", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=view)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the form to approve answer %s did not open: %s", value, error)

    def submit(self, ack: Ack, body: Mapping[str, Any]) -> None:
        """Keep the approved answer, or say at the field what is missing."""
        form, user = parse_curate_form(body["view"]), str(body["user"]["id"])
        if not isinstance(form, CurateAnswer):
            ack(response_action="errors", errors=dict(form))
            return
        answered = load_answered(self.parts.engine, form.answer_id)
        if answered is None or audience_of(answered) is None or not self.is_admin(user):
            ack(response_action="update", view=curate_refusal(words.CURATE_NOT_NOW))
            return
        now = datetime.now(UTC)
        shown_as = words.approved_as(name_of(self.parts, user), now)
        self.curated.approve(answered, question=form.question, text=form.text, user=user, shown_as=shown_as)
        ack(response_action="clear")
        stands = answered.message_ts is not None and answered.visibility != "ephemeral"
        thread_ts = answered.thread_ts if stands else ""
        whisper(self.parts.delivery, answered.channel, thread_ts, user, receipt_message(words.CURATE_DONE))

    def _view(self, answered: Answered | None) -> Block:
        if answered is None or answered.outcome != "answered":
            return curate_refusal(words.ANSWER_GONE)
        audience = audience_of(answered)
        if audience is None:
            return curate_refusal(words.CURATE_SEVERAL_AUDIENCES)
        if length(answered.text) > PLAIN_TEXT_INPUT:
            return curate_refusal(words.CURATE_TOO_LONG)
        told = words.curate_audience(audience)
        return curate_form(answered.id, question=answered.question, text=answered.text, audience=told)
