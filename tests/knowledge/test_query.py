from __future__ import annotations

import numpy as np
import pytest

from knowledge.document import HistoryTurn, Question
from knowledge.query import HistoryWeights, QueryPiece, query_pieces, query_vector
from tests.knowledge.fake_embedder import FakeEmbedder

WEIGHTS = HistoryWeights(question=0.2, answer=0.3)
HISTORY = (
    HistoryTurn(role="user", text="first question"),
    HistoryTurn(role="assistant", text="first answer"),
    HistoryTurn(role="user", text="second question"),
    HistoryTurn(role="assistant", text="second answer"),
)


def test_the_last_turn_is_joined_by_the_previous_question_and_answer() -> None:
    assert query_pieces(Question(text="and now?", history=HISTORY), WEIGHTS) == (
        QueryPiece(text="and now?", weight=1.0),
        QueryPiece(text="second question", weight=0.2),
        QueryPiece(text="second answer", weight=0.3),
    )


def test_a_first_question_stands_alone() -> None:
    assert query_pieces(Question(text="hello"), WEIGHTS) == (QueryPiece(text="hello", weight=1.0),)


def test_empty_turns_and_weights_of_zero_are_left_out() -> None:
    question = Question(text="x", history=(HISTORY[0], HistoryTurn(role="assistant", text="  ")))
    assert query_pieces(question, HistoryWeights(question=0.0, answer=0.3)) == (QueryPiece(text="x", weight=1.0),)


def test_the_vector_is_the_weighted_sum_at_length_one() -> None:
    embedder = FakeEmbedder()
    pieces = query_pieces(Question(text="and now?", history=HISTORY), WEIGHTS)
    last, asked, answered = embedder.embed(["and now?", "second question", "second answer"])
    total = last + 0.2 * asked + 0.3 * answered
    np.testing.assert_allclose(query_vector(embedder, pieces), total / np.linalg.norm(total), atol=1e-6)


def test_a_huge_question_is_cut_before_it_is_tokenized() -> None:
    embedder = FakeEmbedder(max_tokens=256)
    vector = query_vector(embedder, (QueryPiece(text="word " * 20_000, weight=1.0),))
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert len(embedder.embedded_texts[-1]) <= 256 * 12
