"""The measures of answers against values worked out by hand."""

from __future__ import annotations

import pytest

from bot.evaluate.scores import contains_answer, normalise, precision_recall, token_f1


def test_normalising_drops_articles_punctuation_case_and_marks() -> None:
    assert normalise("The Badge, [1] is  ready!") == "badge is ready"


def test_f1_is_the_best_over_the_references() -> None:
    # 2 shared of 3 and 2 words: precision 2/3, recall 1, F1 .8
    assert token_f1("Maria Lopez today", ["nobody", "Maria Lopez"]) == pytest.approx(0.8)
    assert token_f1("", ["Maria"]) == 0.0
    assert token_f1("Maria", []) == 0.0


def test_containment_is_word_for_word() -> None:
    assert contains_answer("It costs 15 euros.", ["15"])
    assert not contains_answer("It costs 150 euros.", ["15"])
    assert not contains_answer("It costs 15 euros.", [""])


def test_precision_and_recall_are_pooled_over_rows() -> None:
    scores = precision_recall([{0, 1}, {2}], [{0}, {3, 2}])
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 3)


def test_nothing_to_count_is_said() -> None:
    scores = precision_recall([set()], [set()])
    assert scores.precision is None
    assert scores.recall is None
