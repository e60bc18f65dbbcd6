"""The weights and the shape of the embedded model, read from its folder as arrays: nothing of torch is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from knowledge.errors import EmbedderError
from knowledge.quantize import BertShape, Floats

WEIGHTS = "model.safetensors"


def read_weights(folder: Path) -> dict[str, Floats]:
    """Read the model's weights, by the names that transformers' BertModel gives them; raises EmbedderError."""
    return {name: value.astype(np.float32) for name, value in read_tensors(folder / WEIGHTS).items()}


def read_shape(folder: Path) -> BertShape:
    """Read what the weights do not tell; raises EmbedderError for a model of another kind."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if (config["model_type"], config["hidden_act"]) != ("bert", "gelu"):
        raise EmbedderError(
            f"{folder} holds a {config['model_type']} ({config['hidden_act']}), expected a BERT (gelu)."
        )
    return BertShape(
        layers=config["num_hidden_layers"], heads=config["num_attention_heads"], epsilon=config["layer_norm_eps"]
    )


def read_tensors(file: Path) -> dict[str, Floats]:
    """Read one file of arrays; raises EmbedderError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise EmbedderError(f"{file} cannot be read ({error}). Install Lorekeeper again.") from error


def fingerprint(*files: Path) -> str:
    """Name the contents of files; raises EmbedderError where one cannot be read."""
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        except OSError as error:
            raise EmbedderError(f"{file} cannot be read ({error.strerror}). Install Lorekeeper again.") from error
    return digest.hexdigest()
