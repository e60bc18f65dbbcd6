"""The spine of one question, from its inbox row to the answer that stands in Slack and in SQL.

    received -> placeholder_intent -> posted -> final_ready -> final_sent

Each arrow is committed before the next step, so that whoever takes the row up after a crash goes on where it
was. Only the placeholder's posting cannot be repeated: in that window the thread is searched for it first.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import sqlalchemy as sa

from bot.conversation import (
    AnswerRow,
    AnswerState,
    Outcome,
    begin_answer,
    begin_part,
    load_history,
    load_saved,
    set_part,
    set_state,
    withdraw_answer,
    write_answer,
    write_sentence,
    write_user_turn,
)
from bot.errors import QuestionError, SlackRefusedError, SlackSilentError
from bot.inbox import Inbox, Lease, LeaseLostError, WithdrawnError
from bot.runs import Run, Runs, ShutDownError
from bot.slack import words
from bot.slack.briefing import Briefed, Briefing, Refusal
from bot.slack.deliver import Delivery, LiveMessage, Pace, Place
from bot.slack.render import (
    RenderedMessage,
    render_answer,
    render_sentence,
    render_status,
    render_streaming,
)
from bot.turn import Answer, AnswerEvent, Brief, Delta, Done, Incoming, Status, incoming_of
from knowledge.audience import Audience
from knowledge.database import writing
from knowledge.document import Question
from models.errors import GenerationError, GenerationStopped

logger = logging.getLogger(__name__)

HISTORY_TURNS = 12
# A question that was begun this often and never finished is not tried again: it may be what ends the process.
MOST_ATTEMPTS = 3
_SHORTEST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 1.0, 60.0
_GIVE_UP_AFTER = timedelta(hours=24)
# What a message that cannot be shown as it is, and a token that does not work now, look like.
_UNSHOWABLE = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch"}
)
_TOKEN_TROUBLE = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"})


class Answering(Protocol):
    """What answers a question: `bot.answer`, or a scripted one in tests."""

    def answer(
        self,
        question: Question,
        audience: Audience,
        *,
        brief: Brief | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Yield what is said on the way, and Done at the end."""


