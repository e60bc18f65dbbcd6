"""The test behind a canary: who is answered by it, what counts, and how seldom it is wrong however often one looks."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.feedback import record_vote
from bot.learn.canary import (
    CanaryRules,
    Figures,
    answers_with_canary,
    canary_job,
    collect_figures,
    compare_canary,
    judge,
    log_evidence,
    place_of,
)
from bot.learn.versions import Version, find_version, history, promote, standing, start_canary
from knowledge.database import writing
from tests.benchmarks.canary import Scene, run
from tests.bot.versions_shelf import TEAM, make_version, write_answer

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RULES = CanaryRules()
CANARY = Version(
    name="v2",
    team=TEAM,
    base="embedded",
    adapter="",
    state="canary",
    run="",
    examples=(),
    gate=None,
    share=0.2,
    channels=(),
    created_at=NOW,
    state_at=NOW,
)


def conversation(number: int, begun: datetime = NOW) -> str:
    return f"T1:C1:{begun.timestamp() + number:.6f}"


def test_a_conversation_always_falls_to_the_same_side_and_the_share_is_kept() -> None:
    mine = [answers_with_canary(CANARY, "C1", conversation(number)) for number in range(5_000)]
    assert mine == [answers_with_canary(CANARY, "C1", conversation(number)) for number in range(5_000)]
    assert 0.18 < sum(mine) / len(mine) < 0.22
    assert all(answers_with_canary(replace(CANARY, share=1.0), "C1", conversation(n)) for n in range(100))


def test_another_version_meets_other_conversations() -> None:
    places = [(place_of("v2", conversation(n)), place_of("v3", conversation(n))) for n in range(1_000)]
    both = sum(first < 0.2 and second < 0.2 for first, second in places)
    assert both < 80


def test_a_conversation_that_began_before_or_in_another_channel_stays_with_the_service() -> None:
    everything = replace(CANARY, share=1.0)
    assert not answers_with_canary(everything, "C1", conversation(0, NOW - timedelta(minutes=1)))
    assert not answers_with_canary(replace(everything, channels=("C2",)), "C1", conversation(1))
    assert answers_with_canary(replace(everything, channels=("C1",)), "C1", conversation(1))
    assert not answers_with_canary(everything, "", "")


@pytest.mark.parametrize("margin", [0.0, 0.1])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_under_no_difference_the_evidence_is_one_at_most_on_average(rate: float, margin: float) -> None:
    """Exact, over all outcomes of 6 and 9 answers: what makes a look at any time harmless."""

    def chance(hits: int, of: int, p: float) -> float:
        return math.comb(of, hits) * p**hits * (1 - p) ** (of - hits)

    most = min(0.999, rate + margin)
    for own in (most, most / 2):
        expected = sum(
            chance(a, 6, own) * chance(b, 9, rate) * math.exp(log_evidence(a, 6 - a, b, 9 - b, margin))
            for a in range(7)
            for b in range(10)
        )
        assert expected <= 1


def test_without_data_there_is_no_evidence() -> None:
    assert log_evidence(0, 0, 0, 0) == 0
    assert log_evidence(50, 0, 0, 0) <= 0
    assert judge(Figures(), Figures()).decision == "go on"


def test_the_chances_of_a_false_alarm_add_up_to_five_in_a_hundred() -> None:
    assert 2 * RULES.votes_alpha + 2 * RULES.guard_alpha == pytest.approx(0.05)


@pytest.mark.parametrize("scene", [Scene(service=0.7, canary=0.7), Scene(service=0.5, canary=0.5, share=0.5)])
def test_just_as_good_a_canary_hardly_ever_meets_a_verdict_with_a_look_after_every_vote(scene: Scene) -> None:
    runs = 60
    wrong = sum(run(replace(scene, votes=250), seed).decision != "go on" for seed in range(runs))
    assert wrong <= 0.05 * runs


@pytest.mark.parametrize(
    ("scene", "decision"),
    [
        (Scene(service=0.8, canary=0.3, share=0.5), "roll back"),
        (Scene(service=0.4, canary=0.9, share=0.5), "promote"),
        (Scene(service=0.7, canary=0.7, share=0.5, abstains=(0.7, 0.1)), "roll back"),
        (Scene(service=0.7, canary=0.7, share=0.5, fails=(0.4, 0.0)), "roll back"),
    ],
    ids=["worse", "better", "abstains", "fails"],
)
def test_a_true_difference_is_found(scene: Scene, decision: str) -> None:
    found = Counter(run(replace(scene, votes=400), seed).decision for seed in range(10))
    assert found[decision] >= 9  # type: ignore[index]


def test_a_few_people_decide_nothing_by_their_votes() -> None:
    canary, service = Figures(good=0, bad=200, people=9), Figures(good=200, bad=0, people=50)
    assert judge(canary, service).decision == "go on"
    assert judge(replace(canary, people=10), service).decision == "roll back"


# Over rows


@pytest.fixture
def canary(engine: sa.Engine, tmp_path: Path) -> Version:
    """A canary that answers everything from now on."""
    make_version(engine, tmp_path, "v1")
    make_version(engine, tmp_path, "v2")
    promote(engine, "v1", by="U1")
    start_canary(engine, "v2", share=0.5, by="U1")
    return find_version(engine, "v2")


def test_votes_are_counted_by_the_version_that_wrote_the_answer(engine: sa.Engine, canary: Version) -> None:
    write_answer(engine, "v2", ("U1", 1), ("U2", -1))
    write_answer(engine, "v2", abstained=True, outcome="abstained")
    write_answer(engine, "v1", ("U1", 1))
    mine, service = collect_figures(engine, canary, RULES)
    assert (mine.good, mine.bad, mine.people, mine.written, mine.abstained) == (1, 1, 2, 2, 1)
    assert (service.good, service.bad, service.people, service.written) == (1, 0, 1, 1)


def test_what_no_version_wrote_does_not_count(engine: sa.Engine, canary: Version) -> None:
    """Small talk, a question back, or an answer that was given before."""
    write_answer(engine, "v2", ("U1", 1), completion_tokens=0)
    mine, _ = collect_figures(engine, canary, RULES)
    assert (mine.good, mine.written) == (0, 0)


def test_of_one_person_the_first_votes_count(engine: sa.Engine, canary: Version) -> None:
    for vote in (1, 1, -1, -1, -1, -1):
        write_answer(engine, "v2", ("U1", vote))
    mine, _ = collect_figures(engine, canary, RULES)
    assert (mine.good, mine.bad, mine.people) == (2, 1, 1)


def test_a_changed_mind_counts_once_and_a_vote_on_a_text_that_was_made_again_counts_for_who_wrote_it(
    engine: sa.Engine, canary: Version
) -> None:
    changed = write_answer(engine, "v2")
    record_vote(engine, changed, "U1", 1, "button")
    record_vote(engine, changed, "U1", -1, "button")
    again = write_answer(engine, "v1")
    record_vote(engine, again, "U2", -1, "button")
    ended = datetime.now(UTC)
    revision = {"answer_id": again, "revision": 0, "purpose": "regenerate", "user": "U2", "question": "", "text": ""}
    with writing(engine) as connection:
        connection.execute(sa.update(tables.feedback).where(tables.feedback.c.user == "U2").values(removed_at=ended))
        row = revision | {"version": "v2@abc", "replaced_at": ended}
        connection.execute(sa.insert(tables.answer_revision).values(row))
    mine, service = collect_figures(engine, canary, RULES)
    assert (mine.good, mine.bad, mine.people) == (0, 2, 2)
    assert (service.good, service.bad) == (0, 0)


def test_what_was_before_the_canary_or_in_other_channels_does_not_count(engine: sa.Engine, canary: Version) -> None:
    before = canary.state_at - timedelta(hours=1)
    write_answer(engine, "v1", ("U1", 1), created_at=before)
    old = f"{TEAM}:C1:{before.timestamp():.6f}"
    write_answer(engine, "v1", ("U1", 1), conversation=old)
    write_answer(engine, "v1", ("U1", 1), channel="C2")
    _, service = collect_figures(engine, replace(canary, channels=("C1",)), RULES)
    assert service == Figures()
    _, service = collect_figures(engine, canary, RULES)
    assert service.good == 1


def test_a_failed_answer_counts_where_its_conversation_belongs(engine: sa.Engine, canary: Version) -> None:
    for _ in range(20):
        write_answer(engine, "", version="", outcome="failed", completion_tokens=0)
    mine, service = collect_figures(engine, canary, RULES)
    assert mine.failed + service.failed == mine.asked + service.asked == 20
    assert mine.failed > 0
    assert service.failed > 0


def fill(engine: sa.Engine, *, canary_vote: int) -> None:
    for number in range(45):
        write_answer(engine, "v2", (f"U{number % 15}", canary_vote))
        write_answer(engine, "v1", (f"U{number % 15}", -canary_vote))


def test_a_worse_canary_is_rolled_back_by_the_schedule(engine: sa.Engine, canary: Version) -> None:
    fill(engine, canary_vote=-1)
    assert "rolled back" in canary_job(engine, promotes=False).work()
    assert find_version(engine, "v2").state == "refused"
    last = history(engine, "v2")[-1]
    assert last.user == "canary"
    assert "0 of 45 votes good by 15 people, service 45 of 45" in last.why
    assert canary_job(engine, promotes=False).work() == "no canary"


@pytest.mark.parametrize("promotes", [False, True])
def test_a_better_canary_is_promoted_only_where_the_operator_wants_that(
    engine: sa.Engine, canary: Version, promotes: bool
) -> None:
    fill(engine, canary_vote=1)
    assert compare_canary(engine, canary).decision == "promote"
    canary_job(engine, promotes=promotes).work()
    service = standing(engine).service
    assert service is not None
    assert service.name == ("v2" if promotes else "v1")


def test_until_there_is_a_verdict_the_job_says_how_it_stands(engine: sa.Engine, canary: Version) -> None:
    assert canary_job(engine, promotes=True).work() == (
        "v2: go on, votes decide from 10 people on; canary no votes by 0 people, service no votes"
    )
