"""The steps of one wish to have an answer made again: in the same message, with what it said before kept.

Until the new text is stored, nothing of the old one is lost: a wish that is stopped, refused or fails puts the message
back as it was. An edited question is another question: whatever comes of it takes the old answer's place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot import tables, words
from bot.composing import Composed, Composing, Wish, audience_of
from bot.conversation import AnswerRow, read_answer, set_state, write_answer, write_sentence, write_user_turn
from bot.errors import SlackRefusedError
from bot.inbox import Inbox, Lease, WithdrawnError
from bot.learn.signals import write_signal
from bot.learn.tombstones import bury_answers
from bot.remember import write_remembered
from bot.revisions import is_being_answered, is_made, keep_earlier, read_question, text_of
from bot.sending import Sending, place_of
from bot.slack.render import render_sentence
from bot.slack.stream import AnswerStream
from bot.turn import Incoming, Revision
from knowledge.database import reading, writing

_BUSY_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Revising:
    """One wish in the hands of who holds its lease."""

    lease: Lease
    revision: Revision
    inbox: Inbox
    composing: Composing
    sending: Sending
    at_edge: Callable[[str], None]

    def advance(self) -> None:
        """Bring the wish to its end."""
        with reading(self.sending.engine) as connection:
            incoming = read_question(connection, self.revision.answer_id)
            is_busy = is_being_answered(connection, self.revision.answer_id)
        if self.lease.withdrawn or incoming is None:
            self.clean_up()
        elif is_busy:
            self.inbox.give_back(self.lease, delay_seconds=_BUSY_SECONDS)
        else:
            self._make(incoming)

    def clean_up(self) -> None:
        """Put the message back as it was, where it is still there."""
        lease = replace(self.lease, withdrawn=True)
        with reading(self.sending.engine) as connection:
            incoming = read_question(connection, self.revision.answer_id)
        if incoming is not None:
            with reading(self.sending.engine) as connection:
                row = read_answer(connection, self.revision.answer_id)
            if row.state == "posted" or lease.attempt > 1:
                self._restore(lease, row, incoming)
                return
        with writing(self.sending.engine) as connection:
            self.inbox.finish(connection, lease, "dropped")

    def _make(self, incoming: Incoming) -> None:
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, self.lease)
            row = read_answer(connection, self.revision.answer_id)
            made = is_made(connection, row.id, self.lease.id)
            before = text_of(connection, row.id)
            if not made:
                set_state(connection, row.id, "posted")
        self.at_edge("revision_begun")
        if self.revision.purpose == "edit":
            incoming = replace(incoming, text=self.revision.text or "")
        stream = None
        if not made:
            wish = Wish(purpose=self.revision.purpose, replaces=before, text=self.revision.text or "")
            composed = self.composing.compose(self.lease, row, incoming, wish=wish)
            if not self._takes_its_place(composed):
                self._restore(self.lease, row, incoming, reason=composed.text)
                return
            self._store(row, incoming, composed)
            self.at_edge("revision_ready")
            stream = composed.stream
        elif not self.composing.may_be_sent(row, incoming):
            with writing(self.sending.engine) as connection:
                self.inbox.hold(connection, self.lease)
                write_sentence(connection, row.id, words.READERS_CHANGED, outcome="refused")
        self._send(self.lease, self.sending.settle(self.lease, row, incoming), incoming, stream)
        self.at_edge("revision_sent")

    def _takes_its_place(self, composed: Composed) -> bool:
        if self.revision.purpose == "edit":
            return composed.answer is not None or bool(composed.text)
        return composed.answer is not None and not composed.answer.stopped

    def _store(self, row: AnswerRow, incoming: Incoming, composed: Composed) -> None:
        wish = self.revision
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, self.lease)
            kept = keep_earlier(connection, row.id, purpose=wish.purpose, user=wish.user, inbox_id=self.lease.id)
            if not kept:
                raise WithdrawnError("the answer is gone")
            if wish.purpose == "edit":
                bury_answers(connection, tables.answer.c.id == row.id, "edited")
                if incoming.text.strip():
                    write_user_turn(connection, incoming)
            elif wish.purpose == "regenerate":
                write_signal(connection, row.id, wish.user, "asked_again")
            write_remembered(connection, incoming, composed.remember, audience_of(incoming, composed))
            if composed.answer is not None:
                write_answer(connection, row.id, incoming, composed.answer)
            else:
                write_sentence(connection, row.id, composed.text, outcome=composed.outcome, error=composed.error)

    def _restore(self, lease: Lease, row: AnswerRow, incoming: Incoming, *, reason: str = "") -> None:
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, lease)
            set_state(connection, row.id, "final_sent")
            if row.message_ts is None:
                # Only its asker saw it, and no message of ours has changed.
                self.inbox.finish(connection, lease, "dropped")
        if row.message_ts is not None:
            self._send(lease, row, incoming)
        if reason:
            self.sending.delivery.whisper(place_of(incoming), self.revision.user, render_sentence(reason))

    def _send(self, lease: Lease, row: AnswerRow, incoming: Incoming, stream: AnswerStream | None = None) -> None:
        try:
            self.sending.send(lease, row, incoming, stream)
        except SlackRefusedError as error:
            if error.code != "message_not_found":
                raise
            # Somebody took the message away meanwhile: then there is no place to say it in.
            with writing(self.sending.engine) as connection:
                set_state(connection, row.id, "final_sent")
                self.inbox.finish(connection, lease, "dropped")
