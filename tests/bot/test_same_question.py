"""Whether two questions ask the same: pairs that vectors cannot tell apart, and ways of asking one thing."""

from __future__ import annotations

import pytest

from bot.same_question import asks_for_another_kind, asks_the_same, stands_alone, telling_difference
from knowledge.document import HistoryTurn, Question

# The cosine of each pair with the embedded model stands beside it.
DIFFERENT = (
    ("Is smoking allowed on the terrace?", "Is smoking forbidden on the terrace?"),  # .98
    ("When is payday in 2024?", "When is payday in 2025?"),  # .96
    ("Can I work from home on Fridays?", "Can I not work from home on Fridays?"),  # .94
    ("Can I work from home on Fridays?", "Can I work from home on Mondays?"),  # .90
    ("How do I enable two-factor login?", "How do I disable two-factor login?"),  # .88
    ("How do I deploy to production?", "How do I deploy to staging?"),  # .81
    ("Where is the staging server?", "Where is the production server?"),  # .80
    ("How do I get a badge?", "How do visitors get a badge?"),  # .78
    ("How do I join the London office?", "How do I leave the London office?"),  # .77
    ("How long is parental leave?", "How long is leave?"),  # .77
    ("Who approves vacation in sales?", "Who approves vacation in support?"),  # .73
    ("How do I request a new laptop?", "How do I return an old laptop?"),  # .72
    ("What does the basic plan cost?", "What does the premium plan cost?"),  # .72
    ("How many vacation days do I get?", "How many sick days do I get?"),  # .71
    ("Can contractors get a badge?", "Can visitors get a badge?"),  # .66
    ("What is the expense limit for meals?", "What is the expense limit for hotels?"),  # .64
    ("How long is parental leave?", "How long is sick leave?"),  # .62
    ("How do I reset my VPN password?", "How do I reset my email password?"),  # .60
    ("How do I book a meeting room?", "How do I cancel a meeting room?"),  # .59
    ("How do I deploy to production?", "How do I roll back production?"),  # .56
    ("Who issues badges?", "What do lost badges cost?"),  # .54
    ("What is our refund policy?", "What is our privacy policy?"),  # .42
)
SAME = (
    ("How long is parental leave?", "What is the length of parental leave?"),  # .96
    ("What is the price of the basic plan?", "What does the basic plan cost?"),  # .95
    ("How do I delete my account?", "How do I remove my account?"),  # .93
    ("How do I deploy to production?", "What are the steps to deploy to production?"),  # .92
    ("Where is the staging server?", "What's the address of the staging server?"),  # .91
    ("How do I request a new laptop?", "How can I get a new laptop?"),  # .87
    ("How do I submit an expense report?", "Where do I hand in expense reports?"),  # .86
    ("Who issues badges?", "Who gives out badges?"),  # .78
    ("How do I book a meeting room?", "How can I reserve a meeting room?"),  # .77
    ("Who issues badges?", "who issues BADGES"),
)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_questions_that_differ_in_a_telling_word_are_two(one: str, other: str) -> None:
    assert not asks_the_same(one, other)
    assert not asks_the_same(other, one)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_another_way_of_asking_is_the_same_question(one: str, other: str) -> None:
    assert asks_the_same(one, other)
    assert asks_the_same(other, one)


@pytest.mark.parametrize("text", ["?", "and?", "what about it"])
def test_questions_without_a_topic_match_only_themselves(text: str) -> None:
    assert not asks_the_same(text, "how?")
    assert asks_the_same(text, text)


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("How long is parental leave for fathers?", True),
        ("And how long is parental leave for fathers?", False),
        ("How long does it take for fathers on leave?", False),
        ("How long?", False),
        ("What about parental leave for fathers?", False),
    ],
)
def test_a_follow_up_that_needs_what_was_said_before_is_not_taken_for_a_question_of_its_own(
    text: str, alone: bool
) -> None:
    assert stands_alone(Question(text=text))
    assert stands_alone(Question(text=text, history=(HistoryTurn(role="user", text="Who?"),))) is alone


def test_who_and_how_old_are_wanted_by_different_questions() -> None:
    assert asks_for_another_kind("Who did she play for?", "How old was she when she played?")
    assert not asks_for_another_kind("Who plays there?", "How old are those who play?")
    assert asks_for_another_kind("Who plays there?", "How old is the hall?")
    assert asks_for_another_kind("When does it open?", "Where does it open?")
    assert not asks_for_another_kind("What is the length of the leave?", "How long is the leave?")


def test_the_words_that_tell_two_questions_apart_are_named() -> None:
    assert telling_difference("How do I deploy to production?", "How do I deploy to staging?") == {"production", "stag"}
    assert telling_difference("How do I book a room?", "How can I reserve a room?") == frozenset()
