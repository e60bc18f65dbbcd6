"""An answer that stands, as those see it who do something with it: whose it is, where it stands, who could read it.

Reads rows only; knows SQL, not Slack.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from bot import tables
from bot.turn import AttachedFile, Visibility
from knowledge.audience import Audience
from knowledge.database import reading


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One question with its answer's row."""

    id: int
    team: str
    channel: str
    thread_ts: str
    question_ts: str
    message_ts: str | None
    """None where the answer has no message of its own: it was shown to its asker alone, or outside Slack."""
    conversation: str
    user: str
    """Who asked."""
    nonce: str
    outcome: str | None
    visibility: Visibility
    revision: int
    """How often it was made again in its place."""
    audiences: frozenset[str]
    """The document audiences that its passages came from."""
    text: str = field(repr=False)
    question: str = field(repr=False)
    files: tuple[AttachedFile, ...] = ()
    """What came with the question."""

    def may_be_read_by(self, audience: Audience) -> bool:
        """Tell whether all that the answer stood on may be read by this audience."""
        return all(audience.may_read(one) for one in self.audiences)


def load_answered(engine: sa.Engine, answer_id: int) -> Answered | None:
    """Read an answer; None where it is gone, or was withdrawn."""
    answer, turn = tables.answer, tables.turn
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    query = (
        sa.select(answer, sa.func.coalesce(turn.c.text, "").label("question"))
        .select_from(answer.outerjoin(turn, asked & (turn.c.role == "user")))
        .where(answer.c.id == answer_id, answer.c.state != "withdrawn", answer.c.user != "")
    )
    with reading(engine) as connection:
        row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    own = {name: row[name] for name in Answered.__dataclass_fields__ if name not in ("audiences", "files")}
    files = tuple(AttachedFile(**one) for one in row["files"])
    return Answered(**own, files=files, audiences=frozenset(filter(None, row["audience"].split(","))))
