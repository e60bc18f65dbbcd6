"""Answers that failed, with everything that is kept of them: how one can tell, what was asked, what it stood on.

Reads rows; knows SQL, not Slack. The words of people who are not remembered are never read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from bot.answer import without_abstentions
from bot.conversation import load_history
from bot.feedback import stands
from bot.people import is_unremembered
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import HistoryTurn, Question

Sign = Literal["downvoted", "corrected", "abstained", "asked_back", "asked_again", "reworded", "escalated"]
"""How we know. `asked_again`: somebody had it made anew, or asked the same again; `reworded`: its asker changed the
question; `asked_back`: we asked what was meant, and never heard."""
_HISTORY_TURNS = 6


@dataclass(frozen=True, kw_only=True)
class StoodOn:
    """A passage as it was when the answer was made."""

    uri: str
    text_hash: str
    quote: str = field(default="", repr=False)
    """The sentence that was cited; empty where it was found and not cited."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One answer that did not help."""

    answer_id: int
    team: str
    channel: str
    conversation: str
    user: str
    visibility: str
    at: datetime
    version: str
    signs: tuple[Sign, ...]
    reasons: tuple[str, ...]
    corrections: tuple[str, ...] = field(repr=False)
    question: Question = field(repr=False)
    text: str = field(repr=False)
    outcome: str
    support: float
    found: tuple[StoodOn, ...] = field(repr=False)
    cited: tuple[StoodOn, ...] = field(repr=False)
    audiences: frozenset[str]

    @property
    def audience(self) -> Audience:
        """Who read the answer, as far as rows tell: in a direct message the person's own and what it stood on."""
        direct = self.channel.startswith("D")
        place = Audience.of_person(self.user) if direct else Audience.of_channel(self.channel)
        return Audience(readable=place.readable | self.audiences)


@dataclass(frozen=True, kw_only=True)
class Failures:
    """What was found in a time."""

    answers: int
    """All answers of that time."""
    failed: tuple[Failure, ...]
    """The newest first."""
    left_out: int
    """Answers that failed and whose words are not kept, or not to be read."""


