"""Whose messages in a thread are for the bot although they do not mention it. Knows SQL and the channel's settings."""

from __future__ import annotations

import sqlalchemy as sa

from bot import tables
from bot.channels import has_left, load_channel
from bot.turn import Incoming
from knowledge.database import reading


def is_follow_up(engine: sa.Engine, incoming: Incoming) -> bool:
    """Tell whether a message without a mention continues a conversation that the bot takes part in."""
    policy = load_channel(engine, incoming.team, incoming.channel).follow_ups
    if incoming.thread_ts is None or policy == "mention" or has_left(engine, incoming.conversation):
        return False
    return takes_part(engine, incoming.conversation, user=None if policy == "anyone" else incoming.user)


def takes_part(engine: sa.Engine, conversation: str, *, user: str | None = None) -> bool:
    """Tell whether the bot was asked in this conversation: by this person, or by anybody.

    A question that it only overheard and was not sure about does not count: nobody knows that it was there.
    """
    turn, inbox, answer = tables.turn, tables.inbox, tables.answer
    unsaid = sa.select(answer.c.id).where(
        answer.c.conversation == conversation, answer.c.visibility == "if_sure", answer.c.message_ts.is_(None)
    )
    asked = sa.select(turn.c.id).where(
        turn.c.conversation == conversation,
        turn.c.role == "user",
        ~unsaid.where(answer.c.question_ts == turn.c.ts).exists(),
    )
    waiting = sa.select(inbox.c.id).where(
        inbox.c.conversation == conversation,
        inbox.c.kind == "question",
        inbox.c.state != "dropped",
        sa.func.coalesce(inbox.c.payload["visibility"].as_string(), "") != "if_sure",
        ~unsaid.where(answer.c.question_ts == inbox.c.ts).exists(),
    )
    if user is not None:
        asked, waiting = asked.where(turn.c.user == user), waiting.where(inbox.c.user == user)
    with reading(engine) as connection:
        return bool(connection.scalar(sa.select(waiting.exists() | asked.exists())))
