"""A quantized encoder made from a small BERT with drawn weights; the real one is in test_embed.py."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from knowledge.embed_onnx import OnnxEmbedder, OnnxEncoder, quantize_encoder
from knowledge.encoder_files import EncoderFiles, Recipe, check
from knowledge.errors import EmbedderError
from knowledge.quantize import BertShape, Floats, encoder_graph

SHAPE = BertShape(layers=2, heads=4, epsilon=1e-12)
HIDDEN, WIDE, WORDS, PLACES = 32, 64, 50, 300
TEXTS = ["one two three", "four", "five six seven eight nine ten eleven twelve", ""]


def tokenizer() -> Tokenizer:
    names = "[UNK] [CLS] one two three four five six seven eight nine ten eleven twelve".split()
    made = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    return made


def weights(seed: int = 1) -> dict[str, Floats]:
    """Drawn, in the shapes of transformers' BertModel; one channel is far larger than the rest, as in real ones."""
    draw = np.random.default_rng(seed)

    def numbers(*shape: int) -> Floats:
        return (draw.standard_normal(shape) * 0.2).astype(np.float32)

    made = {
        "embeddings.word_embeddings.weight": numbers(WORDS, HIDDEN),
        "embeddings.position_embeddings.weight": numbers(PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": numbers(2, HIDDEN),
    }
    norms = ["embeddings."]
    for layer in range(SHAPE.layers):
        at = f"encoder.layer.{layer}."
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            made |= {f"{at}{part}.weight": numbers(HIDDEN, HIDDEN), f"{at}{part}.bias": numbers(HIDDEN)}
        made |= {f"{at}intermediate.dense.weight": numbers(WIDE, HIDDEN), f"{at}intermediate.dense.bias": numbers(WIDE)}
        made |= {f"{at}output.dense.weight": numbers(HIDDEN, WIDE), f"{at}output.dense.bias": numbers(HIDDEN)}
        norms += [f"{at}attention.output.", f"{at}output."]
    for at in norms:
        gain = np.ones(HIDDEN, np.float32)
        gain[3] = 20
        made |= {f"{at}LayerNorm.weight": gain, f"{at}LayerNorm.bias": numbers(HIDDEN)}
    return made


@pytest.fixture(scope="module")
def model() -> bytes:
    return quantize_encoder(weights(), SHAPE, tokenizer())


def embedder(model: bytes | Path) -> OnnxEmbedder:
    return OnnxEmbedder("small", OnnxEncoder(model), tokenizer(), 8)


def test_its_vectors_are_nearly_those_of_the_floats(model: bytes) -> None:
    exact = embedder(encoder_graph(weights(), SHAPE)).embed(TEXTS)
    assert np.sum(embedder(model).embed(TEXTS) * exact, axis=1).min() > 0.99


def test_the_graph_computes_what_a_bert_computes() -> None:
    """Against the formulas, written out for one text."""
    given, ids = weights(), [1, 4, 2, 9]

    def normal(value: Floats, at: str) -> Floats:
        even = (value - value.mean(-1, keepdims=True)) / np.sqrt(value.var(-1, keepdims=True) + SHAPE.epsilon)
        return np.asarray(even * given[f"{at}LayerNorm.weight"] + given[f"{at}LayerNorm.bias"], np.float32)

    def linear(value: Floats, at: str) -> Floats:
        return np.asarray(value @ given[f"{at}.weight"].T + given[f"{at}.bias"], np.float32)

    places = given["embeddings.position_embeddings.weight"][: len(ids)]
    total = (
        given["embeddings.word_embeddings.weight"][ids] + places + given["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = normal(total, "embeddings.")
    for layer in range(SHAPE.layers):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            linear(hidden, f"{at}attention.self.{part}").reshape(len(ids), SHAPE.heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        share = np.exp(query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1]))
        share /= share.sum(-1, keepdims=True)
        attended = np.asarray((share @ value).swapaxes(0, 1).reshape(len(ids), -1), np.float32)
        hidden = normal(linear(attended, f"{at}attention.output.dense") + hidden, f"{at}attention.output.")
        wide = linear(hidden, f"{at}intermediate.dense")
        active = np.asarray(wide * 0.5 * (1 + np.vectorize(math.erf)(wide / np.sqrt(2))), np.float32)
        hidden = normal(linear(active, f"{at}output.dense") + hidden, f"{at}output.")
    found = OnnxEncoder(encoder_graph(given, SHAPE)).encode(ids)
    np.testing.assert_allclose(found, hidden.mean(0), atol=1e-3)


def test_company_does_not_change_a_vector(model: bytes) -> None:
    together = embedder(model).embed(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(embedder(model).embed([text])[0], vector)


def test_a_long_text_is_cut_and_the_tokenizer_is_not(model: bytes) -> None:
    made = embedder(model)
    long = "one two three four five six seven eight nine ten"
    np.testing.assert_array_equal(made.embed([long])[0], made.embed(["one two three four five six seven"])[0])
    assert made.count_tokens(long) == 10


def test_the_same_weights_give_the_same_file(model: bytes) -> None:
    assert quantize_encoder(weights(), SHAPE, tokenizer()) == model


def test_weights_that_lack_a_layer_are_an_error() -> None:
    with pytest.raises(EmbedderError, match="cannot be quantized"):
        quantize_encoder(weights(), BertShape(layers=3, heads=4, epsilon=1e-12), tokenizer())


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"no model")
    with pytest.raises(EmbedderError, match="ONNX Runtime"):
        OnnxEncoder(tmp_path / "encoder.onnx")


@pytest.mark.parametrize("turns", [False, True])
def test_a_form_whose_vectors_are_off_is_refused(turns: bool) -> None:
    recipe = Recipe(key="abc", weights=weights, shape=SHAPE, turns=turns)
    quantized = OnnxEncoder(quantize_encoder(weights(), SHAPE, tokenizer(), turns=turns))
    assert check(quantized, OnnxEncoder(encoder_graph(weights(), SHAPE, turns=turns)), recipe, tokenizer()) > 0.98
    turned = weights()
    turned["encoder.layer.1.output.LayerNorm.weight"] *= -1
    with pytest.raises(EmbedderError, match="8-bit"):
        check(quantized, OnnxEncoder(encoder_graph(turned, SHAPE, turns=turns)), recipe, tokenizer())


class TestEncoderFiles:
    def test_a_saved_model_is_found_and_embeds_the_same(self, tmp_path: Path, model: bytes) -> None:
        saved = EncoderFiles(tmp_path / "models").save("abc", model, 0.995)
        assert EncoderFiles(tmp_path / "models").find("abc") == saved
        np.testing.assert_array_equal(embedder(saved).embed(TEXTS), embedder(model).embed(TEXTS))

    def test_nothing_is_found_for_other_weights(self, tmp_path: Path, model: bytes) -> None:
        files = EncoderFiles(tmp_path)
        assert files.find("abc") is None
        files.save("abc", model, 0.995)
        assert files.find("abd") is None

    def test_only_whole_files_are_left_however_often_it_is_saved(self, tmp_path: Path, model: bytes) -> None:
        for _ in range(2):
            EncoderFiles(tmp_path).save("abc", model, 0.995)
        assert sorted(file.suffix for file in tmp_path.iterdir()) == [".json", ".onnx"]

    def test_a_write_that_fails_leaves_what_was_there(self, tmp_path: Path, model: bytes) -> None:
        files = EncoderFiles(tmp_path)
        saved = files.save("abc", model, 0.995)
        saved.unlink()
        saved.mkdir()
        (saved / "in the way").touch()
        with pytest.raises(OSError, match=saved.name):
            files.save("abc", model, 0.995)
        assert not list(tmp_path.glob("*.tmp"))
        assert not list(tmp_path.glob(".*.tmp"))

    @pytest.mark.parametrize("harm", ["cut", "changed", "gone", "manifest cut", "manifest of another kind"])
    def test_a_damaged_file_is_not_found(self, tmp_path: Path, model: bytes, harm: str) -> None:
        files = EncoderFiles(tmp_path)
        saved = files.save("abc", model, 0.995)
        (manifest,) = tmp_path.glob("*.json")
        match harm:
            case "cut":
                saved.write_bytes(model[: len(model) // 2])
            case "changed":
                saved.write_bytes(model[:-1] + bytes([model[-1] ^ 1]))
            case "gone":
                saved.unlink()
            case "manifest cut":
                manifest.write_text(manifest.read_text()[:20])
            case _:
                manifest.write_text("[]")
        assert files.find("abc") is None
