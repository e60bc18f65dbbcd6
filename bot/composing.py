"""Works one answer out and shows it while it grows; ends in a value, and stores nothing but where messages stand.

Knows who is asked (answering), what goes with the question (briefing) and what shows it (a stream in a live message);
whether it is a question's first answer or an answer made again is the callers' business.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import sqlalchemy as sa

from bot import words
from bot.attachments import ATTACHMENT
from bot.channels import ChannelSettings, load_channel
from bot.conversation import AnswerRow, Outcome, load_history
from bot.earlier.reader import place_audience
from bot.errors import QuestionError
from bot.grounds import grounds_of, may_be_used, stored_grounds
from bot.inbox import Lease
from bot.remember import LONGEST, may_remember, wish_to_remember
from bot.runs import Run, Runs, ShutDownError
from bot.sending import Sending, place_of
from bot.slack.briefing import Briefed, Briefing, Refusal
from bot.slack.deliver import Recipient
from bot.slack.live import LiveMessage, Pace
from bot.slack.render import render_status
from bot.slack.stream import ROLL_SECONDS, AnswerStream
from bot.turn import Answer, AnswerEvent, Brief, Delta, Done, Incoming, Length, Purpose, Status, Visibility
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Grounds, Question
from knowledge.store import has_unread_sources
from models.errors import GenerationError, GenerationStopped

logger = logging.getLogger(__name__)

HISTORY_TURNS = 12
# A question that was begun this often and never finished is not tried again: it may be what ends the process.
MOST_ATTEMPTS = 3
# Where permissions change faster than an answer is made, there is none.
_MOST_MADE_ANEW = 2
_LENGTHS: dict[Purpose, Length] = {"shorter": "short", "detail": "detailed"}


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
class Wish:
    """How an answer that stands is to be made again."""

    purpose: Purpose
    replaces: str = field(repr=False)
    """What the answer says now."""
    text: str = field(default="", repr=False)
    """Of a choice: what was meant."""


@dataclass(frozen=True, kw_only=True)
class Composed:
    """What there is to say: an answer, or a sentence instead of one (`text` is empty where nothing is to be said)."""

    visibility: Visibility
    answer: Answer | None = None
    text: str = field(default="", repr=False)
    outcome: Outcome = "answered"
    error: str | None = None
    confidence: float = 0.0
    """How sure an answer must be that nobody asked for."""
    remember: str = field(default="", repr=False)
    """What the message asks to be remembered."""
    stream: AnswerStream | None = None
    admitted: bool = True
    """Whether its asker may be answered here."""

    @property
    def is_sure(self) -> bool:
        """Whether this may be said to people who did not ask the bot."""
        answer = self.answer
        return answer is not None and not answer.abstained and not answer.stopped and answer.support >= self.confidence


@dataclass(frozen=True, kw_only=True)
class Composing:
    """Composes answers; may be used from several threads."""

    engine: sa.Engine
    answering: Answering
    sending: Sending
    briefing: Briefing
    pace: Pace
    runs: Runs
    roll_seconds: float = ROLL_SECONDS

    def compose(self, lease: Lease, row: AnswerRow, incoming: Incoming, *, wish: Wish | None = None) -> Composed:
        """Work the answer out; raises ShutDownError, or what makes it impossible to go on."""
        briefed = self.briefing.brief(incoming)
        channel = load_channel(self.engine, incoming.team, incoming.channel)
        visibility = _visibility(row, incoming, channel)
        if isinstance(briefed, Refusal):
            error = "external" if incoming.external else None
            return Composed(visibility=visibility, text=briefed.text, outcome="refused", error=error, admitted=False)
        if lease.attempt > MOST_ATTEMPTS:
            return _failure(lease, visibility, f"begun {lease.attempt} times and never finished")
        if self.briefing.recall is not None and (told := wish_to_remember(incoming.text)):
            return self._remember(incoming, told, visibility)
        if incoming.channel_kind == "im" and not incoming.text.strip() and (names := _attached(briefed)):
            return Composed(visibility=visibility, text=words.file_alone(names), outcome="refused")
        if wish is not None:
            briefed = replace(briefed, brief=_wished(briefed.brief, wish))
        with self.runs.track(lease.id) as run:
            stream = None
            if visibility == "thread" or row.message_ts is not None:
                stream = self._show(lease, row, incoming, run, wish)
            composed = self._try(lease, run, incoming, briefed, stream, visibility)
            composed = self._made_anew(lease, run, incoming, composed, stream, wish)
            interrupted = composed.answer is None or composed.answer.stopped
            if interrupted and self.runs.is_shut_down:
                raise ShutDownError
            if interrupted and stream is not None and stream.error is not None:
                raise stream.error
        return replace(composed, stream=stream, confidence=briefed.channel.auto_answer_confidence)

    def may_be_sent(self, row: AnswerRow, incoming: Incoming) -> bool:
        """Tell whether a stored answer may still be shown: an earlier try may have made it long ago."""
        with reading(self.engine) as connection:
            grounds = stored_grounds(connection, row.id)
        # As when it was made: what is cited without having been looked at (by an approved answer) is not asked for.
        looked_at = {uri for _, uri in grounds.looked_at}
        cited = frozenset(one for one in grounds.cited if one[0] in looked_at)
        return self._may_be_shown(replace(grounds, cited=cited), incoming)

    def _made_anew(
        self,
        lease: Lease,
        run: Run,
        incoming: Incoming,
        composed: Composed,
        stream: AnswerStream | None,
        wish: Wish | None,
    ) -> Composed:
        """The same, where everybody who will read it may read what it stands on now; another one where that changed."""
        for _ in range(_MOST_MADE_ANEW):
            answer = composed.answer
            if answer is None or self._may_be_shown(grounds_of(answer), incoming):
                return composed
            logger.info("row %d: who may read what changed while it was answered; it is answered anew", lease.id)
            briefed = self.briefing.brief(incoming)
            if isinstance(briefed, Refusal):
                return Composed(visibility=composed.visibility, text=briefed.text, outcome="refused", admitted=False)
            if wish is not None:
                briefed = replace(briefed, brief=_wished(briefed.brief, wish))
            if stream is not None:
                stream.begin_again()
            composed = self._try(lease, run, incoming, briefed, stream, composed.visibility)
        if composed.answer is None or self._may_be_shown(grounds_of(composed.answer), incoming):
            return composed
        return Composed(visibility=composed.visibility, text=words.READERS_CHANGED, outcome="refused")

    def _may_be_shown(self, grounds: Grounds, incoming: Incoming) -> bool:
        if grounds == Grounds():
            return True
        readers = self.briefing.brief_again(incoming)
        if isinstance(readers, Refusal):
            return False
        with reading(self.engine) as connection:
            return may_be_used(connection, grounds, readers.audience, readers.sources)

    def _remember(self, incoming: Incoming, told: str, visibility: Visibility) -> Composed:
        """One sentence that says for whom it is remembered, or why it is not."""
        if visibility == "if_sure":
            # Nobody asked the bot.
            return Composed(visibility=visibility)
        if not may_remember(self.engine, incoming):
            return Composed(visibility=visibility, text=words.REMEMBER_OFF, outcome="refused")
        if len(told) > LONGEST:
            return Composed(visibility=visibility, text=words.remember_too_long(LONGEST), outcome="refused")
        alone = incoming.channel_kind == "im" or visibility == "ephemeral"
        text = words.REMEMBER_ALONE if alone else words.REMEMBER_HERE
        return Composed(visibility=visibility, text=text, remember=told)

    def _try(
        self,
        lease: Lease,
        run: Run,
        incoming: Incoming,
        briefed: Briefed,
        stream: AnswerStream | None,
        visibility: Visibility,
    ) -> Composed:
        try:
            answer = self._answer(run, incoming, briefed, stream)
        except GenerationStopped:
            return Composed(visibility=visibility, text=words.STOPPED, outcome="stopped")
        except QuestionError as error:
            return Composed(visibility=visibility, text=str(error), outcome="refused")
        except GenerationError as error:
            return _failure(lease, visibility, f"{type(error).__name__}: {error}")
        except Exception as error:
            # The outermost edge of one question: whatever happens inside, the person gets a sentence.
            logger.exception("question %d failed", lease.id)
            return _failure(lease, visibility, type(error).__name__)
        if answer.abstained and not answer.asks_back and has_unread_sources(self.engine):
            answer = replace(answer, text=f"{answer.text} {words.STILL_READING}")
        return Composed(visibility=visibility, answer=answer)

    def _show(self, lease: Lease, row: AnswerRow, incoming: Incoming, run: Run, wish: Wish | None) -> AnswerStream:
        """Prepare what shows the answer while it grows; where people would see nothing before, a message says so."""
        place, delivery = place_of(incoming), self.sending.delivery
        messages = self.sending.messages(lease, row, incoming)
        message_ts = row.message_ts
        if message_ts is not None:
            if wish is None:
                self.sending.drop_parts(row, place.channel, first=1)
            delivery.set_status(place, doing(words.SEARCHING))
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

    def _answer(self, run: Run, incoming: Incoming, briefed: Briefed, stream: AnswerStream | None) -> Answer:
        audience = briefed.audience
        history = load_history(self.engine, incoming.conversation, HISTORY_TURNS, audience=audience, before=incoming.ts)
        question = Question(text=incoming.text, history=history)
        if stream is None:
            return self._twice(run, lambda: self._events(run, question, briefed, _ignore, _ignore), lambda: None)
        with self._live(incoming, stream) as live:

            def status(text: str) -> None:
                live.offer(partial(self._show_status, stream, text))

            def show(text: str) -> None:
                live.offer(partial(stream.show, text))

            return self._twice(run, lambda: self._events(run, question, briefed, status, show), stream.begin_again)

    def _twice(self, run: Run, attempt: Callable[[], Answer], begin_again: Callable[[], None]) -> Answer:
        try:
            return attempt()
        except GenerationError as error:
            if run.cancel.is_set():
                raise
            logger.warning("row %d: %s; trying once more", run.row_id, type(error).__name__)
            begin_again()
            return attempt()

    def _events(
        self,
        run: Run,
        question: Question,
        briefed: Briefed,
        status: Callable[[str], None],
        show: Callable[[str], None],
    ) -> Answer:
        text = ""
        for event in self.answering.answer(question, briefed.audience, brief=briefed.brief, cancel=run.cancel):
            match event:
                case Status():
                    status(event.text)
                case Delta():
                    text += event.text
                    show(text)
                case Done():
                    return event.answer
        raise GenerationError("The answer ended without its last event.")

    def _live(self, incoming: Incoming, stream: AnswerStream) -> LiveMessage:
        place, delivery = place_of(incoming), self.sending.delivery

        def remind() -> None:
            if not stream.is_open:
                delivery.set_status(place, doing(stream.status or words.SEARCHING))

        return LiveMessage(
            self.pace,
            lambda: stream.pause,
            begin=lambda: delivery.begin_session(place, incoming.user),
            remind=remind,
        )

    def _show_status(self, stream: AnswerStream, text: str) -> None:
        self.sending.delivery.set_status(stream.place, doing(text))
        stream.show_status(text)


def audience_of(incoming: Incoming, composed: Composed) -> str:
    """Before whom a message is answered, as a document audience."""
    return place_audience(incoming, alone=composed.visibility == "ephemeral")


def doing(text: str) -> str:
    """Turn "Searching…" into what Slack shows behind the bot's name: "is searching…"."""
    return f"is {text[:1].lower()}{text[1:]}" if text else ""


