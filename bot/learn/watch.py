"""WATCH: are answers still as good as they were? By version and by day: votes, abstentions, scores, times, lengths,
errors; and what of it changed, compared with the weeks before and with the version before.

answers in numbers -> windows -> one test for each measure -> corrected for all of them -> large enough to matter? ->
alerts. Knows SQL, not Slack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
import sqlalchemy as sa

from bot import tables
from bot.inbox import Inbox
from bot.jobs import Job
from bot.learn.alerts import Change, Comparison, note_alerts, put_untold
from bot.learn.drift import Difference, Kind, Sample, adjusted, compare, turning_day
from bot.learn.observed import NO_VERSION, Observed, read_observed
from bot.timetable import Timetable
from knowledge.database import reading

Worse = Literal["up", "down", "either"]
Period = Literal["day", "week"]

WINDOWS = ((timedelta(days=7), timedelta(days=28)), (timedelta(days=21), timedelta(days=42)))
"""The last days, and the days before them: a week shows what is sudden, three weeks what is slow or small."""
_BACK = max(lately + before for lately, before in WINDOWS)
# A new version is compared with the one before it as long as it is new.
_NEW = timedelta(days=28)
# For all measures of one look. What is this unlikely and too small to matter is not told: together with the effects
# below, sixty made-up teams without a change called nobody in 35 days each (tests/benchmarks/README.md, "Watching").
LEVEL = 0.005
LEAST_AFTER, LEAST_BEFORE = 30, 60
LEAST_VOTES_AFTER, LEAST_VOTES_BEFORE, LEAST_VOTERS = 20, 40, 4
LEAST_SHARE_EFFECT = 0.3
"""Cohen's h: from 80 to 67 of 100, from 10 to 21, from 2 to 8."""
LEAST_DISTANCE = 0.2
"""Kolmogorov's distance: a fifth of all answers lies on the other side of some value than before."""
LEAST_SLOWER = 1.25
_SAME_TIME_DAYS = 2
INTERVAL = timedelta(days=1)
# `lorekeeper ask` is the operator's own trying out: it is in the table, and no reason to call anybody.
_NOT_PEOPLE = "terminal"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that is watched."""

    name: str
    kind: Kind
    worse: Worse
    """In which direction admins want to hear of it."""
    sample: Callable[[Iterable[Observed]], Sample]


@dataclass(frozen=True, kw_only=True)
class PeriodRow:
    """One version in one day or week; None where nothing was measured."""

    begins: date
    version: str
    answers: int
    votes: int
    feedback: float | None
    good: float | None
    abstained: float | None
    errors: float | None
    support: float | None
    support_quartiles: tuple[float, float] | None
    score: float | None
    score_quartiles: tuple[float, float] | None
    retrieve_seconds: float | None
    first_token_seconds: float | None
    total_seconds: float | None
    slow_seconds: float | None
    """19 of 20 answers were ready before."""
    length: float | None


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The table, and what changed."""

    rows: tuple[PeriodRow, ...]
    changes: tuple[Change, ...]


def watch(
    engine: sa.Engine, now: datetime, *, team: str | None = None, days: int = 56, period: Period = "week"
) -> Watched:
    """Sum answers up by version and period, and name what changed lately."""
    since = now - max(timedelta(days=days), _BACK)
    observed = read_observed(engine, now, since, team)
    shown = [one for one in observed if one.at >= now - timedelta(days=days)]
    return Watched(rows=tabulate(shown, period), changes=find_changes(observed, now))


def find_changes(observed: Sequence[Observed], now: datetime) -> tuple[Change, ...]:
    """Compare the last week with the weeks before, and new versions with those before them; the surest change first.

    `observed` reaches back over both windows, the oldest first.
    """
    looks = [*_with_before(observed, now), *_with_earlier_version(observed, now)]
    ps = adjusted([look.difference.p for look in looks])
    found = [_change(look, p) for look, p in zip(looks, ps, strict=True) if p <= LEVEL and _matters(look)]
    # The version explains more than the calendar does, where both say the same.
    found.sort(key=lambda change: (change.comparison == "before", change.p))
    named: dict[tuple[str, str], Change] = {}
    for change in found:
        named.setdefault((change.measure, change.version), change)
    return tuple(sorted(named.values(), key=lambda change: change.p))


