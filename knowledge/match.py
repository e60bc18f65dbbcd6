"""Second look at the best passages: each word piece of the question against those of a passage.

A passage's one vector says what it is about; whether it holds the answer shows in its parts. The score is the mean,
over the question's word pieces, of the best cosine among the passage's (ColBERT's MaxSim, Khattab and Zaharia, SIGIR
2020, arXiv 2004.12832), with the embedded model's own vectors, which were never trained for it; pieces of rare words
count more. It knows no SQL.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from knowledge.document import Passage
from knowledge.embed import Vectors
from knowledge.embed_onnx import OnnxEncoder
from knowledge.query_encoder import unit

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# A follow-up finds many of the same passages again. About 140 kB each: 36 MB at most.
KEPT = 256
_MODEL_TOKENS = 256
_MOST_THREADS = 4


class TokenMatch:
    """Compares questions with passages by their word pieces. May be called from several threads."""

    def __init__(self, encoder: OnnxEncoder, tokenizer: Tokenizer, *, kept: int = KEPT) -> None:
        self._encoder = encoder
        self._most_kept = kept
        self._tokenizer = tokenizer
        self._kept: OrderedDict[str, npt.NDArray[np.float16]] = OrderedDict()
        self._keeping = threading.Lock()
        self._workers = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="match")

    def scores(self, question: Vectors, passages: Sequence[Passage], weights: Vectors | None = None) -> list[float]:
        """Return one score for each passage, -1 to 1.

        `question` is float32[word pieces, dim] of unit vectors, `weights` float32[word pieces], how much each piece
        counts; all the same without them.
        """
        if len(question) == 0:
            return [0.0] * len(passages)
        found = self._workers.map(self._tokens, passages)
        return [
            float(np.average((question @ tokens.astype(np.float32).T).max(axis=1), weights=weights)) for tokens in found
        ]

    def _tokens(self, passage: Passage) -> npt.NDArray[np.float16]:
        text = f"{passage.header}\n{passage.text}" if passage.header else passage.text
        with self._keeping:
            if text in self._kept:
                self._kept.move_to_end(text)
                return self._kept[text]
        ids = self._tokenizer.encode(text).ids[:_MODEL_TOKENS]
        made = unit(self._encoder.tokens(ids))[1:-1].astype(np.float16)
        with self._keeping:
            self._kept[text] = made
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return made
