"""What can be counted of each answer that was given: outcome, scores, times, length, votes. Numbers only, no words.

Reads rows; knows SQL, not Slack, and nothing of what is made of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.feedback import stands
from knowledge.database import reading

VOTING_TIME = timedelta(days=1)
"""Votes that come later than this after an answer do not count for the rate of feedback, and younger answers have none:
otherwise the newest answers, which nobody had time for yet, would always look as if people had lost interest."""
NO_VERSION = "(unknown)"
_COUNTED = ("answered", "abstained", "asked_back", "stopped", "failed")


@dataclass(frozen=True, kw_only=True)
class ObservedVote:
    """One person's vote that counts."""

    user: str
    good: bool


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One answer in numbers; None where something was not measured or would say nothing."""

    answer_id: int
    at: datetime
    version: str
    user: str
    failed: bool
    abstained: bool | None
    """None where it was neither answered nor refused for want of an answer."""
    voted: bool | None
    """Whether anybody voted within a day; None for answers younger than that."""
    support: float | None
    score: float | None
    """The fused score of the best passage."""
    retrieve_seconds: float | None
    first_token_seconds: float | None
    total_seconds: float | None
    length: int | None
    """Characters of what the model wrote."""
    votes: tuple[ObservedVote, ...] = ()


def read_observed(engine: sa.Engine, now: datetime, since: datetime, team: str | None = None) -> tuple[Observed, ...]:
    """Read the answers since then, the oldest first; of one team, or of all.

    Left out: small talk, and what nobody asked the bot. A failure has no version of its own: it belongs to the one
    that answered before it.
    """
    answer = tables.answer.c
    columns = (
        *(answer.id, answer.created_at, answer.version, answer.user, answer.outcome, answer.support, answer.passages),
        *(answer.retrieve_seconds, answer.first_token_seconds, answer.total_seconds, answer.completion_tokens),
        *(answer.reused_from, answer.approved_by, sa.func.length(answer.text).label("length")),
    )
    wanted = [answer.created_at >= since, answer.outcome.in_(_COUNTED), answer.visibility != "if_sure"]
    wanted += [answer.team == team] if team is not None else []
    # Small talk was not looked up, and nothing was estimated for it.
    talk = (answer.outcome == "answered") & (answer.support == 0) & (answer.approved_by == "")
    query = sa.select(*columns).where(*wanted, ~talk).order_by(answer.created_at, answer.id)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        votes = _votes(connection, since, team)
    found: list[Observed] = []
    version = NO_VERSION
    for row in rows:
        version = row.version or version
        found.append(_observed(row, version, votes.get(row.id, ()), now))
    return tuple(found)


def _votes(
    connection: sa.Connection, since: datetime, team: str | None
) -> dict[int, tuple[tuple[ObservedVote, datetime], ...]]:
    feedback, answer = tables.feedback.c, tables.answer.c
    query = (
        sa.select(feedback.answer_id, feedback.user, feedback.vote, feedback.created_at)
        .select_from(tables.feedback.join(tables.answer))
        .where(answer.created_at >= since, stands())
        .order_by(feedback.id)
    )
    if team is not None:
        query = query.where(answer.team == team)
    # A person's last word on an answer counts, also where it was made again in between.
    last: dict[tuple[int, str], tuple[ObservedVote, datetime]] = {}
    for row in connection.execute(query):
        last[row.answer_id, row.user] = ObservedVote(user=row.user, good=row.vote > 0), row.created_at
    found: dict[int, tuple[tuple[ObservedVote, datetime], ...]] = {}
    for (answer_id, _), vote in last.items():
        found[answer_id] = (*found.get(answer_id, ()), vote)
    return found


def _observed(row: Any, version: str, votes: tuple[tuple[ObservedVote, datetime], ...], now: datetime) -> Observed:
    in_time = [when for _, when in votes if when - row.created_at <= VOTING_TIME]
    observed = Observed(
        answer_id=row.id,
        at=row.created_at,
        version=version,
        user=row.user,
        failed=row.outcome == "failed",
        abstained=row.outcome == "abstained" if row.outcome in ("answered", "abstained") else None,
        voted=None if now - row.created_at < VOTING_TIME or row.outcome == "failed" else bool(in_time),
        support=None,
        score=None,
        retrieve_seconds=None,
        first_token_seconds=None,
        total_seconds=None,
        length=None,
        votes=tuple(vote for vote, _ in votes),
    )
    # A person's words come without a search.
    if row.outcome not in ("answered", "abstained", "asked_back") or row.approved_by:
        return observed
    scores = [float(passage["score"]) for passage in row.passages if "score" in passage]
    observed = replace(
        observed,
        support=row.support if row.support > 0 else None,
        score=max(scores) if scores else None,
        retrieve_seconds=row.retrieve_seconds,
    )
    # What is given again costs no time and has the length that it had: only what was written now tells of the model.
    if row.outcome != "answered" or row.reused_from is not None or not row.completion_tokens:
        return observed
    return replace(
        observed,
        first_token_seconds=row.first_token_seconds,
        total_seconds=row.total_seconds,
        length=row.length or None,
    )
