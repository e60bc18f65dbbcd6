"""Asks a person where the bot's answer does not do: whoever the channel's settings name, else the bot's settings.

It is the one place where the bot pings somebody, and it does so because a person wished it. Only the question is told,
never the answer: who is asked may not be allowed to read what it stands on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from slack_bolt import Ack, App

from bot import words
from bot.answered import Answered, load_answered
from bot.channels import load_channel
from bot.errors import SlackRefusedError, SlackSilentError
from bot.escalation import (
    Escalation,
    begin_escalation,
    find_escalation,
    resolve_escalation,
    set_escalation_message,
)
from bot.feedback import find_answer
from bot.slack.deliver import Mark
from bot.slack.features import TeamParts, Works
from bot.slack.feedback_form import receipt_message
from bot.slack.inert import citable_url, clean
from bot.slack.limits import shorten
from bot.slack.people_names import name_of
from bot.slack.posting import open_direct_message, post_once, thread_of
from bot.slack.presses import PressWork, put_press, whisper
from bot.slack.render import Block, RenderedMessage, fallback, note_block

logger = logging.getLogger(__name__)

RESOLVE_ACTION: Final = "escalation_resolve"
_OPEN_ACTION: Final = "escalation_open"
_LONGEST_QUESTION = 1_000


@dataclass(frozen=True, kw_only=True)
class Escalations:
    """Asks for a person, once for each answer, and lets the request be resolved."""

    parts: TeamParts
    is_admin: Callable[[str], bool]

    def listen(self, app: App) -> None:
        """Connect the button of a request."""
        app.action(RESOLVE_ACTION)(self._on_resolve)
        app.action(_OPEN_ACTION)(_on_open)

    def works(self) -> Works:
        """Presses are worked off by name, see `presses`."""
        return {}

    def presses(self) -> Mapping[str, PressWork]:
        """What is done with presses that waited."""
        return {"escalate": self.escalate, "help_wanted": self.help_wanted, "resolve": self.resolve}

    def _on_resolve(self, ack: Ack, body: dict[str, Any]) -> None:
        put_press(self.parts, "resolve", body)
        ack()

    def help_wanted(self, payload: Mapping[str, Any]) -> None:
        """A reaction on a message asks for a person, where the message is an answer of ours."""
        answer_id = find_answer(self.parts.engine, str(payload["channel"]), str(payload["message_ts"]))
        if answer_id is not None:
            self.escalate({**payload, "answer_id": answer_id, "thread_ts": ""})

    def escalate(self, payload: Mapping[str, Any]) -> None:
        """Ask a person about one answer."""
        engine, user = self.parts.engine, str(payload["user"])
        answered = load_answered(engine, int(payload["answer_id"]))
        if answered is None:
            self._tell(payload, words.ANSWER_GONE)
            return
        target = load_channel(engine, answered.team, answered.channel).escalate_to or self.parts.escalate_to
        known = find_escalation(engine, answered.id)
        if not target and known is None:
            self._tell(payload, words.NOBODY_TO_ASK)
            return
        if known is not None and known.message_ts:
            self._tell(payload, words.ASKED_ALREADY)
            return
        request, is_new = begin_escalation(engine, answered.id, asked_by=user, asked_of=target)
        try:
            self._post(request, answered, payload, look_first=not is_new)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("nobody could be asked about answer %d: %s", answered.id, error)
            self._tell(payload, words.SOMETHING_WRONG)
            return
        self._tell(payload, words.ASKED_A_PERSON)

    def _post(self, request: Escalation, answered: Answered, payload: Mapping[str, Any], *, look_first: bool) -> None:
        channel, thread_ts = self._place(request, answered, payload)
        elsewhere = channel != answered.channel
        message = self._render(request, answered, link=self._permalink(answered) if elsewhere else None)
        mark = Mark(nonce=f"{answered.nonce}-person", part=0)
        ts = post_once(self.parts.delivery, channel, thread_ts, message, mark=mark, look_first=look_first)
        set_escalation_message(self.parts.engine, answered.id, channel, ts)

    def _place(self, request: Escalation, answered: Answered, payload: Mapping[str, Any]) -> tuple[str, str]:
        """The thread of the question; another channel that is asked; or, from a direct message, the person's own."""
        if request.asked_of[:1] in ("C", "G"):
            same = request.asked_of == answered.channel
            return request.asked_of, answered.thread_ts if same and answered.message_ts else ""
        if answered.channel.startswith("D"):
            return open_direct_message(self.parts.delivery, request.asked_of), ""
        if answered.message_ts is not None and answered.visibility != "ephemeral":
            return answered.channel, answered.thread_ts
        told = str(payload.get("thread_ts") or "")
        return answered.channel, told or thread_of(self.parts.delivery, answered.channel, answered.thread_ts)

    def _permalink(self, answered: Answered) -> str | None:
        if not answered.message_ts or answered.channel.startswith("D"):
            return None
        try:
            place = {"channel": answered.channel, "message_ts": answered.message_ts}
            reply = self.parts.delivery.call("chat.getPermalink", wait_seconds=2.0, **place)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.info("the request about answer %d goes without a link: %s", answered.id, error)
            return None
        return citable_url(str(reply.get("permalink") or ""))

    def _render(self, request: Escalation, answered: Answered, *, link: str | None) -> RenderedMessage:
        question = shorten(clean(answered.question), _LONGEST_QUESTION) or words.ESCALATION_NO_QUESTION
        is_person = request.asked_of[:1] in ("U", "W")
        direct = answered.channel.startswith("D")
        named = request.asked_of if is_person and not direct else request.asked_by
        said = words.ESCALATION_ASKS if is_person and not direct else words.ESCALATION_WANTS
        who = {"type": "user", "user_id": named}
        lead = {"type": "rich_text_section", "elements": [who, {"type": "text", "text": said}]}
        quote = {"type": "rich_text_quote", "elements": [{"type": "text", "text": question}]}
        buttons: list[Block] = []
        if request.state == "open":
            text = {"type": "plain_text", "text": words.ESCALATION_RESOLVE, "emoji": True}
            value = str(answered.id)
            buttons.append({"type": "button", "action_id": RESOLVE_ACTION, "text": text, "value": value})
        if link:
            text = {"type": "plain_text", "text": words.ESCALATION_THREAD, "emoji": True}
            buttons.append({"type": "button", "action_id": _OPEN_ACTION, "text": text, "url": link})
        blocks: list[Block] = [{"type": "rich_text", "elements": [lead, quote]}]
        if request.state == "resolved":
            blocks.append(note_block(words.resolved(name_of(self.parts, request.resolved_by))))
        blocks += [{"type": "actions", "elements": buttons}] if buttons else []
        # The one mention of ours: an id from our settings or from who pressed, and nothing of a text.
        return RenderedMessage(text=f"<@{named}>{fallback(f'{said}: {question}')}", blocks=blocks)

    def resolve(self, payload: Mapping[str, Any]) -> None:
        """Mark a request as settled."""
        engine, user = self.parts.engine, str(payload["user"])
        answer_id = int(payload["answer_id"])
        request, answered = find_escalation(engine, answer_id), load_answered(engine, answer_id)
        if request is None or answered is None:
            self._tell(payload, words.ANSWER_GONE)
            return
        is_asked = user == request.asked_of or request.asked_of[:1] in ("C", "G")
        if not (is_asked or user in (request.asked_by, answered.user) or self.is_admin(user)):
            self._tell(payload, words.ESCALATION_NOT_YOURS)
            return
        resolve_escalation(engine, answer_id, user)
        settled = find_escalation(engine, answer_id)
        if settled is not None and settled.message_ts:
            message = self._render(settled, answered, link=None)
            self.parts.delivery.update(settled.message_channel, settled.message_ts, message)

    def _tell(self, payload: Mapping[str, Any], text: str) -> None:
        place = str(payload["channel"]), str(payload.get("thread_ts") or "")
        whisper(self.parts.delivery, *place, str(payload["user"]), receipt_message(text))


def _on_open(ack: Ack) -> None:
    """A button that opens a link tells us as well."""
    ack()
