"""Votes move the threshold a little, within bounds, and never one person's alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.conversation import save_answer
from bot.database import open_database
from bot.feedback import record_reason, record_vote, withdraw_vote
from bot.threshold import (
    LEAST_VOTES,
    MOST_SHARE,
    REACH,
    LearnedThreshold,
    Threshold,
    ThresholdVote,
    learn_threshold,
    threshold_votes,
)
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Incoming
from knowledge.database import writing

PEOPLE = tuple(f"U{number}" for number in range(8))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'votes.db'}")
    yield engine
    engine.dispose()


def votes(count: int, support: float, *, answerable: bool, people: tuple[str, ...] = PEOPLE) -> list[ThresholdVote]:
    """So many votes, the people by turns."""
    return [
        ThresholdVote(user=people[number % len(people)], support=support, answerable=answerable)
        for number in range(count)
    ]


def test_without_votes_the_setting_holds() -> None:
    assert learn_threshold([], 0.4) == Threshold(value=0.4, setting=0.4, votes=0)


def test_wrong_answers_just_above_raise_it() -> None:
    threshold = learn_threshold(votes(12, 0.5, answerable=False), 0.4)
    assert 0.4 < threshold.value <= 0.5
    assert threshold.votes == 12


def test_refused_questions_just_below_lower_it() -> None:
    assert 0.3 <= learn_threshold(votes(12, 0.3, answerable=True), 0.4).value < 0.4


def test_too_few_votes_move_nothing() -> None:
    assert learn_threshold(votes(LEAST_VOTES - 1, 0.5, answerable=False), 0.4).moved == 0
    assert learn_threshold(votes(LEAST_VOTES, 0.5, answerable=False), 0.4).moved > 0


def test_it_never_leaves_its_reach() -> None:
    assert learn_threshold(votes(1_000, 0.55, answerable=False), 0.4).value <= 0.4 + REACH
    assert learn_threshold(votes(1_000, 0.25, answerable=True), 0.4).value >= 0.4 - REACH
    assert learn_threshold(votes(1_000, 0.01, answerable=True), 0.05).value >= 0


@pytest.mark.parametrize("setting", [0.0, 1.0])
def test_always_and_never_stay_as_they_are_set(setting: float) -> None:
    assert learn_threshold(votes(100, setting, answerable=setting == 1), setting).value == setting


def test_a_wrong_answer_that_no_threshold_in_reach_would_have_refused_moves_nothing() -> None:
    assert learn_threshold(votes(100, 0.95, answerable=False), 0.4).moved == 0


def test_confirmed_refusals_keep_others_from_lowering_it() -> None:
    refused_rightly = votes(20, 0.3, answerable=False)
    lowered = learn_threshold(votes(20, 0.35, answerable=True), 0.4)
    held = learn_threshold([*votes(20, 0.35, answerable=True), *refused_rightly], 0.4)
    assert lowered.value < 0.4
    assert held.value >= lowered.value
    assert held.value > 0.3


def test_one_person_alone_moves_nothing() -> None:
    assert learn_threshold(votes(500, 0.5, answerable=False, people=("U1",)), 0.4).moved == 0


def test_three_people_together_move_nothing() -> None:
    assert learn_threshold(votes(500, 0.5, answerable=False, people=PEOPLE[:3]), 0.4).moved == 0


def test_one_person_among_many_cannot_push_it() -> None:
    others = votes(14, 0.45, answerable=True, people=PEOPLE[1:])
    calm = learn_threshold([*others, *votes(1, 0.5, answerable=False, people=PEOPLE[:1])], 0.4)
    pushed = learn_threshold([*others, *votes(5_000, 0.5, answerable=False, people=PEOPLE[:1])], 0.4)
    # What the others weigh together bounds what one person weighs.
    most = MOST_SHARE / (1 - MOST_SHARE) * len(others)
    assert pushed.value - calm.value <= REACH * most / 24
    assert pushed.value < 0.45


def test_it_settles_between_the_setting_and_what_people_find_right() -> None:
    """A team that finds answers right from .5 on, voting for a year with some noise."""
    rng = random.Random(7)
    given: list[ThresholdVote] = []
    values = []
    for _ in range(800):
        threshold = learn_threshold(given, 0.4).value
        support = rng.random()
        answerable = support >= 0.5 if rng.random() < 0.9 else support < 0.5
        # People complain more than they praise; a right refusal is hardly ever confirmed.
        says = 0.5 if answerable != (support >= threshold) else 0.1
        if rng.random() < says:
            given.append(ThresholdVote(user=rng.choice(PEOPLE), support=support, answerable=answerable))
        values.append(threshold)
    assert all(abs(value - 0.4) <= REACH for value in values)
    late = values[-200:]
    assert min(late) > 0.44
    assert max(late) < 0.54
    assert max(late) - min(late) < 0.05


def keep(engine: sa.Engine, ts: str, support: float, *, abstained: bool = False, approved_by: str = "") -> int:
    """An answer in SQL."""
    incoming = Incoming(
        team="T1", channel="C1", channel_kind="public", user="UASK", ts=ts, thread_ts=None, text="?", mentioned=True
    )
    answer = Answer(
        text="So it is.",
        citations=(),
        abstained=abstained,
        support=support,
        version="v1",
        seconds=AnswerSeconds(retrieve=0.0, first_token=0.0, total=0.1),
        tokens=AnswerTokens(prompt=1, completion=1),
        approved_by=approved_by,
    )
    return save_answer(engine, incoming, answer)


def read(engine: sa.Engine) -> list[tuple[str, float, bool]]:
    return [(vote.user, vote.support, vote.answerable) for vote in threshold_votes(engine, datetime.now(UTC))]


def test_votes_count_for_what_they_say_about_the_threshold(engine: sa.Engine) -> None:
    answered, refused = keep(engine, "1.0", 0.45), keep(engine, "2.0", 0.35, abstained=True)
    record_vote(engine, answered, "U1", 1, "button")
    record_reason(engine, answered, "U2", "wrong")
    record_reason(engine, answered, "U3", "unclear")
    record_vote(engine, answered, "U4", -1, "reaction")
    record_vote(engine, refused, "U5", 1, "reaction")
    record_vote(engine, refused, "U6", -1, "button")
    assert read(engine) == [("U1", 0.45, True), ("U2", 0.45, False), ("U5", 0.35, False), ("U6", 0.35, True)]


def test_who_says_that_there_is_no_answer_counts_and_who_writes_the_better_one_says_that_there_is(
    engine: sa.Engine,
) -> None:
    answered = keep(engine, "1.0", 0.45)
    record_reason(engine, answered, "U1", "unknown")
    record_reason(engine, answered, "U2", "unknown", "Nobody ever wrote that down.")
    record_reason(engine, answered, "U3", "wrong", "It is the front desk.")
    assert read(engine) == [("U1", 0.45, False), ("U2", 0.45, False)]


def test_that_it_should_not_know_says_nothing_of_what_was_refused(engine: sa.Engine) -> None:
    record_reason(engine, keep(engine, "1.0", 0.35, abstained=True), "U1", "unknown")
    assert read(engine) == []


def test_a_person_counts_once_for_an_answer_and_not_at_all_after_taking_it_back(engine: sa.Engine) -> None:
    answered = keep(engine, "1.0", 0.45)
    record_vote(engine, answered, "U1", 1, "button")
    record_vote(engine, answered, "U1", 1, "reaction")
    record_reason(engine, answered, "U1", "wrong")
    assert read(engine) == [("U1", 0.45, False)]
    withdraw_vote(engine, answered, "U1")
    assert read(engine) == []


def test_what_was_not_decided_by_the_threshold_does_not_count(engine: sa.Engine) -> None:
    record_reason(engine, keep(engine, "1.0", 1.0, approved_by="UADMIN"), "U1", "wrong")
    record_reason(engine, keep(engine, "2.0", 0.0), "U1", "wrong")
    assert read(engine) == []


def test_old_votes_do_not_count(engine: sa.Engine) -> None:
    record_reason(engine, keep(engine, "1.0", 0.45), "U1", "wrong")
    with writing(engine) as connection:
        connection.execute(sa.update(tables.feedback).values(created_at=datetime.now(UTC) - timedelta(days=400)))
    assert read(engine) == []


def test_the_threshold_follows_the_database_and_can_be_switched_off(engine: sa.Engine) -> None:
    for number in range(12):
        record_reason(engine, keep(engine, f"{number}.0", 0.5), PEOPLE[number % 8], "wrong")
    moved = LearnedThreshold(engine=engine, setting=0.4).current()
    assert moved.value > 0.4
    assert moved.votes == 12
    assert LearnedThreshold(engine=engine, setting=0.4, learns=False).current().value == 0.4