@dataclass(frozen=True, kw_only=True)
class QuestionWorker:
    """Takes one question from its lease to its answer; `work` may run in several threads at once."""

    engine: sa.Engine
    inbox: Inbox
    answering: Answering
    delivery: Delivery
    briefing: Briefing
    pace: Pace
    runs: Runs
    link: Callable[[str], str]
    settle_seconds: float = 2.0
    """How long a post whose reply was lost may take to show up in its thread."""
    at_edge: Callable[[str], None] = lambda _name: None
    """Called at every edge between two states; a test ends the process there."""

    def work(self, lease: Lease) -> None:
        """Bring one question to its end, or put it back, or end it with a reason."""
        incoming = incoming_of(lease.payload)
        try:
            self._advance(lease, incoming)
        except (LeaseLostError, ShutDownError) as error:
            logger.info("question %d is left to others: %s", lease.id, type(error).__name__)
            self.inbox.give_back(lease)
        except WithdrawnError:
            self._clean_up(replace(lease, withdrawn=True), incoming)
        except SlackSilentError as error:
            self._try_later(lease, str(error))
        except SlackRefusedError as error:
            self._refused(lease, error)
        except Exception as error:
            # A fault that comes again with every try must not go round for ever.
            if lease.attempt <= MOST_ATTEMPTS:
                raise
            logger.exception("question %d fails every time", lease.id)
            self._end_failed(lease, type(error).__name__)

    def _advance(self, lease: Lease, incoming: Incoming) -> None:
        if lease.withdrawn:
            self._clean_up(lease, incoming)
            return
        self.at_edge("claimed")
        row = self._begin(lease, incoming)
        self.at_edge("received")
        if row.state in ("received", "placeholder_intent"):
            row = self._place(lease, row, incoming)
        if row.state == "posted":
            self._compose(lease, row, incoming)
            self.at_edge("final_ready")
        self._send(lease, row, incoming)
        self.at_edge("final_sent")

    def _begin(self, lease: Lease, incoming: Incoming) -> AnswerRow:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            if incoming.text.strip():
                write_user_turn(connection, incoming)
            return begin_answer(connection, incoming)

    def _place(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> AnswerRow:
        """Make sure that exactly one message of ours stands in the thread."""
        place = _place_of(incoming)
        message_ts = None
        if row.state == "placeholder_intent":
            message_ts = self._find(place, row.nonce, 0, row.state_at)
        if message_ts is None:
            self._set_state(lease, row, "placeholder_intent")
            self.at_edge("placeholder_intent")
            message_ts = self._post(place, render_status(words.SEARCHING), row.nonce)
            self.at_edge("placeholder_sent")
        self._set_state(lease, row, "posted", message_ts=message_ts)
        self.at_edge("posted")
        return replace(row, state="posted", message_ts=message_ts)

    def _post(self, place: Place, message: RenderedMessage, nonce: str, part: int = 0) -> str:
        try:
            return self.delivery.post(place, message, nonce=nonce, part=part)
        except SlackSilentError:
            found = self._find(place, nonce, part, datetime.now(UTC))
            if found is None:
                raise
            return found

    def _find(self, place: Place, nonce: str, part: int, intent_at: datetime) -> str | None:
        # A post may still be on its way when its sender is gone already.
        age = (datetime.now(UTC) - intent_at).total_seconds()
        time.sleep(min(self.settle_seconds, max(0.0, self.settle_seconds - age)))
        return self.delivery.find(place, nonce=nonce, part=part)

    def _compose(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> None:
        """Work the answer out, show it as it grows, and store the end of it."""
        briefed = self.briefing.brief(incoming)
        if isinstance(briefed, Refusal):
            self._store_sentence(lease, row, briefed.text, "refused")
            return
        if lease.attempt > MOST_ATTEMPTS:
            self._store_failure(lease, row, f"begun {lease.attempt} times and never finished")
            return
        with self.runs.track(lease.id) as run:
            try:
                answer = self._answer(run, row, incoming, briefed)
            except (GenerationStopped, QuestionError, GenerationError) as error:
                self._raise_if_shut_down()
                self._store_instead(lease, row, error)
                return
            except Exception as error:
                # The outermost edge of one question: whatever happens inside, the person gets a sentence.
                self._raise_if_shut_down()
                logger.exception("question %d failed", lease.id)
                self._store_failure(lease, row, type(error).__name__)
                return
            if answer.stopped:
                self._raise_if_shut_down()
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            write_answer(connection, row.id, incoming, answer)

    def _answer(self, run: Run, row: AnswerRow, incoming: Incoming, briefed: Briefed) -> Answer:
        audience = briefed.audience
        history = load_history(self.engine, incoming.conversation, HISTORY_TURNS, audience=audience, before=incoming.ts)
        question = Question(text=incoming.text, history=history)
        try:
            return self._stream(run, row, incoming, question, briefed)
        except GenerationError as error:
            if run.cancel.is_set():
                raise
            logger.warning("answer %d: %s; trying once more", row.id, type(error).__name__)
            return self._stream(run, row, incoming, question, briefed)

    def _stream(self, run: Run, row: AnswerRow, incoming: Incoming, question: Question, briefed: Briefed) -> Answer:
        place, text = _place_of(incoming), ""
        with LiveMessage(self.pace) as live:
            events = self.answering.answer(question, briefed.audience, brief=briefed.brief, cancel=run.cancel)
            for event in events:
                match event:
                    case Status():
                        live.offer(partial(self._show_status, place, row, event.text))
                    case Delta():
                        text += event.text
                        live.offer(partial(self._show_text, place, row, text))
                    case Done():
                        return event.answer
        raise GenerationError("The answer ended without its last event.")

    def _show_status(self, place: Place, row: AnswerRow, text: str) -> None:
        self.delivery.set_status(place, doing(text))
        self.delivery.try_update(place.channel, str(row.message_ts), render_status(text))

    def _show_text(self, place: Place, row: AnswerRow, text: str) -> None:
        self.delivery.try_update(place.channel, str(row.message_ts), render_streaming(text))

    def _store_instead(
        self, lease: Lease, row: AnswerRow, error: GenerationStopped | QuestionError | GenerationError
    ) -> None:
        match error:
            case GenerationStopped():
                self._store_sentence(lease, row, words.STOPPED, "stopped")
            case QuestionError():
                self._store_sentence(lease, row, str(error), "refused")
            case _:
                self._store_failure(lease, row, f"{type(error).__name__}: {error}")

    def _store_failure(self, lease: Lease, row: AnswerRow, reason: str) -> None:
        reference = uuid.uuid4().hex[:8]
        logger.error("question %d is answered with reference %s: %s", lease.id, reference, reason)
        error = f"{reference} {reason}"
        self._store_sentence(lease, row, words.failed(reference), "failed", error=error)

    def _store_sentence(
        self, lease: Lease, row: AnswerRow, text: str, outcome: Outcome, *, error: str | None = None
    ) -> None:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            write_sentence(connection, row.id, text, outcome=outcome, error=error)

    def _send(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> None:
        """Show the stored end of it: the message we posted is updated, what does not fit follows it."""
        place = _place_of(incoming)
        message = self._render(row.id)
        self._update(place, str(row.message_ts), message)
        self.at_edge("final_shown")
        for part, further in enumerate(message.overflow, start=1):
            self._send_part(lease, row, place, part, further)
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            set_state(connection, row.id, "final_sent")
            self.inbox.finish(connection, lease)
        self.delivery.set_status(place, "")

    def _render(self, answer_id: int) -> RenderedMessage:
        saved = load_saved(self.engine, answer_id)
        if saved.answer is None:
            return render_sentence(saved.sentence)
        return render_answer(saved.answer, link=self.link, feedback_value=str(answer_id))

    def _update(self, place: Place, ts: str, message: RenderedMessage) -> None:
        try:
            self.delivery.update(place.channel, ts, message)
        except SlackRefusedError as error:
            if error.code not in _UNSHOWABLE:
                raise
            # Silence would be worse than an answer without its form.
            logger.exception("Slack cannot show the blocks of %s in %s", ts, place.channel)
            self.delivery.update(place.channel, ts, RenderedMessage(text=message.text))

    def _send_part(self, lease: Lease, row: AnswerRow, place: Place, part: int, message: RenderedMessage) -> None:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            known = begin_part(connection, row.id, part, place.channel)
        if known.message_ts is None:
            message_ts = None if known.is_new else self._find(place, row.nonce, part, known.intent_at)
            if message_ts is None:
                self.at_edge("part_intent")
                message_ts = self._post(place, message, row.nonce, part)
                self.at_edge("part_sent")
            with writing(self.engine) as connection:
                self.inbox.hold(connection, lease)
                set_part(connection, row.id, part, message_ts)

    def _clean_up(self, lease: Lease, incoming: Incoming) -> None:
        """Remove what is visible and kept of a question that was withdrawn."""
        place = _place_of(incoming)
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            row = begin_answer(connection, incoming)
        message_ts = row.message_ts
        if message_ts is None and row.state == "placeholder_intent":
            message_ts = self._find(place, row.nonce, 0, row.state_at)
        if message_ts is not None:
            self.delivery.delete(place.channel, message_ts)
        self.delivery.set_status(place, "")
        with writing(self.engine) as connection:
            self.inbox.finish(connection, lease, "dropped")
            withdraw_answer(connection, row.id, incoming)

    def _set_state(self, lease: Lease, row: AnswerRow, state: AnswerState, *, message_ts: str | None = None) -> None:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            set_state(connection, row.id, state, message_ts=message_ts)

    def _try_later(self, lease: Lease, reason: str) -> None:
        age = datetime.now(UTC) - lease.received_at
        if age > _GIVE_UP_AFTER:
            self._end_failed(lease, reason)
            return
        # Half its age: soon at first, rarely when Slack stays away.
        delay = min(_LONGEST_RETRY_SECONDS, max(_SHORTEST_RETRY_SECONDS, age.total_seconds() / 2))
        logger.warning("question %d waits %.0f s: %s", lease.id, delay, reason)
        self.inbox.give_back(lease, delay_seconds=0.0 if self.runs.is_shut_down else delay)

    def _refused(self, lease: Lease, error: SlackRefusedError) -> None:
        if error.code in _TOKEN_TROUBLE:
            self._try_later(lease, str(error))
        else:
            self._end_failed(lease, str(error))

    def _end_failed(self, lease: Lease, reason: str) -> None:
        logger.error("question %d cannot be answered: %s", lease.id, reason)
        with writing(self.engine) as connection:
            self.inbox.finish(connection, lease, "failed", error=reason)

    def _raise_if_shut_down(self) -> None:
        if self.runs.is_shut_down:
            raise ShutDownError


def doing(text: str) -> str:
    """Turn "Searching…" into what Slack shows behind the bot's name: "is searching…"."""
    return f"is {text[:1].lower()}{text[1:]}" if text else ""


def _place_of(incoming: Incoming) -> Place:
    return Place(channel=incoming.channel, thread_ts=incoming.thread_ts or incoming.ts)
