"""Is the canary better or worse than the version in service? A test on live answers that may be looked at at any time.

Each question (are the votes better, are they worse, does it abstain more, does it fail more) has an e-value: how often
over the data are likelier under a mixture of all rates than under the best rates of "no, it does not". Under "no" it
exceeds 1/a with a probability of at most a, however often anybody looks (L. Wasserman, A. Ramdas, S. Balakrishnan,
"Universal inference", PNAS 117(29), 2020, section 8; A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 38(4), 2023). It holds for any order and any shares in
which answers arrive. Run the proof: python -m tests.benchmarks.canary
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from bot.jobs import Job
from bot.learn.versions import Version, promote, roll_back, standing
from bot.timetable import Timetable
from knowledge.database import reading
from models.tuned import version_prefix

INTERVAL = timedelta(minutes=5)
DECIDER = "canary"
"""Who decided, in a version's history."""
_OF_VOTES = ("better", "worse")
_MOST_SHOWN = 1e9
# Each step of the search leaves two thirds: far below what a float tells apart.
_SEARCH_STEPS = 100
Decision = Literal["go on", "promote", "roll back"]


@dataclass(frozen=True, kw_only=True)
class CanaryRules:
    """How sure a verdict must be, and whom it may rest on.

    The four chances of a false alarm add up to .05: so often, at most, is there ever a verdict on a canary that is
    just as good.
    """

    votes_alpha: float = 0.02
    """Of calling equal votes better, and of calling them worse."""
    guard_alpha: float = 0.005
    """Of saying that it abstains more or fails more."""
    abstention_margin: float = 0.1
    """It may say that it does not know so much more often: that may be what it learned."""
    failure_margin: float = 0.02
    votes_each: int = 3
    """Votes of one person on one side that count, the first ones."""
    least_people: int = 10
    """So many people voted on the canary's answers before votes decide; with three votes each, nobody is more than a
    quarter."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is known of one side since the canary began."""

    good: int = 0
    bad: int = 0
    """Votes that count."""
    people: int = 0
    written: int = 0
    """Answers that the model had a part in."""
    abstained: int = 0
    asked: int = 0
    """Questions that fell to this side."""
    failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to do with the canary, and the numbers that say so."""

    decision: Decision
    why: str
    canary: Figures
    service: Figures
    evidence: dict[str, float] = field(default_factory=dict)
    """E-value of each question, capped: better, worse, abstains, fails."""
    needed: dict[str, float] = field(default_factory=dict)


def answers_with_canary(canary: Version, channel: str, conversation: str) -> bool:
    """Tell whether a conversation is the canary's: always the same, and only where it began with the canary there."""
    if not conversation or (canary.channels and channel not in canary.channels):
        return False
    return began_since(conversation, canary.state_at) and place_of(canary.name, conversation) < canary.share


