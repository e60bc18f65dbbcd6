"""A sentence is supported where the passage that it cites, and not some other, holds what it says."""

from __future__ import annotations

import pytest

from bot.evaluate.supported import cited_sentences, is_supported, supported_share

BADGES = "Badges are issued by Maria Lopez at the front desk. A lost badge costs 15 euros. Badges are not for sale."


@pytest.mark.parametrize(
    ("sentence", "supported"),
    [
        ("Badges are issued by Maria Lopez at the front desk.", True),
        ("Maria Lopez issues badges.", True),
        ("A lost badge costs 15 euros and Maria Lopez issues badges at the front desk.", True),
        ("A lost badge costs 20 euros.", False),
        ("Badges are issued by Maria Gomez in the main hall.", False),
        ("Badges are for sale.", False),
        ("A lost badge does not cost 15 euros.", False),
        ("The canteen opens at noon.", False),
    ],
)
def test_words_numbers_and_negation_must_agree(sentence: str, supported: bool) -> None:
    assert is_supported(sentence, "", BADGES) is supported


def test_repeating_the_question_supports_nothing() -> None:
    question = "Who issues badges at the front desk?"
    assert not is_supported("Peter issues badges at the front desk.", question, BADGES)


def test_each_sentence_is_held_against_the_passage_that_it_cites() -> None:
    answer = "Maria Lopez issues badges. [1] The canteen opens at noon. [2] Lunch is free."
    passages = {1: BADGES, 2: "The canteen opens at noon."}
    assert supported_share(answer, "", passages) == pytest.approx(2 / 3)
    swapped = {1: passages[2], 2: passages[1]}
    assert supported_share(answer, "", swapped) == 0.0


def test_what_we_say_ourselves_does_not_count() -> None:
    (only,) = cited_sentences("The sources say: “Badges are issued by Maria Lopez.” [1][2]")
    assert only.numbers == (1, 2)
    assert "sources" not in only.text


def test_an_answer_without_words_tells_nothing() -> None:
    assert supported_share("", "", {1: BADGES}) is None
