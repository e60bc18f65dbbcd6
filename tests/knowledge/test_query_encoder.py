"""Questions in their conversation: what the adapted model reads, and what it makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from knowledge.document import HistoryTurn, Question
from knowledge.embed import Embedder, load_embedder
from knowledge.errors import EmbedderError
from knowledge.query import HistoryWeights
from knowledge.query_encoder import MOST_TOKENS, WeightedHistory, merged, turn_ids, unit
from knowledge.query_side import QuerySide, open_query_side
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.test_embed_onnx import tokenizer as small_tokenizer

WEIGHTS = HistoryWeights()


@pytest.fixture
def tokenizer() -> Tokenizer:
    from tokenizers.processors import TemplateProcessing

    made = small_tokenizer()
    made.post_processor = TemplateProcessing(single="[CLS] $A [CLS]", special_tokens=[("[CLS]", 1)])
    return made


def words(number: int) -> str:
    return " ".join(["one"] * number)


def said(*texts: str) -> tuple[HistoryTurn, ...]:
    return tuple(
        HistoryTurn(role="assistant" if number % 2 else "user", text=text) for number, text in enumerate(texts)
    )


def test_the_question_comes_first_then_the_newest_turns(tokenizer: Tokenizer) -> None:
    read = turn_ids(Question(text="two", history=said("three", "four", "five")), tokenizer)
    names = [tokenizer.id_to_token(number) for number in read.ids]
    assert names == ["[CLS]", "two", "[CLS]", "five", "[CLS]", "four", "[CLS]", "three", "[CLS]"]
    assert read.asked == 3


def test_a_long_answer_leaves_room_for_the_question_before_it(tokenizer: Tokenizer) -> None:
    read = turn_ids(Question(text="two", history=said("three four", words(500))), tokenizer)
    names = [tokenizer.id_to_token(number) for number in read.ids]
    assert names.count("one") == 32
    assert {"three", "four"} <= set(names)


@pytest.mark.parametrize("length", [1, 59, 60, 61, 62, 63, 200])
def test_history_never_makes_a_pass_longer_than_its_bound(tokenizer: Tokenizer, length: int) -> None:
    read = turn_ids(Question(text=words(length), history=said(*[words(50)] * 9)), tokenizer)
    assert len(read.ids) <= max(MOST_TOKENS, read.asked)
    assert read.asked == min(length, 254) + 2


def test_each_piece_of_the_question_knows_its_word(tokenizer: Tokenizer) -> None:
    read = turn_ids(Question(text="One, TWO zebras? three", history=said("four")), tokenizer)
    pieces = [tokenizer.id_to_token(number) for number in read.ids[1 : read.asked - 1]]
    assert len(read.words) == len(pieces)
    known = [(piece, word) for piece, word in zip(pieces, read.words, strict=True) if piece != "[UNK]"]
    assert ("three", "three") in known
    assert "zebras" in read.words
    assert set(read.words) <= {"one", "two", "zebras", "three", ""}
    assert turn_ids(Question(text="  "), tokenizer).words == ()


def test_turns_that_say_nothing_are_passed_over(tokenizer: Tokenizer) -> None:
    read = turn_ids(Question(text="two", history=said(" ", "\n")), tokenizer)
    assert read.asked == len(read.ids)


def test_an_adapter_adds_to_the_weights_that_it_names() -> None:
    weights = {"a.weight": np.ones((2, 3), np.float32), "b.weight": np.ones(2, np.float32)}
    adapter = {"a.down": np.ones((1, 3), np.float32), "a.up": np.asarray([[1], [2]], np.float32)}
    found = merged(weights, adapter)
    np.testing.assert_array_equal(found["a.weight"], [[3, 3, 3], [5, 5, 5]])
    np.testing.assert_array_equal(found["b.weight"], weights["b.weight"])
    np.testing.assert_array_equal(weights["a.weight"], np.ones((2, 3)))


@pytest.mark.parametrize(
    "adapter",
    [
        {"c.down": np.ones((1, 3), np.float32), "c.up": np.ones((2, 1), np.float32)},
        {"a.down": np.ones((1, 3), np.float32)},
        {"a.down": np.ones((1, 4), np.float32), "a.up": np.ones((2, 1), np.float32)},
    ],
)
def test_an_adapter_of_another_model_is_refused(
    adapter: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
) -> None:
    with pytest.raises(EmbedderError, match="does not fit"):
        merged({"a.weight": np.ones((2, 3), np.float32)}, adapter)


def test_unit_vectors_have_length_one_and_nothing_stays_nothing() -> None:
    found = unit(np.asarray([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(found, np.asarray([[0.6, 0.8], [0, 0]], np.float32), atol=1e-6)


def test_any_other_embedder_reads_follow_ups_by_weighted_history(tmp_path: Path) -> None:
    side = open_query_side(FakeEmbedder(), tmp_path, WEIGHTS)
    assert isinstance(side.encoder, WeightedHistory)
    assert side.match is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Embedder:
    return load_embedder("embedded", precision="auto", made_in=folder)


@pytest.fixture(scope="module")
def side(embedder: Embedder, folder: Path) -> QuerySide:
    return open_query_side(embedder, folder, WEIGHTS)


FOLLOW_UPS = [
    (
        "How long is it kept?",
        "How long is the backup of the wiki kept?",
        ("Is the wiki backed up?", "Yes, every night."),
    ),
    (
        "And for contractors?",
        "How many vacation days do contractors get?",
        ("How many vacation days do we get?", "28."),
    ),
    ("Who approves that?", "Who approves a new laptop?", ("Can I get a new laptop?", "Every three years, on request.")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "meant", "before"), FOLLOW_UPS)
def test_a_follow_up_comes_nearer_to_what_is_meant(
    side: QuerySide, embedder: Embedder, text: str, meant: str, before: tuple[str, ...]
) -> None:
    lone, target = embedder.embed([text, meant], role="question")
    found = side.encoder.encode(Question(text=text, history=said(*before)))
    assert found.vector @ target > lone @ target + 0.1


@pytest.mark.slow
def test_a_question_that_starts_a_conversation_is_embedded_plainly(side: QuerySide, embedder: Embedder) -> None:
    found = side.encoder.encode(Question(text=FOLLOW_UPS[0][1]))
    assert found.vector @ embedder.embed([FOLLOW_UPS[0][1]], role="question")[0] > 0.9999
    assert found.tokens is not None
    np.testing.assert_allclose(np.linalg.norm(found.tokens, axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_the_finished_file_is_used_again_and_a_damaged_one_is_made_anew(
    side: QuerySide, embedder: Embedder, folder: Path
) -> None:
    question = Question(text=FOLLOW_UPS[0][0], history=said(*FOLLOW_UPS[0][2]))
    first = side.encoder.encode(question).vector
    again = open_query_side(embedder, folder, WEIGHTS)
    np.testing.assert_array_equal(again.encoder.encode(question).vector, first)
    for file in folder.glob("*.onnx"):
        file.write_bytes(b"damaged")
    mended = open_query_side(embedder, folder, WEIGHTS)
    np.testing.assert_array_equal(mended.encoder.encode(question).vector, first)


@pytest.mark.slow
def test_full_precision_says_nearly_the_same(side: QuerySide) -> None:
    exact = open_query_side(load_embedder("embedded", precision="full"), None, WEIGHTS)
    question = Question(text=FOLLOW_UPS[0][0], history=said(*FOLLOW_UPS[0][2]))
    assert exact.encoder.encode(question).vector @ side.encoder.encode(question).vector > 0.97