def place_of(version: str, conversation: str) -> float:
    """A conversation's place from 0 to 1, another one for each version."""
    digest = hashlib.sha256(f"{version}\0{conversation}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def began_since(conversation: str, moment: datetime) -> bool:
    """Tell whether a conversation began after a moment; the key ends with the ts of its first message."""
    try:
        return float(conversation.rpartition(":")[2]) >= moment.timestamp()
    except ValueError:
        return True


def judge(canary: Figures, service: Figures, rules: CanaryRules | None = None) -> Verdict:
    """Say what the figures allow to say, at any time and as often as one likes."""
    rules = rules or CanaryRules()
    logs = {
        "better": log_evidence(canary.good, canary.bad, service.good, service.bad),
        "worse": log_evidence(canary.bad, canary.good, service.bad, service.good),
        "abstains": log_evidence(
            *(canary.abstained, canary.written - canary.abstained),
            *(service.abstained, service.written - service.abstained),
            rules.abstention_margin,
        ),
        "fails": log_evidence(
            *(canary.failed, canary.asked - canary.failed),
            *(service.failed, service.asked - service.failed),
            rules.failure_margin,
        ),
    }
    needed = {name: 1 / (rules.votes_alpha if name in _OF_VOTES else rules.guard_alpha) for name in logs}
    said = frozenset(name for name, value in logs.items() if value >= math.log(needed[name]))
    decision, why = _decide(said, canary, service, rules)
    return Verdict(
        decision=decision,
        why=why,
        canary=canary,
        service=service,
        evidence={name: round(math.exp(min(value, math.log(_MOST_SHOWN))), 3) for name, value in logs.items()},
        needed=needed,
    )


def log_evidence(hits: int, misses: int, other_hits: int, other_misses: int, margin: float = 0.0) -> float:
    """The natural logarithm of the e-value against "the rate of hits is at most the other's plus the margin"."""
    mixture = _log_beta_mixture(hits, misses) + _log_beta_mixture(other_hits, other_misses)
    free = _log_likelihood(hits, misses, _share(hits, misses))
    free += _log_likelihood(other_hits, other_misses, _share(other_hits, other_misses))
    if not hits + misses or not other_hits + other_misses:
        return min(0.0, mixture - free)
    if _share(hits, misses) <= _share(other_hits, other_misses) + margin:
        return mixture - free
    return mixture - _best_at_margin(hits, misses, other_hits, other_misses, margin)


def compare_canary(engine: sa.Engine, canary: Version, rules: CanaryRules | None = None) -> Verdict:
    """Judge the canary by what is in the database now."""
    rules = rules or CanaryRules()
    mine, service = collect_figures(engine, canary, rules)
    return judge(mine, service, rules)


def collect_figures(engine: sa.Engine, canary: Version, rules: CanaryRules) -> tuple[Figures, Figures]:
    """The figures of the canary and of the service since it began, in the canary's channels."""
    prefix = version_prefix(canary.name)
    answer = tables.answer.c
    where = [answer.created_at >= canary.state_at]
    if canary.channels:
        where.append(answer.channel.in_(canary.channels))
    with reading(engine) as connection:
        answers = connection.execute(
            sa.select(
                *(answer.channel, answer.conversation, answer.version, answer.outcome, answer.abstained),
                answer.completion_tokens,
            ).where(*where, answer.outcome.is_not(None))
        ).all()
        votes = connection.execute(_votes(where)).all()
    answers = [row for row in answers if began_since(row.conversation, canary.state_at)]
    votes = [row for row in votes if began_since(row.conversation, canary.state_at)]
    sides = []
    for is_mine in (True, False):
        counted = _first_votes((row for row in votes if row.version.startswith(prefix) == is_mine), rules.votes_each)
        written = [row for row in answers if row.completion_tokens and row.version.startswith(prefix) == is_mine]
        # Nothing says which version a failed answer came from: it counts where its conversation belongs.
        asked = [row for row in answers if answers_with_canary(canary, row.channel, row.conversation) == is_mine]
        sides.append(
            Figures(
                good=sum(vote > 0 for _, vote in counted),
                bad=sum(vote < 0 for _, vote in counted),
                people=len({user for user, _ in counted}),
                written=len(written),
                abstained=sum(row.abstained for row in written),
                asked=len(asked),
                failed=sum(row.outcome == "failed" for row in asked),
            )
        )
    return sides[0], sides[1]


def canary_job(engine: sa.Engine, *, promotes: bool, rules: CanaryRules | None = None) -> Job:
    """The job that looks at the canary: it rolls back by itself, and promotes where the operator wants that."""

    def work() -> str:
        canary = standing(engine).canary
        if canary is None:
            return "no canary"
        verdict = compare_canary(engine, canary, rules)
        if verdict.decision == "roll back":
            roll_back(engine, by=DECIDER, why=verdict.why, of=canary.name, to="refused")
            return f"{canary.name} rolled back: {verdict.why}"
        if verdict.decision == "promote" and promotes:
            promote(engine, canary.name, by=DECIDER, why=verdict.why)
            return f"{canary.name} promoted: {verdict.why}"
        return f"{canary.name}: {verdict.decision}, {verdict.why}"

    return Job(name="canary", times=Timetable(every=INTERVAL), work=work)


def say_votes(figures: Figures) -> str:
    """Votes in a few words."""
    votes = figures.good + figures.bad
    return f"{figures.good} of {votes} votes good" if votes else "no votes"


def _decide(said: frozenset[str], canary: Figures, service: Figures, rules: CanaryRules) -> tuple[Decision, str]:
    if "fails" in said:
        shares = f"{canary.failed} of {canary.asked}, service {service.failed} of {service.asked}"
        return "roll back", f"it fails more often: {shares}"
    if "abstains" in said:
        shares = f"{canary.abstained} of {canary.written}, service {service.abstained} of {service.written}"
        return "roll back", f"it says more often that it does not know: {shares}"
    compared = f"canary {say_votes(canary)} by {canary.people} people, service {say_votes(service)}"
    if canary.people < rules.least_people:
        return "go on", f"votes decide from {rules.least_people} people on; {compared}"
    if "worse" in said:
        return "roll back", f"its votes are worse: {compared}"
    if "better" in said:
        return "promote", f"its votes are better: {compared}"
    return "go on", f"no clear difference yet: {compared}"


def _first_votes(votes: Iterable[sa.Row[Any]], most: int) -> list[tuple[str, int]]:
    """Person and vote, of each person the first ones: which count is settled when they are given."""
    counted: list[tuple[str, int]] = []
    given: dict[str, int] = {}
    for row in votes:
        given[row.user] = given.get(row.user, 0) + 1
        if given[row.user] <= most:
            counted.append((row.user, row.vote))
    return counted


def _votes(where: list[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """Votes that somebody stands by, with the version that wrote what was voted on, the oldest first."""
    feedback, answer, revision = tables.feedback, tables.answer, tables.answer_revision
    columns = (feedback.c.id, feedback.c.user, feedback.c.vote, answer.c.conversation)
    # Small talk, a question back, a standing answer or one given before says nothing about a version.
    live = (
        sa.select(*columns, answer.c.version)
        .select_from(feedback.join(answer))
        .where(*where, feedback.c.removed_at.is_(None), answer.c.completion_tokens > 0)
    )
    same = (revision.c.answer_id == feedback.c.answer_id) & (revision.c.replaced_at == feedback.c.removed_at)
    replaced = (
        sa.select(*columns, revision.c.version)
        .select_from(feedback.join(answer).join(revision, same))
        .where(*where, revision.c.version != "")
    )
    both = sa.union_all(live, replaced).subquery()
    return sa.select(both).order_by(both.c.id)


def _share(hits: int, misses: int) -> float:
    return hits / (hits + misses) if hits + misses else 0.0


def _log_beta_mixture(hits: int, misses: int) -> float:
    """Log-probability of these outcomes, in their order, under Jeffreys' mixture of all rates."""
    return _log_beta(hits + 0.5, misses + 0.5) - _log_beta(0.5, 0.5)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(hits: int, misses: int, rate: float) -> float:
    def term(count: int, chance: float) -> float:
        return (count * math.log(chance) if chance > 0 else -math.inf) if count else 0.0

    return term(hits, rate) + term(misses, 1 - rate)


def _best_at_margin(hits: int, misses: int, other_hits: int, other_misses: int, margin: float) -> float:
    """The highest log-likelihood of rates that lie the margin apart; it has one peak, found by cutting thirds off."""
    if not margin:
        together = (hits + other_hits, misses + other_misses)
        return _log_likelihood(*together, _share(*together))
    low, high = 0.0, 1.0 - margin

    def both(rate: float) -> float:
        return _log_likelihood(hits, misses, rate + margin) + _log_likelihood(other_hits, other_misses, rate)

    for _ in range(_SEARCH_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if both(left) < both(right):
            low = left
        else:
            high = right
    return both((low + high) / 2)
