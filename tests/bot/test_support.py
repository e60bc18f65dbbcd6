"""The estimate of whether passages answer a question: what raises it, what lowers it, and its bounds."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest

from bot.evidence import rank_evidence
from bot.support import FITTED, SupportFeatures, estimate_support, support_features
from knowledge.document import Passage, Question
from tests.bot.answer_parts import BADGES, LEAVE, passage
from tests.knowledge.fake_embedder import FakeEmbedder

NOTHING = SupportFeatures(passage_cosine=0.0, sentence_cosine=0.0, new_words=0.0)
MUCH = SupportFeatures(passage_cosine=0.8, sentence_cosine=0.8, new_words=0.9)


def measure(text: str, *passages: Passage) -> SupportFeatures:
    embedder = FakeEmbedder(dim=256)
    question = Question(text=text)
    vector = embedder.embed([text], role="question")[0]
    return support_features(question, passages, rank_evidence(question, passages, vector, embedder))


def test_without_evidence_all_is_zero() -> None:
    assert measure("Who issues badges?") == NOTHING


def test_what_fits_counts_for_more_than_what_does_not() -> None:
    badges, leave = passage(BADGES, title="Badges"), passage(LEAVE, title="Leave")
    fitting = estimate_support(measure("Who issues badges at the front desk?", badges))
    assert fitting > estimate_support(measure("Who issues badges at the front desk?", leave))


def test_words_of_the_header_alone_are_not_found_in_the_text() -> None:
    about = passage("It opened in 1990 and has nine floors.", title="Parental leave")
    held = passage("Parental leave is 16 weeks at full pay.", title="Parental leave")
    asked = "How many weeks of pay in parental leave?"
    assert measure(asked, about).new_words < measure(asked, held).new_words


def test_a_question_that_only_repeats_the_header_is_half_found() -> None:
    assert measure("parental leave?", passage("It is long.", title="Parental leave")).new_words == 0.5


def test_another_passage_never_lowers_what_was_found() -> None:
    badges, leave = passage(BADGES, number=1, title="Badges"), passage(LEAVE, number=2, title="Leave")
    one, both = measure("Who issues badges?", badges), measure("Who issues badges?", badges, leave)
    assert both.sentence_cosine >= one.sentence_cosine
    assert both.new_words >= one.new_words


def test_there_is_a_weight_for_each_feature() -> None:
    assert len(FITTED.weights) == len(fields(SupportFeatures))


def test_estimates_are_probabilities_on_both_sides_of_a_half() -> None:
    assert 0 < estimate_support(NOTHING) < 0.1
    assert 0.9 < estimate_support(MUCH) < 1
    assert math.isfinite(estimate_support(replace(MUCH, passage_cosine=-1.0)))


@pytest.mark.parametrize("name", ["passage_cosine", "sentence_cosine", "new_words"])
def test_more_of_what_speaks_for_an_answer_raises_it(name: str) -> None:
    assert estimate_support(replace(MUCH, **{name: 0.9})) > estimate_support(replace(MUCH, **{name: 0.1}))