def look_for_drift(engine: sa.Engine, now: datetime) -> int:
    """Keep what changed as alerts, for every team; returns how many are new."""
    since = now - _BACK
    return sum(
        len(note_alerts(engine, team, find_changes(read_observed(engine, now, since, team), now), now))
        for team in _teams(engine, since)
    )


def watch_job(
    engine: sa.Engine, alerts_to: str = "", *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Job:
    """The job that looks once a day, and has what it found told in the channel `alerts_to`; empty: in none."""

    def work() -> str:
        found = look_for_drift(engine, now())
        told = put_untold(engine, Inbox(engine, now=now), alerts_to, now()) if alerts_to else 0
        return f"{found} new alerts, {told} to be told" if found or told else "nothing changed"

    return Job(name="watch", times=Timetable(every=INTERVAL), work=work)


# What is watched


def _sample_of(value_of: Callable[[Observed], float | bool | None]) -> Callable[[Iterable[Observed]], Sample]:
    def sample(observed: Iterable[Observed]) -> Sample:
        rows = [(value, one) for one in observed if (value := value_of(one)) is not None]
        return _sample([(float(value), one.user, one.at.date()) for value, one in rows])

    return sample


def _votes_of(observed: Iterable[Observed]) -> Sample:
    """One value a vote, of the person who gave it."""
    return _sample([(float(vote.good), vote.user, one.at.date()) for one in observed for vote in one.votes])


def _sample(rows: Sequence[tuple[float, str, date]]) -> Sample:
    return Sample(
        values=np.asarray([value for value, _, _ in rows], np.float64),
        people=tuple(person for _, person, _ in rows),
        days=tuple(day for _, _, day in rows),
    )


MEASURES: tuple[Measure, ...] = (
    Measure(name="good", kind="share", worse="down", sample=_votes_of),
    Measure(name="feedback", kind="share", worse="either", sample=_sample_of(lambda one: one.voted)),
    Measure(name="abstained", kind="share", worse="either", sample=_sample_of(lambda one: one.abstained)),
    Measure(name="errors", kind="share", worse="up", sample=_sample_of(lambda one: one.failed)),
    Measure(name="support", kind="values", worse="down", sample=_sample_of(lambda one: one.support)),
    Measure(name="score", kind="values", worse="down", sample=_sample_of(lambda one: one.score)),
    Measure(name="retrieve_seconds", kind="values", worse="up", sample=_sample_of(lambda one: one.retrieve_seconds)),
    Measure(
        name="first_token_seconds", kind="values", worse="up", sample=_sample_of(lambda one: one.first_token_seconds)
    ),
    Measure(name="total_seconds", kind="values", worse="up", sample=_sample_of(lambda one: one.total_seconds)),
    Measure(name="length", kind="values", worse="either", sample=_sample_of(lambda one: one.length)),
)


# Which windows are compared


@dataclass(frozen=True, kw_only=True)
class _Look:
    measure: Measure
    version: str
    comparison: Comparison
    earlier_version: str
    before: Sample
    after: Sample
    difference: Difference
    since: date | None
    """None: to be found in the days themselves."""


def _with_before(observed: Sequence[Observed], now: datetime) -> Iterable[_Look]:
    """The last days of each version, with its own days before: the world changed, not the model."""
    for version, own in _by_version(observed).items():
        for lately, earlier in WINDOWS:
            before = [one for one in own if now - lately - earlier < one.at <= now - lately]
            after = [one for one in own if now - lately < one.at <= now]
            yield from _looks("before", version, version, before, after, None)


def _with_earlier_version(observed: Sequence[Observed], now: datetime) -> Iterable[_Look]:
    """A new version, with the one that answered most in the weeks before it."""
    by_version = _by_version(observed)
    for version, own in by_version.items():
        first = own[0].at
        if now - first > _NEW:
            continue
        recent = [one for one in observed if first - _NEW <= one.at < first and one.version != version]
        named = [one.version for one in recent if one.version != NO_VERSION]
        if not named:
            continue
        earlier = Counter(named).most_common(1)[0][0]
        # Also what the earlier one answered since: where both are in service at once, the days are the same.
        before = [one for one in by_version[earlier] if first - _NEW <= one.at]
        yield from _looks("version", version, earlier, before, own, first.date())


def _looks(
    comparison: Comparison,
    version: str,
    earlier: str,
    before: Sequence[Observed],
    after: Sequence[Observed],
    since: date | None,
) -> Iterable[_Look]:
    for measure in MEASURES:
        one, other = measure.sample(before), measure.sample(after)
        if _is_enough(measure, one, other):
            yield _Look(
                measure=measure,
                version=version,
                comparison=comparison,
                earlier_version=earlier,
                before=one,
                after=other,
                difference=compare(measure.kind, one, other),
                since=since,
            )


def _is_enough(measure: Measure, before: Sample, after: Sample) -> bool:
    if measure.name == "good":
        voters = min(len(set(before.people)), len(set(after.people)))
        enough = len(before) >= LEAST_VOTES_BEFORE and len(after) >= LEAST_VOTES_AFTER
        return enough and voters >= LEAST_VOTERS
    return len(before) >= LEAST_BEFORE and len(after) >= LEAST_AFTER


def _matters(look: _Look) -> bool:
    """Whether the change is large enough, and in a direction that somebody should hear of."""
    measure, found = look.measure, look.difference
    went = "up" if found.after > found.before else "down"
    if measure.worse not in ("either", went):
        return False
    if measure.kind == "share":
        return found.effect >= LEAST_SHARE_EFFECT
    if measure.name.endswith("_seconds") and found.after < LEAST_SLOWER * found.before:
        return False
    return found.effect >= LEAST_DISTANCE


def _change(look: _Look, p: float) -> Change:
    found = look.difference
    since = _since(look)
    return Change(
        measure=look.measure.name,
        version=look.version,
        comparison=look.comparison,
        earlier_version=look.earlier_version,
        before=round(found.before, 4),
        after=round(found.after, 4),
        count_before=found.count_before,
        count_after=found.count_after,
        since=since,
        with_version=look.since == since,
        p=p,
        effect=round(found.effect, 3),
    )


def _since(look: _Look) -> date:
    """The day of the change: the version's first, unless the days part better some time after it."""
    both_at_once = look.since is not None and max(look.before.days) > look.since
    if look.since is not None and both_at_once:
        return look.since
    turned = turning_day(look.before, look.after)
    if look.since is not None and abs((turned - look.since).days) <= _SAME_TIME_DAYS:
        return look.since
    return turned


def _by_version(observed: Iterable[Observed]) -> dict[str, list[Observed]]:
    found: dict[str, list[Observed]] = {}
    for one in observed:
        found.setdefault(one.version, []).append(one)
    return found


def _teams(engine: sa.Engine, since: datetime) -> list[str]:
    answer = tables.answer.c
    query = sa.select(answer.team).where(answer.created_at >= since, answer.team != _NOT_PEOPLE).distinct()
    with reading(engine) as connection:
        return sorted(connection.scalars(query))


# The table


def tabulate(observed: Iterable[Observed], period: Period) -> tuple[PeriodRow, ...]:
    """One row for each version in each day or week, the oldest first; days are in UTC."""
    parts: dict[tuple[date, str], list[Observed]] = {}
    for one in observed:
        day = one.at.astimezone(UTC).date()
        begins = day if period == "day" else day - timedelta(days=day.weekday())
        parts.setdefault((begins, one.version), []).append(one)
    return tuple(_row(begins, version, some) for (begins, version), some in sorted(parts.items()))


def _row(begins: date, version: str, observed: Sequence[Observed]) -> PeriodRow:
    samples = {measure.name: measure.sample(observed).values for measure in MEASURES}
    shares = {
        measure.name: float(samples[measure.name].mean()) if len(samples[measure.name]) else None
        for measure in MEASURES
        if measure.kind == "share"
    }

    def at(name: str, quantile: float = 0.5) -> float | None:
        return float(np.quantile(samples[name], quantile)) if len(samples[name]) else None

    def quartiles(name: str) -> tuple[float, float] | None:
        low, high = at(name, 0.25), at(name, 0.75)
        return None if low is None or high is None else (low, high)

    return PeriodRow(
        begins=begins,
        version=version,
        answers=len(observed),
        votes=len(samples["good"]),
        **shares,
        support=at("support"),
        support_quartiles=quartiles("support"),
        score=at("score"),
        score_quartiles=quartiles("score"),
        retrieve_seconds=at("retrieve_seconds"),
        first_token_seconds=at("first_token_seconds"),
        total_seconds=at("total_seconds"),
        slow_seconds=at("total_seconds", 0.95),
        length=at("length"),
    )
