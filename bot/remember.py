"""What people ask the bot to remember: recognised by fixed words, kept as a turn of theirs, listed and forgotten.

It is read by whom it was said before: the person alone in a direct message, a channel's members in a channel. Because
it is a turn, whatever forgets or purges turns takes it along. Knows SQL, not Slack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from bot import tables
from bot.conversation import write_turn
from bot.earlier.recollect import REMEMBER
from bot.people import load_preferences
from bot.privacy import checkpoint
from bot.turn import Incoming
from knowledge.audience import is_document_audience
from knowledge.database import reading, writing

LONGEST = 1_000
_WISH = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|please|pls|and|also|could you|can you|would you)[,!]?\s+)*"
    r"(?:remember|keep in mind|note down|don['’]t forget)"
    r"(?:\s+(?:that|this)\s*[:,-]?\s+|\s*:\s*)(?P<what>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
# "Remember that thread?" and "remember this: ?" ask for something.
_ASKS = re.compile(r"[?？]\s*$")
_FEWEST_WORDS = 3


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """Something that a person asked to be remembered."""

    id: int
    user: str
    channel: str
    audience: str
    at: datetime
    text: str = field(repr=False)


def wish_to_remember(text: str) -> str:
    """What a message asks to be remembered, in its own words; empty where it asks for nothing of that kind."""
    found = _WISH.match(text.strip())
    if found is None or _ASKS.search(text):
        return ""
    what = found["what"].strip()
    return what if len(what.split()) >= _FEWEST_WORDS else ""


def may_remember(engine: sa.Engine, incoming: Incoming) -> bool:
    """Whether this person's words are remembered at all."""
    return load_preferences(engine, incoming.team, incoming.user).memory


def write_remembered(connection: sa.Connection, incoming: Incoming, text: str, audience: str) -> None:
    """Keep what a message asks to be remembered, inside the caller's transaction; an empty text takes it back."""
    turn = tables.turn
    ours = (turn.c.conversation == incoming.conversation, turn.c.ts == incoming.ts, turn.c.role == REMEMBER)
    if not text:
        connection.execute(sa.delete(turn).where(*ours))
        return
    if not is_document_audience(audience):
        raise ValueError(f"what is remembered needs one document audience, got {audience!r}")
    write_turn(connection, incoming, role=REMEMBER, text=text, audience=audience)


def list_remembered(engine: sa.Engine, user: str) -> tuple[Remembered, ...]:
    """All that one person asked to be remembered, the newest first."""
    turn = tables.turn
    columns = [turn.c.id, turn.c.user, turn.c.channel, turn.c.audience, turn.c.created_at.label("at"), turn.c.text]
    query = sa.select(*columns).where(turn.c.role == REMEMBER, turn.c.user == user).order_by(turn.c.id.desc())
    with reading(engine) as connection:
        return tuple(Remembered(**row) for row in connection.execute(query).mappings())


def forget_remembered(engine: sa.Engine, user: str, turn_id: int) -> bool:
    """Forget one of the things that this person asked to be remembered; False where it is not theirs, or gone."""
    turn = tables.turn
    theirs = (turn.c.id == turn_id, turn.c.role == REMEMBER, turn.c.user == user)
    with writing(engine) as connection:
        is_gone = connection.execute(sa.delete(turn).where(*theirs)).rowcount > 0
    checkpoint(engine)
    return is_gone
