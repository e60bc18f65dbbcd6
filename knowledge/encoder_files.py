"""Quantized encoders as files: made once from a model's weights, checked, written whole, opened again after a check.

A file is a cache: whatever is wrong with it, it is made anew. It knows no texts but those that it checks with.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from knowledge.embed_onnx import OnnxEncoder, quantize_encoder
from knowledge.errors import EmbedderError
from knowledge.quantize import BertShape, Weights, encoder_graph

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

# Grows with every change of what knowledge.quantize makes of the same weights, and so does the embedder's name.
RECIPE = 1
_SUFFIX = ".onnx"
_MANIFEST = ".json"
# Its vectors must be nearly those of the float graph on every one of these texts; wrong arithmetic gives far less.
CHECKED_TEXTS = (
    "Who approves my holidays?",
    "The server restarts at night, and every Sunday it is backed up to another building.",
    "| name | room |\n|---|---|\n| Ada | 4.12 |",
    "Expenses above 50 EUR need a receipt. They are paid with the next salary, if they are handed in by the 15th. " * 8,
)
_CHECKED_TOKENS = 256
_LEAST_COSINE = 0.97


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an encoder is made of."""

    key: str
    """A fingerprint of the weights."""
    weights: Callable[[], Weights]
    """Reads them: only where there is no file yet."""
    shape: BertShape
    turns: bool = False
    """Whether it takes what was said before a question."""


@dataclass(frozen=True, kw_only=True)
class EncoderManifest:
    """What the file of a quantized encoder must be, and what it was made from."""

    weights: str
    """A fingerprint of the model's files."""
    recipe: int
    file: str
    sha256: str
    size: int
    least_cosine: float
    """With full precision, on the texts that it was checked with."""


class EncoderFiles:
    """The folder of quantized encoders. Several processes may write at once: each file has a name of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, weights: str) -> Path | None:
        """The whole, unchanged file that was made from these weights; None where there is none."""
        try:
            manifest = EncoderManifest(**json.loads(self._manifest(weights).read_text(encoding="utf-8")))
            file = self._folder / manifest.file
            whole = file.stat().st_size == manifest.size and _sha256(file) == manifest.sha256
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            logger.warning("the quantized embedder is made anew: its manifest cannot be read (%s)", error)
            return None
        if not whole:
            logger.warning("the quantized embedder is made anew: %s does not match its manifest", file)
        return file if whole and manifest.weights == weights else None

    def save(self, weights: str, model: bytes, least_cosine: float) -> Path:
        """Write a checked model, whole or not at all; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(model).hexdigest()
        file = self._folder / f"encoder-{digest[:16]}{_SUFFIX}"
        manifest = EncoderManifest(
            weights=weights,
            recipe=RECIPE,
            file=file.name,
            sha256=digest,
            size=len(model),
            least_cosine=round(least_cosine, 5),
        )
        _replace(file, model)
        _replace(self._manifest(weights), json.dumps(asdict(manifest), indent=1).encode())
        return file

    def _manifest(self, weights: str) -> Path:
        return self._folder / f"encoder-{weights[:16]}-{RECIPE}{_MANIFEST}"


def open_quantized(
    files: EncoderFiles | None, recipe: Recipe, tokenizer: Tokenizer, say: Callable[[str], None] = lambda _text: None
) -> OnnxEncoder:
    """Open the file of a quantized encoder, or make, check and keep it. Raises EmbedderError.

    Where it cannot be kept it is there all the same, in memory.
    """
    if files is not None and (file := files.find(recipe.key)) is not None:
        return OnnxEncoder(file)
    say("Preparing the embedder for this processor (once, a few seconds)")
    weights = recipe.weights()
    model = quantize_encoder(weights, recipe.shape, tokenizer, turns=recipe.turns)
    encoder = OnnxEncoder(model)
    least = check(encoder, OnnxEncoder(encoder_graph(weights, recipe.shape, turns=recipe.turns)), recipe, tokenizer)
    if files is not None:
        try:
            files.save(recipe.key, model, least)
        except OSError as error:
            logger.warning("the quantized embedder is kept in memory alone, it cannot be written: %s", error)
    return encoder


def check(quantized: OnnxEncoder, exact: OnnxEncoder, recipe: Recipe, tokenizer: Tokenizer) -> float:
    """Return the least cosine of both encoders' vectors; raises EmbedderError where it is too low."""
    cosines = []
    for text in CHECKED_TEXTS:
        ids = tokenizer.encode(text).ids[:_CHECKED_TOKENS]
        asked = (len(ids) + 1) // 2 if recipe.turns else None
        one, other = quantized.encode(ids, asked), exact.encode(ids, asked)
        cosines.append(float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other))))
    least = min(cosines)
    # Not a number is not enough either.
    if not least >= _LEAST_COSINE:
        raise EmbedderError(f"Its 8-bit form is off on this machine: cosine {least:.3f}, expected {_LEAST_COSINE}.")
    return least


def _replace(file: Path, content: bytes) -> None:
    unfinished = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with unfinished.open("wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
