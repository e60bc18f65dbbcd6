"""ADVISE: what would help most? Every answer that failed is attributed, and the causes are counted.

failed answers -> searched for again -> attributed -> counted by lever, with intervals -> unanswered topics -> what to
do next. This answers the question of our field, whether to tune a model or to mend what it reads, from a team's own
evidence. Knows SQL and a library, not Slack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import sqlalchemy as sa

from bot.answer import Searcher
from bot.channels import load_channel
from bot.learn.attribute import CAUSES, Attribution, Attributor, Cause
from bot.learn.failures import read_failures
from bot.learn.topics import Topic, TopicQuestion, find_topics

Lever = Literal["documents", "tuning", "sync", "asking"]
LEVER_OF: Mapping[Cause, Lever] = {
    "missing": "documents",
    "overlooked": "tuning",
    "misread": "tuning",
    "outdated": "sync",
    "unclear": "asking",
}
LEVERS: tuple[Lever, ...] = ("documents", "tuning", "sync", "asking")
LEAST_FAILURES = 10
"""Of fewer no lever is called the best."""
_DRAWS = 4_000
_SEED = 7
_SURE = 0.9

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class LeverCount:
    """How many failed answers one lever would help."""

    lever: Lever
    count: int
    """Attributed to it with enough confidence."""
    likely: float
    """With the unsure ones by their shares."""
    low: float
    high: float
    """Nineteen times in twenty it is in between: chance in who asked, and doubt in each attribution."""
    by_cause: Mapping[Cause, int]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What was found, and what to do next."""

    days: int
    answers: int
    failed: int
    unknown: int
    """Of these, nobody can say why."""
    left_out: int
    levers: tuple[LeverCount, ...]
    """The one that helps most first."""
    best: Lever | None
    """None where too little failed, or no lever is clearly ahead."""
    knowledge_ahead: float
    """How likely it is that mending what is read (documents, sync) helps more answers than tuning."""
    topics: tuple[Topic, ...] = field(repr=False)
    attributions: tuple[Attribution, ...] = field(repr=False)


def advise(
    engine: sa.Engine,
    library: Searcher,
    now: datetime,
    *,
    days: int = 30,
    passages: int = 4,
    minimum_support: float = 0.4,
    team: str | None = None,
    limit: int = 1_000,
    progress: Progress = lambda *_: None,
) -> Advice:
    """Attribute the failed answers of the last days, the newest `limit` of them, and sum up."""
    found = read_failures(engine, now - timedelta(days=days), team=team, limit=limit)
    attributor = Attributor(engine=engine, library=library, passages=passages, minimum_support=minimum_support)
    attributions: list[Attribution] = []
    for failure in found.failed:
        progress("Looking into failed answers", len(attributions), len(found.failed))
        sources = load_channel(engine, failure.team, failure.channel).sources
        attributions.append(attributor.attribute(failure, sources=sources))
    progress("Looking into failed answers", len(attributions), len(found.failed))
    draws = _draw(attributions)
    levers = _count(attributions, draws)
    return Advice(
        days=days,
        answers=found.answers,
        failed=len(attributions),
        unknown=sum(one.cause is None for one in attributions),
        left_out=found.left_out,
        levers=levers,
        best=_best(attributions, draws),
        knowledge_ahead=_knowledge_ahead(draws),
        topics=find_topics([_question(one) for one in attributions if _is_unanswered(one)], library.embedder),
        attributions=tuple(attributions),
    )


def _is_unanswered(attribution: Attribution) -> bool:
    """Questions that no document answers, as far as one can tell."""
    return attribution.cause == "missing"


def _question(attribution: Attribution) -> TopicQuestion:
    failure = attribution.failure
    return TopicQuestion(
        answer_id=failure.answer_id,
        channel=failure.channel,
        user=failure.user,
        visibility=failure.visibility,
        text=failure.question.text,
    )


def _draw(attributions: Sequence[Attribution]) -> Mapping[Lever, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Counts by lever in many histories that could as well have been: other failures drawn, other causes drawn."""
    count = len(attributions)
    generator = np.random.default_rng(_SEED)
    empty = {lever: np.zeros(_DRAWS, np.int64) for lever in LEVERS}
    if not count:
        return empty
    shares = np.asarray([[one.shares[cause] for cause in CAUSES] for one in attributions])
    edges = np.cumsum(shares, axis=1)[:, :-1]
    for draw in range(_DRAWS):
        rows = generator.integers(count, size=count)
        causes = (generator.random(count)[:, np.newaxis] > edges[rows]).sum(axis=1)
        totals = np.bincount(causes, minlength=len(CAUSES))
        for place, cause in enumerate(CAUSES):
            empty[LEVER_OF[cause]][draw] += totals[place]
    return empty


def _count(
    attributions: Sequence[Attribution], draws: Mapping[Lever, np.ndarray[tuple[int], np.dtype[np.int64]]]
) -> tuple[LeverCount, ...]:
    found = []
    for lever in LEVERS:
        own: tuple[Cause, ...] = tuple(cause for cause in CAUSES if LEVER_OF[cause] == lever)
        by_cause = {cause: sum(one.cause == cause for one in attributions) for cause in own}
        low, high = np.quantile(draws[lever], [0.025, 0.975])
        found.append(
            LeverCount(
                lever=lever,
                count=sum(by_cause.values()),
                likely=sum(one.shares[cause] for one in attributions for cause in own),
                low=float(low),
                high=float(high),
                by_cause=by_cause,
            )
        )
    return tuple(sorted(found, key=lambda one: -one.likely))


def _best(
    attributions: Sequence[Attribution], draws: Mapping[Lever, np.ndarray[tuple[int], np.dtype[np.int64]]]
) -> Lever | None:
    """The lever that is ahead of every other in nine of ten such histories."""
    if len(attributions) < LEAST_FAILURES:
        return None
    for lever in LEVERS:
        others = np.max([draws[other] for other in LEVERS if other != lever], axis=0)
        if float((draws[lever] > others).mean()) >= _SURE:
            return lever
    return None


def _knowledge_ahead(draws: Mapping[Lever, np.ndarray[tuple[int], np.dtype[np.int64]]]) -> float:
    knowledge = draws["documents"] + draws["sync"]
    return float((knowledge > draws["tuning"]).mean() + (knowledge == draws["tuning"]).mean() / 2)
