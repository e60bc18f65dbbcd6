"""Texts to vectors with 8-bit numbers on a processor: the only module that knows onnxruntime.

It makes a quantized encoder from a BERT's weights, and embeds with it. It knows neither torch nor
sentence-transformers, and no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil

from knowledge.errors import EmbedderError
from knowledge.quantize import ASKED, INPUT, OUTPUT, PEAK, TOKENS, BertShape, Floats, Weights, encoder_graph

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Texts of all kinds to see which channels are large: mostly those of the marks at both ends, whatever the text.
_EXAMPLES = (
    "How many days of holiday do I have?",
    "Holidays are booked in the calendar, at least two weeks before they begin. Managers approve them within 3 days.",
    "ERROR 503: the server at 10.0.0.7 restarts at night (cron: `0 3 * * *`); see /var/log/deploy.log for the reason.",
    "| plan | price | seats |\n|---|---|---|\n| small | 10 EUR | 5 |\n| large | 90 EUR | 100 |",
    "def add(first: int, second: int) -> int:\n    return first + second",
    "The treaty of 1648 ended thirty years of war in Europe. It was signed in two towns, and changed many borders.",
    "thanks!! can u send me the link again? :)",
    "A bond pays interest twice a year; when rates rise its price falls, since new bonds pay more than old ones do.",
    "Die Kantine ist von 11 bis 14 Uhr geöffnet. El comedor abre a las once. 食堂は11時からです。",
)
# About eight passages, a fraction of a second.
_FEW_CHARACTERS = 8_000
# Of ids drawn at random, for the channels that the examples do not reach.
_DRAWN_IDS = 200


class OnnxEncoder:
    """One model in ONNX Runtime: ids of one text to its vector. May be called from several threads."""

    def __init__(self, model: bytes | Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Each text runs in the thread that asks: threads that wait for each other stall when the language model
        # holds a core.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # What is slow or wrong here is measured by us; its warnings are about graphs that others made.
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        # Its errors have no other common base.
        except Exception as error:
            raise EmbedderError(f"ONNX Runtime cannot use the quantized encoder ({type(error).__name__}).") from error

    def encode(self, ids: Sequence[int], asked: int | None = None) -> Floats:
        """Return float32[dim], not normalised; `asked` of the ids are the question, for a graph with turns."""
        return np.asarray(self._run([OUTPUT], ids, asked)[0][0], np.float32)

    def tokens(self, ids: Sequence[int], asked: int | None = None) -> Floats:
        """Return float32[tokens, dim], not normalised: what `encode` gives the mean of."""
        return np.asarray(self._run([TOKENS], ids, asked)[0][0], np.float32)

    def peaks(self, texts: Iterable[Sequence[int]], *, turns: bool = False) -> dict[str, Floats]:
        """Tell the greatest magnitude of every input channel of a watched graph's products, by matrix."""
        names = [output.name for output in self._session.get_outputs() if output.name.startswith(PEAK)]
        # With turns, half of each text is taken for the question.
        found = [self._run(names, ids, (len(ids) + 1) // 2 if turns else None) for ids in texts]
        return {
            name.removeprefix(PEAK): np.max([one[place] for one in found], axis=0) for place, name in enumerate(names)
        }

    def _run(self, names: Sequence[str], ids: Sequence[int], asked: int | None) -> list[Floats]:
        given = {INPUT: np.asarray([ids], np.int64)}
        if asked is not None:
            given[ASKED] = np.asarray([asked], np.int64)
        try:
            return list(self._session.run(names, given))
        # As above: what it raises has no base of its own.
        except Exception as error:
            raise EmbedderError(f"ONNX Runtime failed in the quantized encoder ({type(error).__name__}).") from error


def quantize_encoder(weights: Weights, shape: BertShape, tokenizer: Tokenizer, *, turns: bool = False) -> bytes:
    """Return the quantized model of a BERT encoder with mean pooling; the tokenizer must not pad.

    `weights` have the names of transformers' BertModel: a merged adapter is only other numbers. With `turns` it takes
    what was said before a question as well. Raises EmbedderError.
    """
    try:
        watched = OnnxEncoder(encoder_graph(weights, shape, watched=True, turns=turns))
        words = len(weights["embeddings.word_embeddings.weight"])
        places = len(weights["embeddings.position_embeddings.weight"])
        drawn = np.random.default_rng(0).integers(0, words, min(_DRAWN_IDS, places))
        examples = [*(tokenizer.encode(text).ids for text in _EXAMPLES), drawn.tolist()]
        return encoder_graph(weights, shape, peaks=watched.peaks(examples, turns=turns), turns=turns)
    except (KeyError, ValueError, ImportError) as error:
        raise EmbedderError(f"The embedder's weights cannot be quantized ({error!r}).") from error


class OnnxEmbedder:
    """A quantized encoder as an Embedder."""

    def __init__(
        self,
        name: str,
        encoder: OnnxEncoder,
        tokenizer: Tokenizer,
        max_tokens: int,
    ) -> None:
        self._name = name
        self._encoder = encoder
        self._max_tokens = max_tokens
        self._tokenizer = _copied(tokenizer)
        # Truncation is state of a tokenizer: one cuts, the other measures, and neither is changed any more.
        self._cutting = _copied(tokenizer)
        self._cutting.enable_truncation(max_tokens)
        self._dim = len(encoder.encode(self._cutting.encode("").ids))
        self._workers = ThreadPoolExecutor(_cores(), thread_name_prefix="embed-many")
        # A question with the sentences of its evidence must not wait behind the passages of a sync.
        self._workers_for_few = ThreadPoolExecutor(_cores(), thread_name_prefix="embed-few")

    @property
    def name(self) -> str:
        return self._name

    @property
    def encoder(self) -> OnnxEncoder:
        """What makes its vectors."""
        return self._encoder

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def prefixes(self) -> Mapping[Literal["passage", "question"], str]:
        return {"passage": "", "question": ""}

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, texts: Sequence[str], role: Literal["passage", "question"] = "passage") -> Floats:  # noqa: ARG002
        def encode(text: str) -> Floats:
            return self._encoder.encode(self._cutting.encode(text).ids)

        few = sum(map(len, texts)) <= _FEW_CHARACTERS
        workers = self._workers_for_few if few else self._workers
        found = [encode(texts[0])] if len(texts) == 1 else list(workers.map(encode, texts))
        vectors = np.asarray(found, np.float32).reshape(len(texts), self._dim)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors


def _cores() -> int:
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(cores, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores))


def _copied(tokenizer: Tokenizer) -> Tokenizer:
    from tokenizers import Tokenizer

    copied: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    copied.no_truncation()
    copied.no_padding()
    return copied
