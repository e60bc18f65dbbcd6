"""The scores of turns and conversations in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bot.earlier.recollect import Spoken, texts_of
from bot.earlier.score import Weights, score_turns
from knowledge.hits import Scores

AT = datetime(2026, 5, 3, 22, 30, tzinfo=UTC)


def scores(cosines: list[float], bm25: list[float], conversations: list[int], **weights: Any) -> list[float]:
    scored = score_turns(
        np.asarray(cosines, np.float32),
        np.asarray(bm25, np.float32),
        np.asarray(conversations, np.int64),
        Weights(**weights),
    )
    return [round(float(one), 4) for one in scored.turns]


def test_each_kind_counts_by_its_share_of_the_best() -> None:
    assert scores([0.4, 0.2], [0.0, 8.0], [0, 1], words=0.5, conversation=0.0) == [0.5, 0.75]


def test_nothing_in_common_is_zero_however_many_turns_are_compared() -> None:
    assert scores([0.4, -0.3], [0.0, 0.0], [0, 1], words=0.5, conversation=0.0) == [0.5, 0.0]
    assert scores([-0.1], [0.0], [0]) == [0.0]


def test_a_conversation_counts_its_best_turns_and_lifts_them_all() -> None:
    found = score_turns(
        np.asarray([1.0, 0.5, 0.8], np.float32),
        np.zeros(3, np.float32),
        np.asarray([0, 0, 1], np.int64),
        Weights(words=0.0, further_turns=(0.5,), conversation=0.1),
    )
    assert found.conversations == pytest.approx([1.25, 0.8])
    assert found.turns == pytest.approx([1.125, 0.625, 0.88])


def test_of_no_turns_there_are_no_scores() -> None:
    found = score_turns(np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.int64), Weights())
    assert len(found.turns) == len(found.conversations) == 0


@given(
    arrays(np.float32, 6, elements=st.floats(-1, 1, width=32)),
    arrays(np.float32, 6, elements=st.floats(0, 30, width=32)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_a_turn_that_is_better_in_both_is_never_behind_one_of_its_conversation(
    cosines: Scores, words: Scores, numbers: list[int]
) -> None:
    conversations = np.asarray(numbers, np.int64)
    turns = score_turns(cosines, words, conversations, Weights()).turns
    for one in range(6):
        for other in range(6):
            better = cosines[one] >= cosines[other] and words[one] >= words[other]
            if better and conversations[one] == conversations[other]:
                assert turns[one] >= turns[other] - 1e-6


def test_a_turn_is_found_by_its_day_and_by_what_it_replies_to() -> None:
    texts = texts_of(Spoken(text="Yes, on Friday [1].", at=AT), Spoken(text="Does the  van come?", at=AT))
    assert texts.embedded == "Yes, on Friday."
    assert texts.searched == "3 May 2026\nDoes the van come?\nYes, on Friday."
    assert texts_of(Spoken(text="Hello", at=AT, speaker="Ada"), None).searched == "3 May 2026\nAda: Hello"
