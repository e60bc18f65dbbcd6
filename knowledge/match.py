"""Second look at the best passages: each word piece of the question against those of a passage.

A passage's one vector says what it is about; whether it holds the answer shows in its parts. The score is the mean,
over the question's word pieces, of the best cosine among the passage's (ColBERT's MaxSim, Khattab and Zaharia, SIGIR
2020, arXiv 2004.12832), with the embedded model's own vectors, which were never trained for it; pieces of rare words
count more. Of a passage's pieces the signs alone are kept, a bit for each dimension: on MTRAG they ranked as well as
the whole vectors. It knows no SQL.
"""

from __future__ import annotations

import hashlib
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

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# To read a passage takes some 25 ms of a core, and the same ones are found again and again. About 11 kB each as signs:
# 45 MB at most.
KEPT = 4_096
_MODEL_TOKENS = 256
Signs = npt.NDArray[np.uint8]
"""uint8[word pieces, dim / 8]: whether each number of a vector is above 0."""
_MOST_THREADS = 4


class TokenMatch:
    """Compares questions with passages by their word pieces. May be called from several threads."""

    def __init__(self, encoder: OnnxEncoder, tokenizer: Tokenizer, *, kept: int = KEPT) -> None:
        self._encoder = encoder
        self._most_kept = kept
        self._tokenizer = tokenizer
        self._kept: OrderedDict[bytes, Signs] = OrderedDict()
        self._keeping = threading.Lock()
        self._workers = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="match")

    def scores(self, question: Vectors, passages: Sequence[Passage], weights: Vectors | None = None) -> list[float]:
        """Return one score for each passage, -1 to 1.

        `question` is float32[word pieces, dim] of unit vectors, `weights` float32[word pieces], how much each piece
        counts; all the same without them.
        """
        if len(question) == 0:
            return [0.0] * len(passages)
        found = self._workers.map(lambda passage: self._signs(passage.header, passage.text), passages)
        return [float(np.average(_best_cosines(question, signs), weights=weights)) for signs in found]

    def prepare(self, header: str, text: str) -> None:
        """Read a passage, so that comparing it is quick later."""
        self._signs(header, text)

    def _signs(self, header: str, text: str) -> Signs:
        text = f"{header}\n{text}" if header else text
        # A digest, so that no text stays in memory after its document is gone.
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        ids = self._tokenizer.encode(text).ids[:_MODEL_TOKENS]
        made = np.packbits(self._encoder.tokens(ids)[1:-1] > 0, axis=1)
        with self._keeping:
            self._kept[key] = made
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return made


def _best_cosines(question: Vectors, signs: Signs) -> Vectors:
    """The best cosine of each of the question's pieces with the signs of a passage's, float32[word pieces]."""
    dim = question.shape[1]
    if len(signs) == 0:
        return np.zeros(len(question), np.float32)
    ones = np.unpackbits(signs, axis=1, count=dim).astype(np.float32)
    # Signs are 2 * bit - 1, and a vector of them is as long as the root of their number.
    products = 2.0 * (question @ ones.T) - question.sum(axis=1, keepdims=True)
    return np.asarray(products.max(axis=1) / np.sqrt(dim), np.float32)
