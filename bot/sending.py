"""Brings what is stored of an answer into Slack: each of its messages stands there exactly once.

A message is written down before it is opened and when it stands. Between the two nobody may know: then the thread is
searched, for our mark, or for a stream of ours that no row knows of, because a stream has no mark before its end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from bot.clarify import choices_of
from bot.conversation import (
    AnswerPart,
    AnswerRow,
    Way,
    drop_part,
    intend_part,
    known_messages,
    load_parts,
    load_saved,
    read_answer,
    set_part,
    set_state,
    set_way,
)
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Inbox, Lease
from bot.slack.answer_menu import files_block, may_keep_files
from bot.slack.deliver import Delivery, Mark, Place
from bot.slack.render import (
    MOST_MESSAGES,
    Block,
    RenderedMessage,
    render_answer,
    render_sentence,
)
from bot.slack.rest_file import share, stage
from bot.slack.stream import AnswerStream
from bot.turn import Incoming, Visibility
from knowledge.database import reading, writing

logger = logging.getLogger(__name__)


class Tail(Protocol):
    """Builds what further can be done with an answer, as blocks below it."""

    def __call__(
        self, answer_id: int, visibility: Visibility, choices: Sequence[str] = (), *, keeps_files: bool = False
    ) -> Sequence[Block]: ...


# So often an answer for one person alone is shown, where the bot ends before it could note that.
MOST_WHISPERS = 3
_MOST_WHISPERED = 12
# The number of the file among an answer's messages.
_FILE = 1_000
# Our clock and Slack's may differ by this much.
_CLOCKS_DIFFER = timedelta(minutes=5)


def no_tail(*_about: object, **_more: object) -> Sequence[Block]:
    """Nothing below an answer."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Sending:
    """Opens, updates and removes the messages of answers; may be used from several threads."""

    engine: sa.Engine
    inbox: Inbox
    delivery: Delivery
    link: Callable[[str], str]
    author: str
    """The bot's own user id."""
    tail: Tail = no_tail
    settle_seconds: float = 2.0
    """How long a post whose reply was lost may take to show up in its thread."""
    at_edge: Callable[[str], None] = lambda _name: None

    def messages(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> AnswerMessages:
        """The messages of one answer, for whoever holds its lease."""
        return AnswerMessages(sending=self, lease=lease, row=row, incoming=incoming)

    def settle(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> AnswerRow:
        """Find out about messages that an earlier try meant to open; returns the row as it is then."""
        messages = self.messages(lease, row, incoming)
        with reading(self.engine) as connection:
            parts = load_parts(connection, row.id)
        if row.state == "placeholder_intent" and row.message_ts is None and not parts:
            parts = (AnswerPart(part=0, message_ts=None, intent_at=row.state_at),)
        for known in parts:
            if known.message_ts is None and known.part != _FILE:
                messages.resolve(known)
        with reading(self.engine) as connection:
            return read_answer(connection, row.id)

    def send(self, lease: Lease, row: AnswerRow, incoming: Incoming, stream: AnswerStream | None = None) -> None:
        """Show the stored end of it in the thread, and finish."""
        if row.visibility == "ephemeral":
            self._whisper(lease, row, incoming)
            return
        place = place_of(incoming)
        messages = self.messages(lease, row, incoming)
        message, source = self._render(row)
        file_id = stage(self.delivery, _file_name(row), message.rest) if message.rest else None
        if file_id is not None:
            message, source = self._render(row, rest_follows=True)
        if row.message_ts is None:
            messages.post(0, message)
        elif stream is None or not stream.finish(message, source):
            self.delivery.update(place.channel, row.message_ts, message, mark=messages.mark(0))
        self.at_edge("final_shown")
        self._send_parts(messages, row, place, message)
        if file_id is not None and not messages.share(file_id):
            self._send_parts(messages, row, place, self._render(row)[0], again=True)
        self._finish(lease, row)
        self.end_presence(place)

    def end_presence(self, place: Place, *, closed: bool = False) -> None:
        """Say no more that something is happening in this thread."""
        self.delivery.set_status(place, "")
        self.delivery.end_session(place, closed=closed)

    def _finish(self, lease: Lease, row: AnswerRow) -> None:
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            set_state(connection, row.id, "final_sent")
            self.inbox.finish(connection, lease)

    def _whisper(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> None:
        """Show it to the asker alone: nobody can look whether it is there, so after a crash it is shown again."""
        message, _ = self._render(row, most_messages=_MOST_WHISPERED)
        with writing(self.engine) as connection:
            self.inbox.hold(connection, lease)
            set_way(connection, row.id, "ephemeral")
        if lease.attempt <= MOST_WHISPERS:
            for part in (message, *message.overflow):
                self.delivery.whisper_surely(incoming.channel, incoming.thread_ts, incoming.user, part)
        self.at_edge("whispered")
        self._finish(lease, row)

    def remove(self, lease: Lease, row: AnswerRow, incoming: Incoming) -> None:
        """Remove everything of an answer that stands in its thread."""
        row = self.settle(lease, row, incoming)
        place = place_of(incoming)
        with reading(self.engine) as connection:
            parts = load_parts(connection, row.id)
        for ts in (row.message_ts, *(known.message_ts for known in parts)):
            if ts:
                self.delivery.delete(place.channel, ts)
        with writing(self.engine) as connection:
            for known in parts:
                drop_part(connection, row.id, known.part)

    def drop_parts(self, row: AnswerRow, channel: str, *, first: int, file: bool = True) -> None:
        """Remove the further messages of an answer from one number on, and its file."""
        with reading(self.engine) as connection:
            surplus = [known for known in load_parts(connection, row.id) if known.part >= first]
        surplus = [known for known in surplus if file or known.part != _FILE]
        for known in surplus:
            if known.message_ts:
                self.delivery.delete(channel, known.message_ts)
            with writing(self.engine) as connection:
                drop_part(connection, row.id, known.part)

    def _render(
        self, row: AnswerRow, *, rest_follows: bool = False, most_messages: int = MOST_MESSAGES
    ) -> tuple[RenderedMessage, str]:
        """The finished message, and the Markdown that it was made of; none where it is no answer."""
        saved = load_saved(self.engine, row.id)
        keeps_files = may_keep_files(row.channel, row.files)
        if saved.answer is None:
            sentence = render_sentence(saved.sentence)
            tail = [files_block(row.id)] if keeps_files else []
            return replace(sentence, blocks=[*sentence.blocks, *tail]), ""
        message = render_answer(
            saved.answer,
            link=self.link,
            feedback_value=str(row.id),
            tail=self.tail(row.id, row.visibility, choices_of(saved.answer), keeps_files=keeps_files),
            rest_follows=rest_follows,
            most_messages=most_messages,
        )
        return message, saved.answer.text

    def _send_parts(
        self, messages: AnswerMessages, row: AnswerRow, place: Place, message: RenderedMessage, *, again: bool = False
    ) -> None:
        """What does not fit into the first message follows it; what an earlier text needed beyond that goes."""
        with reading(self.engine) as connection:
            standing = {known.part: known.message_ts for known in load_parts(connection, row.id)}
        for part, further in enumerate(message.overflow, start=1):
            ts = standing.get(part)
            if ts is None:
                messages.post(part, further)
            else:
                self.delivery.update(place.channel, ts, further, mark=messages.mark(part))
        self.drop_parts(row, place.channel, first=len(message.overflow) + 1, file=not message.rest or again)


@dataclass(frozen=True, kw_only=True)
class AnswerMessages:
    """The messages of one answer, numbered from 0; every write checks the lease."""

    sending: Sending
    lease: Lease
    row: AnswerRow
    incoming: Incoming

    def intend(self, part: int, way: Way) -> None:
        """Note that a message is about to be opened."""
        with writing(self.sending.engine) as connection:
            self.sending.inbox.hold(connection, self.lease)
            intend_part(connection, self.row.id, part, self.incoming.channel, way)
        self.sending.at_edge(f"{_edge(part, way)}_intent")

    def stands(self, part: int, ts: str) -> None:
        """Note where it stands."""
        self.sending.at_edge("stream_open" if part == 0 else "roll_open")
        self._note(part, ts)
        self.sending.at_edge("stream_known" if part == 0 else "roll_known")

    def find(self, part: int) -> str | None:
        """Look for a message whose opening nobody answered."""
        with reading(self.sending.engine) as connection:
            row = read_answer(connection, self.row.id)
        return self._search(part, datetime.now(UTC), row.delivered_by)

    def post(self, part: int, message: RenderedMessage) -> str:
        """Post a message, exactly once, and note both."""
        self.intend(part, "message")
        place = place_of(self.incoming)
        try:
            ts = self.sending.delivery.post(place, message, mark=self.mark(part))
        except SlackSilentError:
            found = self._search(part, datetime.now(UTC), "message")
            if found is None:
                raise
            ts = found
        self.sending.at_edge("placeholder_sent" if part == 0 else "part_sent")
        self._note(part, ts)
        if part == 0:
            self.sending.at_edge("posted")
        return ts

    def share(self, file_id: str) -> bool:
        """Show the file with the rest of the answer, exactly once; an earlier text's file goes.

        False where Slack refuses.
        """
        place, delivery = place_of(self.incoming), self.sending.delivery
        name = _file_name(self.row)
        with reading(self.sending.engine) as connection:
            known = [one for one in load_parts(connection, self.row.id) if one.part == _FILE]
        if known and (found := self._find_file(known[0].intent_at)):
            self._note(_FILE, found)
            return True
        for earlier in known:
            if earlier.message_ts:
                delivery.delete(place.channel, earlier.message_ts)
        self.intend(_FILE, self.row.delivered_by)
        try:
            share(delivery, place, file_id)
        except SlackSilentError:
            if self._find_file(datetime.now(UTC)) is None:
                raise
        except SlackRefusedError as error:
            logger.warning("the rest of answer %d could not be shared: %s", self.row.id, error)
            return False
        self.sending.at_edge("file_shared")
        # Slack may take a moment to show it; where it stands matters only when it is to be removed.
        self._note(_FILE, delivery.find_file(place, name) or "")
        return True

    def _find_file(self, intent_at: datetime) -> str | None:
        self._wait(intent_at)
        return self.sending.delivery.find_file(place_of(self.incoming), _file_name(self.row))

    def mark(self, part: int) -> Mark:
        """What tells this message from others."""
        return Mark(nonce=self.row.nonce, part=part)

    def resolve(self, known: AnswerPart) -> None:
        """Find out whether a message that was about to be opened stands."""
        ts = self._search(known.part, known.intent_at, self.row.delivered_by)
        if ts is not None:
            self._note(known.part, ts)
            return
        with writing(self.sending.engine) as connection:
            self.sending.inbox.hold(connection, self.lease)
            drop_part(connection, self.row.id, known.part)

    def _note(self, part: int, ts: str) -> None:
        with writing(self.sending.engine) as connection:
            self.sending.inbox.hold(connection, self.lease)
            set_part(connection, self.row.id, part, ts)

    def _search(self, part: int, intent_at: datetime, way: Way) -> str | None:
        self._wait(intent_at)
        place, delivery = place_of(self.incoming), self.sending.delivery
        found = delivery.find(place, mark=self.mark(part))
        if found is not None or way != "stream":
            return found
        with reading(self.sending.engine) as connection:
            known = known_messages(connection, place.channel)
        after = max(self.incoming.ts, _slack_ts(intent_at - _CLOCKS_DIFFER))
        return delivery.find_orphan(place, author=self.sending.author, after=after, known=known)

    def _wait(self, intent_at: datetime) -> None:
        # It may still be on its way when its sender is gone already.
        settle = self.sending.settle_seconds
        age = (datetime.now(UTC) - intent_at).total_seconds()
        time.sleep(min(settle, max(0.0, settle - age)))


def place_of(incoming: Incoming) -> Place:
    """The thread in which a question is answered."""
    return Place(channel=incoming.channel, thread_ts=incoming.thread_ts or incoming.ts)


def _file_name(row: AnswerRow) -> str:
    return f"answer-{row.nonce[:12]}-{row.revision + 1}.txt"


def _edge(part: int, way: Way) -> str:
    if part == _FILE:
        return "file"
    if way == "stream":
        return "roll" if part else "stream"
    return "part" if part else "placeholder"


def _slack_ts(moment: datetime) -> str:
    return f"{moment.timestamp():.6f}"
