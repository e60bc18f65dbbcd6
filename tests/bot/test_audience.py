"""Nothing reaches anybody who may not read it: a slice of `tests.benchmarks.audience`, and proof that it can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.audience import Shape, caught, measure_recall, run
from tests.benchmarks.audience_desk import FAULTS
from tests.benchmarks.audience_world import Place, Right, World, held_in, new_world


def test_no_random_world_leaks_and_none_hides_what_may_be_read() -> None:
    shape = Shape(cases_a_world=100, deep_share=0.15, happen_share=0.15, cache_share=0.1, memory_share=0.1)
    tally = run(200, 7, shape=shape)
    assert tally.leaks == []
    assert tally.lost == 0
    looked = {"retrieved passages", "shown answers", "explanations", "copies for people", "tuning rows"}
    assert looked <= tally.looked.keys()


# The others are slow to come up; `--faults` shows them all.
@pytest.mark.parametrize("fault", FAULTS[:2])
def test_what_is_broken_on_purpose_is_noticed(fault: str) -> None:
    assert caught(fault, 3).leaks


def test_the_oracle_knows_the_rule() -> None:
    world = new_world(1, documents=1)
    (document,) = world.documents.values()
    user, other = "U00", "U01"
    world.people[user].guest = world.people[user].confirmed = False
    channel = Place(id="C9", kind="private", members={user})
    world.places |= {"C9": channel, "C8": Place(id="C8", kind="public", members={user, other})}
    told = _told(world, user)
    document.right = Right(kind="channel", who="C9")
    assert told(channel)
    assert told(world.direct(user))
    assert not told(world.places["C8"])
    assert not world.may_be_told(document, other, world.direct(other))
    document.right = Right(kind="people", people=frozenset({world.people[user].email}))
    world.source_hours[document.source] = 1.0
    assert not told(world.direct(user))
    world.people[user].confirmed = True
    assert told(world.direct(user))
    assert not told(channel)
    world.source_hours[document.source] = 25.0
    assert not told(world.direct(user))
    document.right = Right(kind="everyone")
    world.people[user].guest = True
    assert not told(world.direct(user))
    world.people[user].guest = False
    world.documents.clear()
    assert not told(world.direct(user))


def test_canaries_are_found_whatever_stands_around_them() -> None:
    assert list(held_in("xcanaryabz, “canarybz”canarycz [1]")) == ["canaryabz", "canarybz", "canarycz"]
    words = [one.canaries[0] for one in new_world(3, documents=50).documents.values()]
    assert not any(one != other and other.startswith(one) for one in words for other in words)


def test_filters_cost_no_recall() -> None:
    for row in measure_recall(2_000, (0.01, 0.5, 1.0), questions=20):
        assert row.recall >= 0.98


def _told(world: World, user: str) -> Callable[[Place], bool]:
    (document,) = world.documents.values()
    return lambda place: world.may_be_told(document, user, place)


def test_a_world_is_the_same_for_the_same_seed() -> None:
    one, two = new_world(5, documents=20), new_world(5, documents=20)
    assert [vars(item) for item in one.documents.values()] == [vars(item) for item in two.documents.values()]
