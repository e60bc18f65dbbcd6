"""A language model's weights for tuning: read from the GGUF that is in service, or from a named model.

transformers turns a quantized GGUF back into floats, so that an adapter is trained on the very numbers that llama.cpp
works with. torch and transformers are imported in the tuning process only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import TuningError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model that can be trained, in 32-bit floats, with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_weights(base: str) -> Weights:
    """Load a GGUF file, or a folder or name of transformers; raises TuningError."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = Path(base)
    where: dict[str, Any] = {"pretrained_model_name_or_path": base}
    if path.suffix == ".gguf":
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    # A RuntimeError is what transformers says to weights of other sizes than it believes the file to have.
    except (OSError, ValueError, ImportError, KeyError, NotImplementedError, RuntimeError) as error:
        raise TuningError(
            f"The weights of {base} cannot be read for tuning ({error}). Name a GGUF of Llama, Qwen or Gemma shape, "
            "or a model that transformers knows."
        ) from error
    # A GGUF's own note of its quantization would make the trainer refuse weights that are floats by now.
    model.config.__dict__.pop("quantization_config", None)
    for mark in ("hf_quantizer", "quantization_method"):
        model.__dict__.pop(mark, None)
    model.__dict__["is_quantized"] = False
    return Weights(model=model, tokenizer=tokenizer)
