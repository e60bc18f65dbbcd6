"""From which estimate on there is an answer: the setting, moved a little by what people say about answers.

Nothing is kept: it is worked out from the votes in SQL each time. A wrong answer that the threshold let through pulls
it up, a question that it refused and should not have pulls it down, until both balance. Knows SQL, not Slack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot import tables
from knowledge.database import reading

REACH = 0.15
"""The farthest that votes move the threshold, either way."""
LEAST_VOTES = 8
MOST_SHARE = 0.25
"""Of what all votes weigh, one person's; so votes of fewer than four people move nothing."""
# So many votes on one side, with none on the other, move it as far as it goes.
_FULL_PULL = 24
# Documents, models and people change: what was said long ago is about another bot.
_COUNTED_DAYS = 180
_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class ThresholdVote:
    """One person's vote about one answer, as far as it says where the threshold belongs."""

    user: str
    support: float
    """The estimate that the answer, or its absence, was decided on."""
    answerable: bool
    """Whether there should have been an answer."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The threshold that holds, and how it came about."""

    value: float
    setting: float
    votes: int
    """So many votes moved it; 0 where it stands as it was set."""

    @property
    def moved(self) -> float:
        """How far from the setting, up or down."""
        return self.value - self.setting


@dataclass(frozen=True, kw_only=True)
class LearnedThreshold:
    """Reads the votes of one database; may be used from several threads."""

    engine: sa.Engine
    setting: float
    learns: bool = True

    def current(self) -> Threshold:
        """The threshold that holds now."""
        if not self.learns:
            return Threshold(value=self.setting, setting=self.setting, votes=0)
        return learn_threshold(threshold_votes(self.engine, datetime.now(UTC)), self.setting)


def learn_threshold(votes: Sequence[ThresholdVote], setting: float) -> Threshold:
    """Move the setting by the votes that lie within reach of it, at most by REACH.

    A wrong answer far above says nothing about the threshold: no threshold within reach would have refused it.
    """
    stays = Threshold(value=setting, setting=setting, votes=0)
    # Whoever set it to always or to never answer meant that.
    if not 0 < setting < 1:
        return stays
    low, high = max(0.0, setting - REACH), min(1.0, setting + REACH)
    counted = [vote for vote in votes if low <= vote.support <= high]
    weight = _weights(counted)
    if len(counted) < LEAST_VOTES or not weight:
        return stays
    # Every step up lets fewer wrong answers pull up and more refusals pull down: the pulls cross once.
    while high - low > REACH / 2**_STEPS:
        middle = (low + high) / 2
        up = sum(weight[vote.user] for vote in counted if not vote.answerable and vote.support >= middle)
        down = sum(weight[vote.user] for vote in counted if vote.answerable and vote.support < middle)
        if setting + REACH * (up - down) / _FULL_PULL > middle:
            low = middle
        else:
            high = middle
    return Threshold(value=round((low + high) / 2, 4), setting=setting, votes=len(counted))


def threshold_votes(engine: sa.Engine, now: datetime) -> tuple[ThresholdVote, ...]:
    """Read the live votes that say whether there should have been an answer, one for each person and answer.

    👎 on "I did not find it": there should have been. 👍 on that, or 👎 on an answer because it is wrong or should not
    have been given: there should not. 👍 on an answer: rightly so. Who writes the better answer says that there is one;
    other reasons (unclear, outdated) are about the answer and not about the threshold.
    """
    feedback, answer = tables.feedback.c, tables.answer.c
    doubt = sa.func.coalesce(feedback.reason, "") == "unknown"
    wrong = (feedback.reason == "wrong") & (sa.func.coalesce(feedback.correction, "") == "")
    query = (
        sa.select(feedback.user, feedback.vote, answer.support, answer.abstained)
        .select_from(tables.feedback.join(tables.answer))
        .where(
            feedback.removed_at.is_(None),
            feedback.created_at > now - timedelta(days=_COUNTED_DAYS),
            answer.outcome.in_(("answered", "abstained")),
            # Nothing was estimated for small talk and for what a person had approved.
            answer.approved_by == "",
            answer.support > 0,
            # Of "I did not find it" somebody says nothing who says that it should have said so.
            (feedback.vote > 0) | sa.case((answer.abstained, ~doubt), else_=doubt | wrong),
        )
        .order_by(feedback.id)
    )
    with reading(engine) as connection:
        return tuple(
            ThresholdVote(user=row.user, support=row.support, answerable=(row.vote > 0) != row.abstained)
            for row in connection.execute(query)
        )


def _weights(votes: Sequence[ThresholdVote]) -> dict[str, float]:
    """What one vote of each person weighs; empty where nobody's share can be kept small enough."""
    counts: dict[str, int] = {}
    for vote in votes:
        counts[vote.user] = counts.get(vote.user, 0) + 1
    most = _most_of_one_person(sorted(counts.values()))
    return {user: min(count, most) / count for user, count in counts.items()} if most > 0 else {}


def _most_of_one_person(counts: Sequence[int]) -> float:
    """The largest weight for one person that is at most MOST_SHARE of what all together weigh then.

    `counts`: the votes of each person, ascending.
    """
    below = 0.0
    most = 0.0
    for place, count in enumerate(counts):
        # Where those from here on all weigh the same, that weight w is at most SHARE * (below + others * w).
        others = len(counts) - place
        least_free = 1 - MOST_SHARE * others
        most = float(count) if least_free <= 0 else min(float(count), MOST_SHARE * below / least_free)
        if most < count:
            return most
        below += count
    return most