def _ignore(_text: str) -> None:
    """Nothing is shown on the way to an answer that is seen only when it is finished."""


def _visibility(row: AnswerRow, incoming: Incoming, channel: ChannelSettings) -> Visibility:
    """Who sees it: as the question asks, as the channel is set; what stands in a thread stays there."""
    if row.message_ts is not None:
        return "thread"
    if incoming.visibility == "thread" and channel.ephemeral and incoming.channel_kind != "im":
        return "ephemeral"
    return incoming.visibility


def _attached(briefed: Briefed) -> list[str]:
    """The names of the files that came with a question and could be read."""
    return list(dict.fromkeys(one.title for one in briefed.brief.context if one.source == ATTACHMENT))


def _wished(brief: Brief, wish: Wish) -> Brief:
    if wish.purpose == "edit":
        return brief
    if wish.purpose == "choose":
        return replace(brief, chosen=wish.text)
    length = _LENGTHS.get(wish.purpose, brief.style.length)
    return replace(brief, style=replace(brief.style, length=length), replaces=wish.replaces)


def _failure(lease: Lease, visibility: Visibility, reason: str) -> Composed:
    reference = uuid.uuid4().hex[:8]
    logger.error("question %d is answered with reference %s: %s", lease.id, reference, reason)
    text, error = words.failed(reference), f"{reference} {reason}"
    return Composed(visibility=visibility, text=text, outcome="failed", error=error)
