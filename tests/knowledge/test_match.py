"""The second look at passages, with a small drawn model, against the formula written out."""

from __future__ import annotations

import numpy as np
import pytest

from knowledge.document import Passage
from knowledge.embed_onnx import OnnxEncoder
from knowledge.match import TokenMatch
from knowledge.quantize import encoder_graph
from knowledge.query_encoder import unit
from tests.knowledge.test_embed_onnx import SHAPE, tokenizer, weights


@pytest.fixture(scope="module")
def encoder() -> OnnxEncoder:
    return OnnxEncoder(encoder_graph(weights(), SHAPE))


def passage(text: str, header: str = "") -> Passage:
    return Passage(
        id=1,
        document_id=1,
        source="s",
        uri="u",
        title="t",
        header=header,
        text=text,
        text_hash="h",
        audience="everyone",
        score=0.5,
        cosine=0.5,
        word_score=0.5,
    )


def test_a_passage_scores_the_mean_of_its_best_matches_with_the_signs_of_its_pieces(encoder: OnnxEncoder) -> None:
    question = unit(encoder.tokens(tokenizer().encode("one two").ids)[1:-1])
    found = TokenMatch(encoder, tokenizer()).scores(question, [passage("two three four", "six")])
    other = np.where(encoder.tokens(tokenizer().encode("six\ntwo three four").ids)[1:-1] > 0, 1.0, -1.0)
    cosines = question @ other.T / np.sqrt(other.shape[1])
    assert found == pytest.approx([cosines.max(axis=1).mean()], abs=1e-5)


def test_pieces_count_as_they_are_weighed(encoder: OnnxEncoder) -> None:
    match = TokenMatch(encoder, tokenizer())
    question = unit(encoder.tokens(tokenizer().encode("one two").ids)[1:])
    passages = [passage("two three four"), passage("one five six")]
    best = [match.scores(question[place : place + 1], passages) for place in range(2)]
    mixed = match.scores(question, passages, np.asarray([3.0, 1.0], np.float32))
    assert mixed == pytest.approx([0.75 * one + 0.25 * two for one, two in zip(*best, strict=True)], abs=1e-6)


def test_passages_are_scored_in_their_order_and_kept_ones_the_same(encoder: OnnxEncoder) -> None:
    match = TokenMatch(encoder, tokenizer())
    question = unit(encoder.tokens(tokenizer().encode("one two five").ids)[1:-1])
    passages = [passage("two three four"), passage("nine ten one two"), passage("five six seven")]
    first = match.scores(question, passages)
    assert match.scores(question, passages[::-1]) == first[::-1]
    assert len(set(first)) == 3


def test_a_question_without_words_prefers_nothing(encoder: OnnxEncoder) -> None:
    empty = np.empty((0, 32), np.float32)
    assert TokenMatch(encoder, tokenizer()).scores(empty, [passage("one two three")]) == [0.0]
