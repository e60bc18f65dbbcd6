"""No test row is trained on, nobody speaks too often, and what one may not use has no lane: for any rows at all."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.learn.ledger import most_of_one_person, vote_weights
from bot.learn.near import alike, clusters
from bot.learn.policy import NotUsableError, Permissions, Provenance, lane_of
from bot.learn.rows import Row
from bot.learn.split import each_once, nobody_too_often, part_of, split
from knowledge.audience import EVERYONE
from knowledge.document import Question
from models.example import Example, Kind, Lane
from models.generator import ChatMessage

WORDS = "badge leave travel salary laptop printer office lunch train holiday parking window".split()
PEOPLE = ("U1", "U2", "U3", "U4", "")
questions = st.lists(st.sampled_from(WORDS), min_size=2, max_size=5).map(lambda said: f"What about {' '.join(said)}?")


def row(
    question: str,
    *,
    group: str = "conversation:1",
    person: str = "U1",
    kind: Kind = "supervised",
    lane: Lane = "messages",
    answer: str = "Yes. [1]",
    order: int = 1,
) -> Row:
    example = Example(
        kind=kind,
        lane=lane,
        origin=f"answer:{order}",
        group=group,
        messages=(ChatMessage(role="user", content=question),),
        answer=answer,
    )
    return Row(example=example, question=Question(text=question), passages=(), order=order, person=person)


rows_of_any_kind = st.lists(
    st.builds(
        row,
        questions,
        group=st.integers(1, 8).map(lambda number: f"conversation:{number}"),
        person=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["supervised", "preference", "vote"]),
        order=st.integers(1, 50),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=40)
@given(rows_of_any_kind, st.integers(0, 5))
def test_neither_a_conversation_nor_a_question_is_in_two_parts(rows: list[Row], seed: int) -> None:
    parts = split(rows, seed)
    assert sum(map(len, parts.values())) == len(rows)
    groups: dict[str, set[str]] = {}
    asked: dict[str, set[str]] = {}
    for part, found in parts.items():
        for one in found:
            groups.setdefault(one.example.group, set()).add(part)
            asked.setdefault(one.asked, set()).add(part)
    assert all(len(places) == 1 for places in (*groups.values(), *asked.values()))


@settings(deadline=None, max_examples=40)
@given(rows_of_any_kind, st.integers(0, 5))
def test_nearly_the_same_question_is_never_in_train_and_in_test(rows: list[Row], seed: int) -> None:
    parts = split(rows, seed)
    train, test = ([one.asked for one in parts[part]] for part in ("train", "test"))
    assert not [(one, other) for one, other in alike([*train, *test]) if one < len(train) <= other]


def test_a_group_is_in_the_same_part_whatever_comes_after_it() -> None:
    first = [row(f"How do I order a {word}?", group=f"conversation:{word}") for word in WORDS]
    later = [row("Where is the new canteen?", group="conversation:x", order=99)]
    before, after = split(first, 3), split([*first, *later], 3)
    for part, found in before.items():
        assert set(found) <= set(after[part])
    assert {part_of(f"document:{number}", 0) for number in range(200)} == {"train", "validation", "test"}


@settings(deadline=None)
@given(rows_of_any_kind, st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_nobody_gives_more_than_their_share_of_a_kind(rows: list[Row], share: float) -> None:
    kept = nobody_too_often(rows, share)
    assert len(kept.rows) + len(kept.omitted) == len(rows)
    for kind in ("supervised", "preference", "vote"):
        of_kind = [one for one in kept.rows if one.example.kind == kind]
        counts = Counter(one.person for one in of_kind if one.person)
        given_before = {one.person for one in rows if one.example.kind == kind and one.person}
        assert set(counts) == given_before
        assert all(count <= max(1, share * len(of_kind)) for count in counts.values())


@given(st.lists(st.integers(1, 30), max_size=12), st.sampled_from([0.1, 0.3, 1.0]), st.integers(0, 100))
def test_the_largest_share_that_fits_is_taken(counts: list[int], share: float, others: int) -> None:
    most = most_of_one_person(counts, share, others)
    fits = [n for n in range(2, max(counts, default=1) + 1) if n <= share * (others + sum(min(c, n) for c in counts))]
    assert most == max(fits, default=1)


def test_a_person_with_many_votes_weighs_no_more_than_their_share() -> None:
    users = ["U0LOUD"] * 100 + [f"U{number}" for number in range(30)]
    weights = vote_weights(users, 0.1)
    assert weights["U0LOUD"] * 100 <= 0.1 * sum(weights[user] for user in users) + 1e-9
    assert weights["U1"] == 1.0


def test_of_two_rows_that_say_the_same_the_operators_stays() -> None:
    theirs = row("How do I get a new badge?", lane="messages", order=5)
    operators = row("How do I get a new badge ?", lane="corrections", order=1, group="conversation:2")
    kept = each_once([theirs, operators])
    assert kept.rows == (operators,)
    assert [one.reason for one in kept.omitted] == ["duplicate"]


def test_a_number_or_a_not_makes_another_question() -> None:
    asked = ["Is parking allowed on level 2?", "Is parking allowed on level 3?", "Is parking not allowed on level 2?"]
    assert clusters([*asked, "is parking allowed on level 2"]) == [0, 1, 2, 0]


@given(
    st.frozensets(st.sampled_from(["U1", "U2", "U3"]), max_size=3),
    st.sampled_from(["", "U1", "U2"]),
    st.frozensets(st.sampled_from(["U1", "U2", "U3"])),
    st.frozensets(st.sampled_from(["U1", "U2", "U3"])),
    st.booleans(),
    st.booleans(),
    st.frozensets(st.sampled_from([EVERYONE, "channel:C1"])),
    st.frozensets(st.sampled_from([EVERYONE, "channel:C1", "channel:C2", "person:U1"])),
)
def test_nobodys_words_train_without_a_permission_for_them(
    asked_by: frozenset[str],
    answered_by: str,
    operators: frozenset[str],
    consenting: frozenset[str],
    switched_on: bool,
    public_place: bool,
    audiences: frozenset[str],
    found: frozenset[str],
) -> None:
    permissions = Permissions(
        message_text=switched_on,
        operators=operators,
        consenting=frozenset(("T1", user) for user in consenting),
        is_public=lambda _channel: public_place,
    )
    provenance = Provenance(
        team="T1", channel="C1", asked_by=asked_by, answered_by=answered_by, audiences=audiences, found=found
    )
    people = asked_by | ({answered_by} - {""})
    try:
        lane = lane_of(provenance, permissions)
    except NotUsableError:
        return
    assert audiences <= {EVERYONE}
    assert found <= ({EVERYONE, "channel:C1"} if public_place else {EVERYONE})
    match lane:
        case "documents":
            assert not people
        case "corrections":
            assert answered_by
            assert people <= operators
        case _:
            assert lane == "messages"
            assert switched_on
            assert public_place
            assert people <= consenting | (operators if answered_by else set())


def test_consent_in_one_workspace_is_none_in_another() -> None:
    permissions = Permissions(message_text=True, consenting=frozenset({("T1", "U1")}), is_public=lambda _channel: True)
    provenance = Provenance(team="T2", channel="C1", asked_by=frozenset({"U1"}))
    with pytest.raises(NotUsableError) as caught:
        lane_of(provenance, permissions)
    assert caught.value.reason == "no_consent"
