"""The spine of one question, from its inbox row to the answer that stands in Slack and in SQL.

    received -> posted -> final_ready -> final_sent

Each arrow is committed before the next step, so that whoever takes the row up after a crash goes on where it
was. "posted" is left out where the answer is shown only when it is finished.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import sqlalchemy as sa

from bot.conversation import (
    AnswerRow,
    Outcome,
    begin_answer,
    load_history,
    withdraw_answer,
    write_answer,
    write_sentence,
    write_user_turn,
)
from bot.errors import QuestionError, SlackRefusedError, SlackSilentError
from bot.inbox import Inbox, Lease, LeaseLostError, WithdrawnError
from bot.runs import Run, Runs, ShutDownError
from bot.sending import Sending, place_of
from bot.slack import words
from bot.slack.briefing import Briefed, Briefing, Refusal
from bot.slack.deliver import Recipient
from bot.slack.live import LiveMessage, Pace
from bot.slack.render import render_status
from bot.slack.stream import ROLL_SECONDS, AnswerStream
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
# What a token that does not work now looks like.
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
    sending: Sending
    briefing: Briefing
    pace: Pace
    runs: Runs
    roll_seconds: float = ROLL_SECONDS
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
        row = self.sending.settle(lease, row, incoming)
        stream = None
        if row.state in ("received", "placeholder_intent", "posted"):
            stream = self._compose(lease, row, incoming)
            self.at_edge("final_ready")
        self.sending.send(lease, self.sending.settle(lease, row, incoming), incoming, stream)
        self.at_edge("final_sent")

    def _begin(self, lease: Lease, incoming: Incoming) -> AnswerRow:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            if incoming.text.strip():
                write_user_turn(connection, incoming)
            return begin_answer(connection, incoming)

    def _compose(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> AnswerStream | None:
        """Work the answer out, show it as it grows, and store the end of it; returns what it was shown by."""
        briefed = self.briefing.brief(incoming)
        if isinstance(briefed, Refusal):
            if not briefed.text:
                raise WithdrawnError("nothing is to be said")
            self._store_sentence(lease, row, briefed.text, "refused")
            return None
        if lease.attempt > MOST_ATTEMPTS:
            self._store_failure(lease, row, f"begun {lease.attempt} times and never finished")
            return None
        with self.runs.track(lease.id) as run:
            stream = self._show(lease, row, incoming, run)
            try:
                answer = self._answer(run, row, incoming, briefed, stream)
            except (GenerationStopped, QuestionError, GenerationError) as error:
                self._raise_if_over(stream)
                self._store_instead(lease, row, error)
                return stream
            except Exception as error:
                # The outermost edge of one question: whatever happens inside, the person gets a sentence.
                self._raise_if_over(stream)
                logger.exception("question %d failed", lease.id)
                self._store_failure(lease, row, type(error).__name__)
                return stream
            self._raise_if_over(stream if answer.stopped else None)
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            write_answer(connection, row.id, incoming, answer)
        return stream

    def _show(self, lease: Lease, row: AnswerRow, incoming: Incoming, run: Run) -> AnswerStream:
        """Prepare what shows the answer while it grows; where people would see nothing before, a message says so."""
        place, delivery = place_of(incoming), self.sending.delivery
        messages = self.sending.messages(lease, row, incoming)
        message_ts = row.message_ts
        if message_ts is not None:
            self.sending.drop_parts(row, place.channel, first=1)
        elif not (delivery.streams.works and delivery.set_status(place, doing(words.SEARCHING))):
            message_ts = messages.post(0, render_status(words.SEARCHING))
        return AnswerStream(
            delivery,
            self.pace,
            messages,
            place,
            Recipient(user=incoming.user, team=incoming.user_team or incoming.team),
            halt=run.cancel.set,
            message_ts=message_ts,
            roll_seconds=self.roll_seconds,
        )

    def _answer(self, run: Run, row: AnswerRow, incoming: Incoming, briefed: Briefed, stream: AnswerStream) -> Answer:
        audience = briefed.audience
        history = load_history(self.engine, incoming.conversation, HISTORY_TURNS, audience=audience, before=incoming.ts)
        question = Question(text=incoming.text, history=history)
        with self._live(incoming, stream) as live:
            try:
                return self._stream(run, live, question, briefed, stream)
            except GenerationError as error:
                if run.cancel.is_set():
                    raise
                logger.warning("answer %d: %s; trying once more", row.id, type(error).__name__)
                stream.begin_again()
                return self._stream(run, live, question, briefed, stream)

    def _live(self, incoming: Incoming, stream: AnswerStream) -> LiveMessage:
        place, delivery = place_of(incoming), self.sending.delivery

        def begin() -> None:
            delivery.begin_session(place, incoming.user)

        def remind() -> None:
            if not stream.is_open:
                delivery.set_status(place, doing(words.SEARCHING))

        return LiveMessage(self.pace, lambda: stream.pause, begin=begin, remind=remind)

    def _stream(
        self, run: Run, live: LiveMessage, question: Question, briefed: Briefed, stream: AnswerStream
    ) -> Answer:
        text = ""
        events = self.answering.answer(question, briefed.audience, brief=briefed.brief, cancel=run.cancel)
        for event in events:
            match event:
                case Status():
                    live.offer(partial(self._show_status, stream, event.text))
                case Delta():
                    text += event.text
                    live.offer(partial(stream.show, text))
                case Done():
                    return event.answer
        raise GenerationError("The answer ended without its last event.")

    def _show_status(self, stream: AnswerStream, text: str) -> None:
        self.sending.delivery.set_status(stream.place, doing(text))
        stream.show_status(text)

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

    def _clean_up(self, lease: Lease, incoming: Incoming) -> None:
        """Remove what is visible and kept of a question that was withdrawn."""
        place = place_of(incoming)
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            row = begin_answer(connection, incoming)
        self.sending.remove(lease, row, incoming)
        self.sending.delivery.set_status(place, "")
        self.sending.delivery.end_session(place, closed=True)
        with writing(self.engine) as connection:
            self.inbox.finish(connection, lease, "dropped")
            withdraw_answer(connection, row.id, incoming)

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

    def _raise_if_over(self, stream: AnswerStream | None) -> None:
        """Tell an answer that ended by itself from one that must not be stored: shut down, withdrawn, lost."""
        if self.runs.is_shut_down:
            raise ShutDownError
        if stream is not None and stream.error is not None:
            raise stream.error


def doing(text: str) -> str:
    """Turn "Searching…" into what Slack shows behind the bot's name: "is searching…"."""
    return f"is {text[:1].lower()}{text[1:]}" if text else ""