def read_failures(engine: sa.Engine, since: datetime, *, team: str | None = None, limit: int = 1_000) -> Failures:
    """Read the answers since then that failed, the newest first, at most so many."""
    answer, turn = tables.answer, tables.turn
    counted = [answer.c.created_at >= since, answer.c.outcome.in_(("answered", "abstained", "asked_back"))]
    # What nobody asked the bot is not missed where it stayed silent.
    counted += [answer.c.visibility != "if_sure"]
    counted += [answer.c.team == team] if team is not None else []
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    query = (
        sa.select(answer, turn.c.text.label("question"), is_unremembered(answer.c.team, answer.c.user).label("hidden"))
        .select_from(answer.outerjoin(turn, asked & (turn.c.role == "user")))
        .where(*counted)
        .order_by(answer.c.id.desc())
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        signs, reasons, corrections = _signs(connection, since)
        failed = [(row, named) for row in rows if (named := _signs_of(row, signs.get(row.id, ())))]
        readable = [(row, named) for row, named in failed if row.question and not row.hidden][:limit]
        cited = _citations(connection, [row.id for row, _ in readable])
    return Failures(
        answers=len(rows),
        failed=tuple(
            _failure(engine, row, named, reasons[row.id], corrections[row.id], cited[row.id]) for row, named in readable
        ),
        left_out=sum(1 for row, _ in failed if row.hidden or not row.question),
    )


def _signs(
    connection: sa.Connection, since: datetime
) -> tuple[dict[int, list[Sign]], defaultdict[int, tuple[str, ...]], defaultdict[int, tuple[str, ...]]]:
    """What people did with each answer; reasons and corrections beside it."""
    feedback, answer = tables.feedback.c, tables.answer.c
    votes = (
        sa.select(
            *(feedback.answer_id, feedback.vote, feedback.reason),
            # With "it should have said that it does not know" people write what the documents do not say.
            sa.case(
                (is_unremembered(answer.team, feedback.user) | (feedback.reason == "unknown"), ""),
                else_=feedback.correction,
            ).label("correction"),
        )
        .select_from(tables.feedback.join(tables.answer))
        .where(answer.created_at >= since, stands())
    )
    balance: defaultdict[int, int] = defaultdict(int)
    reasons: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    corrections: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    signs: defaultdict[int, list[Sign]] = defaultdict(list)
    bad: set[int] = set()
    for row in connection.execute(votes):
        balance[row.answer_id] += row.vote
        bad |= {row.answer_id} if row.vote < 0 else set()
        reasons[row.answer_id] += (row.reason,) if row.reason else ()
        corrections[row.answer_id] += (row.correction,) if row.correction else ()
    for answer_id in bad:
        # Where more people found it good, it did not fail.
        if balance[answer_id] <= 0 and not corrections[answer_id]:
            signs[answer_id].append("downvoted")
    for answer_id in (one for one, given in corrections.items() if given):
        signs[answer_id] += ["downvoted", "corrected"]
    revision, signal, escalation = tables.answer_revision.c, tables.signal.c, tables.escalation.c
    again = sa.select(signal.answer_id).where(signal.kind == "asked_again")
    anew = sa.select(revision.answer_id).where(revision.purpose == "regenerate")
    reworded = sa.select(revision.answer_id).where(revision.purpose == "edit")
    asked_for: tuple[tuple[Sign, Any], ...] = (
        ("asked_again", again.union(anew)),
        ("reworded", reworded.distinct()),
        ("escalated", sa.select(escalation.answer_id)),
    )
    for name, found in asked_for:
        for answer_id in connection.scalars(found):
            signs[answer_id].append(name)
    return dict(signs), reasons, corrections


def _signs_of(row: Any, given: Sequence[Sign]) -> tuple[Sign, ...]:
    own: tuple[Sign, ...] = ()
    if row.outcome == "asked_back":
        own = ("asked_back",)
    elif row.abstained:
        own = ("abstained",)
    # A question that was put better and then answered is no failure by itself.
    if not own and set(given) <= {"reworded"}:
        return ()
    return (*own, *given)


def _citations(connection: sa.Connection, answer_ids: Sequence[int]) -> defaultdict[int, tuple[StoodOn, ...]]:
    citation = tables.citation.c
    found: defaultdict[int, tuple[StoodOn, ...]] = defaultdict(tuple)
    columns = (citation.answer_id, citation.uri, citation.text_hash, citation.quote)
    query = sa.select(*columns).where(citation.answer_id.in_(answer_ids), citation.kind == "cited")
    for row in connection.execute(query.order_by(citation.n)):
        found[row.answer_id] += (StoodOn(uri=row.uri, text_hash=row.text_hash, quote=row.quote),)
    return found


def _failure(
    engine: sa.Engine,
    row: Any,
    signs: tuple[Sign, ...],
    reasons: tuple[str, ...],
    corrections: tuple[str, ...],
    cited: tuple[StoodOn, ...],
) -> Failure:
    failure = Failure(
        answer_id=row.id,
        team=row.team,
        channel=row.channel,
        conversation=row.conversation,
        user=row.user,
        visibility=row.visibility,
        at=row.created_at,
        version=row.version,
        signs=signs,
        reasons=reasons,
        corrections=corrections,
        question=Question(text=row.question),
        text=row.text,
        outcome=row.outcome,
        support=row.support,
        found=tuple(StoodOn(uri=one["uri"], text_hash=one["text_hash"]) for one in row.passages if "uri" in one),
        cited=cited,
        audiences=frozenset(filter(None, row.audience.split(","))),
    )
    said = load_history(engine, row.conversation, _HISTORY_TURNS, audience=failure.audience, before=row.question_ts)
    return _with_history(failure, said)


def _with_history(failure: Failure, said: tuple[HistoryTurn, ...]) -> Failure:
    return replace(failure, question=without_abstentions(Question(text=failure.question.text, history=said)))
