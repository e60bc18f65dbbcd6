"""Whose earlier conversations may be drawn on for an answer: the one audience rule, for memory.

In a direct message a person's own, wherever the answer may still be read by them; in a channel those that this channel
saw, and never a direct message. What was asked to be remembered is read by the audience that it was said before.
Knows SQL, not Slack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.earlier.recollect import REMEMBER, is_remembered
from bot.grounds import conversation_grounds, may_be_used, unusable_answers
from bot.people import is_unremembered
from bot.turn import Incoming
from knowledge.audience import Audience, channel_audience, person_audience
from knowledge.document import Grounds


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who asks now, and who will read the answer."""

    team: str
    user: str
    channel: str
    is_direct: bool
    conversation: str
    """The one that goes on: it is history already."""
    audience: Audience
    sources: frozenset[str] | None = None
    """Ids of the sources that an answer may stand on here; None for all."""


def reader_of(incoming: Incoming, audience: Audience, sources: frozenset[str] | None = None) -> Reader:
    """The reader of the answer to a message."""
    return Reader(
        team=incoming.team,
        user=incoming.user,
        channel=incoming.channel,
        is_direct=incoming.channel_kind == "im",
        conversation=incoming.conversation,
        audience=audience,
        sources=sources,
    )


def place_audience(incoming: Incoming, *, alone: bool) -> str:
    """The document audience of what is said in a place; `alone`: nobody but its asker saw it."""
    own = alone or incoming.channel_kind == "im"
    return person_audience(incoming.user) if own else channel_audience(incoming.channel)


def readable_turns(connection: sa.Connection, reader: Reader) -> Sequence[sa.Row[Any]]:
    """The turns that may be looked at for this reader, by id; what their answers cite is checked by `still_stands`."""
    turn = tables.turn
    if connection.scalar(sa.select(is_unremembered(reader.team, reader.user))):
        return ()
    columns = [turn.c[name] for name in ("id", "conversation", "role", "channel", "thread_ts", "ts", "user")]
    wanted = (turn.c.team == reader.team, is_remembered(), _said_here(connection, reader) | _to_remember(reader))
    return connection.execute(sa.select(*columns).where(*wanted).order_by(turn.c.id)).all()


def still_stands(connection: sa.Connection, conversation: str, ts: str, reader: Reader) -> bool:
    """Tell whether an answer may be used again for this reader, in these sources.

    Every document that it was made from is there and may be read, what it cites stands there as it stood, and it was
    not made with an answer of which that is not so.
    """
    found = conversation_grounds(connection, conversation, None)
    own = found.get(ts, Grounds())
    return may_be_used(connection, own, reader.audience, reader.sources) and ts not in unusable_answers(
        connection, {asked: one for asked, one in found.items() if asked <= ts}, reader.audience
    )


def exchange_grounds(connection: sa.Connection, conversation: str, ts: str) -> Grounds:
    """What an answer of a conversation stands on."""
    return conversation_grounds(connection, conversation, None).get(ts, Grounds())


def _said_here(connection: sa.Connection, reader: Reader) -> sa.ColumnElement[bool]:
    """Exchanges of other conversations that this reader saw, and may still read all of."""
    turn, answer = tables.turn, tables.answer
    of_turn = (answer.c.conversation == turn.c.conversation) & (answer.c.question_ts == turn.c.ts)
    known = connection.scalars(sa.select(answer.c.audience).where(answer.c.team == reader.team).distinct())
    # One audience string is several: those of all documents that an answer stood on.
    allowed = [text for text in known if all(reader.audience.may_read(one) for one in text.split(",") if one)]
    readable = sa.select(answer.c.id).where(of_turn, answer.c.audience.in_(allowed))
    if reader.is_direct:
        channels = [one.partition(":")[2] for one in reader.audience.readable if one.startswith("channel:")]
        place: sa.ColumnElement[bool] = (turn.c.user == reader.user) & (
            (turn.c.channel == reader.channel) | turn.c.channel.in_(channels)
        )
    else:
        readable = readable.where(answer.c.visibility != "ephemeral")
        place = turn.c.channel == reader.channel
    elsewhere = turn.c.conversation != reader.conversation
    return sa.and_(turn.c.role.in_(("user", "assistant")), elsewhere, place, readable.exists())


def _to_remember(reader: Reader) -> sa.ColumnElement[bool]:
    turn = tables.turn
    return (turn.c.role == REMEMBER) & turn.c.audience.in_(sorted(reader.audience.readable))
