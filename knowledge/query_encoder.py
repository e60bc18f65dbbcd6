"""A question in its conversation to one vector, in one pass of the embedded model with a small adapter.

The adapter was trained so that a follow-up question, read together with what was said before it, has the vector that
the plain embedder gives to what a person would have written out; the documents' vectors stay as they are. The method
is ConvDR's (Yu et al., SIGIR 2021, arXiv 2105.04166) with a low-rank adapter (Hu et al., arXiv 2106.09685). Training
and figures: tests/benchmarks/query_encoder.py. It knows no search.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from knowledge.bert import WEIGHTS, fingerprint, read_shape, read_tensors, read_weights
from knowledge.document import HistoryTurn, Question
from knowledge.embed import EMBEDDED_NAME, QUANTIZED_NAME, Embedder, Vectors, embedded_model_folder
from knowledge.embed_onnx import OnnxEmbedder, OnnxEncoder
from knowledge.encoder_files import EncoderFiles, Recipe, open_quantized
from knowledge.errors import EmbedderError
from knowledge.quantize import Floats, Weights, encoder_graph
from knowledge.query import HistoryWeights, query_pieces, query_vector

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ADAPTER = Path(__file__).parent / "query_adapter" / "adapter.safetensors"
# What the adapter was trained with: a pass over 64 word pieces keeps a question's embedding near 10 ms.
MOST_TOKENS = 64
ANSWER_TOKENS = 32
MOST_TURNS = 4
_LEAST_ROOM = 4
# A question longer than that stands on its own; the model itself ends at 512.
_QUESTION_TOKENS = 254
_CHARACTERS_PER_TOKEN = 12
# Of `down` and `up`, as in training: weight + 2 * up @ down.
_SCALE = 2.0
_WORD = re.compile(r"[^\W_]+")
_TYPES = "embeddings.token_type_embeddings.weight"


@dataclass(frozen=True, kw_only=True)
class EncodedQuestion:
    """What a question is searched with."""

    vector: Vectors = field(repr=False)
    """float32[dim], L2-normalised."""
    tokens: Vectors | None = field(default=None, repr=False)
    """float32[word pieces, dim], each L2-normalised, as the conversation colours them; None where nothing asks."""
    words: tuple[str, ...] = field(default=(), repr=False)
    """The word that each of those word pieces is of, in lower case; empty for a mark."""


class QueryEncoder(Protocol):
    """Turns a question with its conversation into vectors. May be called from several threads.

    Real implementations: `WeightedHistory` for any embedder, `AdaptedEncoder` for the embedded one.
    """

    def encode(self, question: Question) -> EncodedQuestion:
        """Encode one question."""


@dataclass(frozen=True, kw_only=True)
class WeightedHistory:
    """The last turn's vector, leaned towards the previous question and answer."""

    embedder: Embedder
    weights: HistoryWeights

    def encode(self, question: Question) -> EncodedQuestion:
        """Embed up to three texts and add them up."""
        return EncodedQuestion(vector=query_vector(self.embedder, query_pieces(question, self.weights)))


@dataclass(frozen=True, kw_only=True)
class TurnIds:
    """A question and what was said before it, as the adapted model reads them."""

    ids: tuple[int, ...]
    asked: int
    """So many of them, from the first, are the question."""
    words: tuple[str, ...]
    """The word of each piece of the question, without the marks at both ends; empty for a sign."""


@dataclass(frozen=True, kw_only=True)
class AdaptedEncoder:
    """The embedded model with its adapter; a question that nothing was said before is embedded plainly."""

    plain: OnnxEncoder
    adapted: OnnxEncoder
    tokenizer: Tokenizer

    def encode(self, question: Question) -> EncodedQuestion:
        """Read the question and the newest turns together."""
        read = turn_ids(question, self.tokenizer)
        # Word pieces are compared with those of passages, which the plain model makes. What was said before colours
        # them here, too: it found more than the adapted model's on the conversations that this was chosen on.
        plain = self.plain.tokens(read.ids)[: read.asked]
        adapted = plain if read.asked == len(read.ids) else self.adapted.tokens(read.ids, read.asked)
        # The marks at both ends are in the mean, and match nothing.
        return EncodedQuestion(vector=unit(adapted.mean(0)), tokens=unit(plain[1:-1]), words=read.words)


