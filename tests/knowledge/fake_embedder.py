"""An embedder without a model: hashed bags of words, so that texts with common words have near vectors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from knowledge.embed import Role, Vectors

_WORD = re.compile(r"[^\W_]+")


class FakeEmbedder:
    """Deterministic, instant, and close enough: passes the embedder contract."""

    def __init__(
        self, name: str = "fake", dim: int = 64, max_tokens: int = 256, prefixes: Mapping[Role, str] | None = None
    ) -> None:
        self._name = name
        self._dim = dim
        self._max_tokens = max_tokens
        self._prefixes: Mapping[Role, str] = prefixes or {"passage": "", "question": ""}
        self.embedded_texts: list[str] = []

    @property
    def name(self) -> str:
        """Stored beside every vector."""
        return self._name

    @property
    def dim(self) -> int:
        """Length of each vector."""
        return self._dim

    @property
    def max_tokens(self) -> int:
        """Words that count."""
        return self._max_tokens

    @property
    def prefixes(self) -> Mapping[Role, str]:
        """What would stand in front of texts; it hashes words alone."""
        return self._prefixes

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """One token for each word or mark."""
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        return tokenizer

    def count_tokens(self, text: str) -> int:
        """Count words and marks."""
        return len(self.tokenizer.encode(text).ids)

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """One unit vector for each text; a text without words points nowhere in particular."""
        self.embedded_texts.extend(texts)
        return np.stack([self._vector(text) for text in texts]) if texts else np.empty((0, self._dim), np.float32)

    def _vector(self, text: str) -> Vectors:
        words = _WORD.findall(text.lower())[: self._max_tokens] or [""]
        total = np.sum([_word_vector(word, self._dim) for word in words], axis=0)
        return np.asarray(total / np.linalg.norm(total), np.float32)


@lru_cache(maxsize=100_000)
def _word_vector(word: str, dim: int) -> Vectors:
    """Kept, since making a generator for each word of a large collection takes longer than reading it."""
    seed = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
