"""The steps of one question, from its inbox row to the answer that stands in Slack and in SQL.

    received -> posted -> final_ready -> final_sent

Each arrow is committed before the next step, so that whoever takes the row up after a crash goes on where it
was. "posted" is left out where the answer is shown only when it is finished.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from bot.composing import Composed, Composing, audience_of
from bot.conversation import (
    AnswerRow,
    begin_answer,
    set_files,
    set_visibility,
    withdraw_answer,
    write_answer,
    write_sentence,
    write_user_turn,
)
from bot.inbox import Inbox, Lease, WithdrawnError
from bot.learn.signals import note_message
from bot.remember import write_remembered
from bot.sending import Sending, place_of
from bot.slack.stream import AnswerStream
from bot.turn import Incoming
from knowledge.database import writing


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One question in the hands of who holds its lease."""

    lease: Lease
    incoming: Incoming
    inbox: Inbox
    composing: Composing
    sending: Sending
    at_edge: Callable[[str], None]

    def advance(self) -> None:
        """Bring the question to its end."""
        if self.lease.withdrawn:
            self.clean_up()
            return
        self.at_edge("claimed")
        row = self._begin()
        self.at_edge("received")
        row = self.sending.settle(self.lease, row, self.incoming)
        stream = None
        stale = row.state == "final_ready" and not self.composing.may_be_sent(row, self.incoming)
        if stale or row.state in ("received", "placeholder_intent", "posted"):
            stream = self._compose(row)
            self.at_edge("final_ready")
        row = self.sending.settle(self.lease, row, self.incoming)
        self.sending.send(self.lease, row, self.incoming, stream)
        self.at_edge("final_sent")

    def clean_up(self) -> None:
        """Remove what is visible and kept of a question that was withdrawn."""
        lease = replace(self.lease, withdrawn=True)
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, lease)
            row = begin_answer(connection, self.incoming)
        self.sending.remove(lease, row, self.incoming)
        if self.incoming.visibility == "thread":
            self.sending.end_presence(place_of(self.incoming), closed=True)
        with writing(self.sending.engine) as connection:
            self.inbox.finish(connection, lease, "dropped")
            withdraw_answer(connection, row.id, self.incoming)

    def _begin(self) -> AnswerRow:
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, self.lease)
            if self.incoming.text.strip():
                write_user_turn(connection, self.incoming)
                note_message(connection, self.incoming)
            return begin_answer(connection, self.incoming)

    def _compose(self, row: AnswerRow) -> AnswerStream | None:
        """Work the answer out and store the end of it; returns what it was shown by."""
        composed = self.composing.compose(self.lease, row, self.incoming)
        if composed.visibility == "if_sure" and not composed.is_sure:
            raise WithdrawnError("nobody asked, and the answer is not sure")
        with writing(self.sending.engine) as connection:
            self.inbox.hold(connection, self.lease)
            set_visibility(connection, row.id, composed.visibility)
            if composed.admitted:
                set_files(connection, row.id, self.incoming.files)
            self._write(row, composed, connection)
            write_remembered(connection, self.incoming, composed.remember, audience_of(self.incoming, composed))
        return composed.stream

    def _write(self, row: AnswerRow, composed: Composed, connection: sa.Connection) -> None:
        if composed.answer is not None:
            write_answer(connection, row.id, self.incoming, composed.answer)
        elif composed.text:
            write_sentence(connection, row.id, composed.text, outcome=composed.outcome, error=composed.error)
        else:
            raise WithdrawnError("nothing is to be said")