def unit(vectors: Vectors) -> Vectors:
    """Scale vectors, in the last axis, to length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0), np.float32)


def turn_ids(question: Question, tokenizer: Tokenizer) -> TurnIds:
    """Put the question first, then the newest turns as far as there is room, each with a mark behind it."""
    marks = tokenizer.encode("").ids
    first, mark = marks[0], marks[-1]

    def pieces(text: str, most: int) -> list[int]:
        return list(tokenizer.encode(text[: most * _CHARACTERS_PER_TOKEN], add_special_tokens=False).ids[:most])

    text = question.text[: _QUESTION_TOKENS * _CHARACTERS_PER_TOKEN]
    encoded = tokenizer.encode(text, add_special_tokens=False)
    ids = [first, *encoded.ids[:_QUESTION_TOKENS], mark]
    asked = len(ids)
    for turn in _newest(question.history):
        room = MOST_TOKENS - len(ids) - 1
        if room < _LEAST_ROOM:
            break
        ids += [*pieces(turn.text, min(room, ANSWER_TOKENS) if turn.role == "assistant" else room), mark]
    return TurnIds(ids=tuple(ids), asked=asked, words=_words_at(text, encoded.offsets[:_QUESTION_TOKENS]))


def _words_at(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The word around each place of a text; empty where a sign stands there."""
    found: list[str] = []
    spans = iter(_WORD.finditer(text))
    span = next(spans, None)
    for start, _ in offsets:
        while span is not None and span.end() <= start:
            span = next(spans, None)
        found.append(span.group().lower() if span is not None and span.start() <= start else "")
    return tuple(found)


def open_encoders(embedder: Embedder, made_in: Path | None) -> AdaptedEncoder:
    """Open both encoders for the embedded model; what that takes is made in `made_in` once, and checked.

    Raises EmbedderError.
    """
    return AdaptedEncoder(
        plain=_open_plain(embedder), adapted=_open_adapted(embedder, made_in), tokenizer=embedder.tokenizer
    )


def has_adapter(embedder: Embedder) -> bool:
    """Tell whether the adapter is for this embedder."""
    return embedder.name in (EMBEDDED_NAME, QUANTIZED_NAME)


def merged(weights: Weights, adapter: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the model's weights with the adapter in them; raises EmbedderError where the two do not fit."""
    result = dict(weights)
    try:
        for name in adapter:
            if name == _TYPES:
                result[name] = adapter[name].astype(np.float32)
            elif name.endswith(".down"):
                matrix = f"{name.removesuffix('.down')}.weight"
                up, down = adapter[f"{name.removesuffix('.down')}.up"], adapter[name]
                result[matrix] = result[matrix] + _SCALE * (up.astype(np.float32) @ down.astype(np.float32))
    except (KeyError, ValueError) as error:
        raise EmbedderError(f"The query adapter does not fit the embedded model ({error!r}).") from error
    return result


def _newest(history: tuple[HistoryTurn, ...]) -> Iterator[HistoryTurn]:
    said = [turn for turn in history if turn.text.strip()]
    yield from reversed(said[-MOST_TURNS:])


def _open_plain(embedder: Embedder) -> OnnxEncoder:
    """The encoder that made the passages' vectors, or its like where torch did."""
    if isinstance(embedder, OnnxEmbedder):
        return embedder.encoder
    folder = embedded_model_folder()
    return OnnxEncoder(encoder_graph(read_weights(folder), read_shape(folder)))


def _open_adapted(embedder: Embedder, made_in: Path | None) -> OnnxEncoder:
    folder = embedded_model_folder()
    recipe = Recipe(
        key=fingerprint(folder / WEIGHTS, ADAPTER),
        weights=lambda: merged(read_weights(folder), read_tensors(ADAPTER)),
        shape=read_shape(folder),
        turns=True,
    )
    if not isinstance(embedder, OnnxEmbedder):
        return OnnxEncoder(encoder_graph(recipe.weights(), recipe.shape, turns=True))
    return open_quantized(None if made_in is None else EncoderFiles(made_in), recipe, embedder.tokenizer)
