"""Writes what was trained as GGUF: the one module that imports gguf.

An adapter keeps two small matrices for each weight that it changes, named after that weight in the base model's file
(`blk.0.attn_q.weight.lora_a` and `.lora_b`); a merged model has their product added to the weights. Names come from the
gguf package's own tensor map. Knows numpy only: what is trained is read from safetensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from models.errors import ModelFileError, TuningError

Matrix = npt.NDArray[np.float32]

PEFT_WEIGHTS = "adapter_model.safetensors"
PEFT_CONFIG = "adapter_config.json"
_PART = re.compile(r"^base_model\.model\.(?P<weight>.+)\.lora_(?P<part>[AB])(?:\.default)?\.weight$")
# Llama's files keep the rows of these two in another order than transformers does: the two halves of each head's
# rotation stand interleaved. https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py
_PERMUTED = {"q_proj": "attention.head_count", "k_proj": "attention.head_count_kv"}
_PERMUTED_ARCHITECTURES = ("llama",)


@dataclass(frozen=True, kw_only=True)
class Delta:
    """What was learned for one weight: it changes by `scale * b @ a`, rows as in the GGUF."""

    tensor: str
    """The weight's name in the GGUF."""
    a: Matrix
    """[rank, columns]"""
    b: Matrix
    """[rows, rank]"""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A whole adapter."""

    architecture: str
    alpha: float
    rank: int
    deltas: tuple[Delta, ...]

    @property
    def scale(self) -> float:
        """What the product is multiplied with."""
        return self.alpha / self.rank


def read_learned(peft: Path, base: Path) -> Learned:
    """Read a folder that peft saved, named and ordered for its base; raises TuningError or ModelFileError."""
    header = gguf_values(base)
    architecture = str(header["general.architecture"])
    try:
        config = json.loads((peft / PEFT_CONFIG).read_text(encoding="utf-8"))
        tensors: Mapping[str, Matrix] = load_file(str(peft / PEFT_WEIGHTS))
    except (OSError, ValueError) as error:
        raise TuningError(f"What was trained cannot be read from {peft} ({error}); run the tuning again.") from error
    if config.get("use_rslora") or config.get("use_dora") or config.get("rank_pattern"):
        raise TuningError(f"{peft} is a kind of LoRA that GGUF cannot hold; train plain LoRA with one rank.")
    parts: dict[str, dict[str, Matrix]] = {}
    for name, tensor in tensors.items():
        if found := _PART.match(name):
            parts.setdefault(found["weight"], {})[found["part"]] = np.asarray(tensor, np.float32)
    names = _tensor_names(architecture, int(header[f"{architecture}.block_count"]))
    deltas = tuple(
        Delta(tensor=names(weight), a=part["A"], b=_ordered(weight, part["B"], architecture, header))
        for weight, part in sorted(parts.items())
    )
    if not deltas:
        raise TuningError(f"{peft} holds no LoRA weights; run the tuning again.")
    return Learned(architecture=architecture, alpha=float(config["lora_alpha"]), rank=int(config["r"]), deltas=deltas)


def write_adapter(learned: Learned, target: Path, *, name: str) -> None:
    """Write an adapter that llama.cpp applies at load; whole or not at all."""
    unfinished = target.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(str(unfinished), learned.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, learned.alpha)
    writer.add_name(name)
    for delta in learned.deltas:
        # Halves are exact enough: they add less than the base's own rounding, and halve the file.
        writer.add_tensor(f"{delta.tensor}.lora_a", delta.a.astype(np.float16))
        writer.add_tensor(f"{delta.tensor}.lora_b", delta.b.astype(np.float16))
    _close(writer)
    unfinished.replace(target)


def write_merged(learned: Learned, base: Path, target: Path, *, name: str) -> None:
    """Write the base model with the adapter added to its weights, in 16-bit floats; whole or not at all."""
    reader: Any = gguf.GGUFReader(str(base))
    deltas = {delta.tensor: delta for delta in learned.deltas}
    unknown = deltas.keys() - {tensor.name for tensor in reader.tensors}
    if unknown:
        raise TuningError(f"{base} has no weight {min(unknown)}: the adapter was made for another model.")
    unfinished = target.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(str(unfinished), learned.architecture)
    _copy_values(reader, writer, name)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if delta := deltas.get(tensor.name):
            values = values + learned.scale * (delta.b @ delta.a)
        # Norms are kept in full: they are small, and everything is multiplied with them.
        writer.add_tensor(tensor.name, values if values.ndim == 1 else values.astype(np.float16))
    _close(writer)
    unfinished.replace(target)


def write_trained(folder: Path, base: Path, target: Path, *, name: str) -> None:
    """Write a model of which all weights were trained, with the values of its base's header; whole or not at all."""
    reader: Any = gguf.GGUFReader(str(base))
    header = gguf_values(base)
    architecture = str(header["general.architecture"])
    names = _tensor_names(architecture, int(header[f"{architecture}.block_count"]))
    trained: dict[str, Matrix] = {}
    for path in sorted(folder.glob("*.safetensors")):
        for key, values_read in load_file(str(path)).items():
            weight = key.removesuffix(".weight")
            rows = np.asarray(values_read, np.float32)
            # Gemma's norms multiply with one more than the number in transformers' file.
            rows = rows + 1 if architecture.startswith("gemma") and weight.endswith("norm") else rows
            trained[names(weight)] = rows if rows.ndim == 1 else _ordered(weight, rows, architecture, header)
    missing = {tensor.name for tensor in reader.tensors} - trained.keys() - {"rope_freqs.weight"}
    if missing:
        raise TuningError(f"{folder} lacks {min(missing)}: it was not trained from {base}.")
    unfinished = target.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(str(unfinished), architecture)
    _copy_values(reader, writer, name)
    for tensor in reader.tensors:
        values = trained.get(tensor.name)
        if values is None:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values if values.ndim == 1 else values.astype(np.float16))
    _close(writer)
    unfinished.replace(target)


def read_adapter(adapter: Path, base: Path) -> Callable[[str], tuple[Matrix, Matrix] | None]:
    """Read an adapter back, to go on training from it; raises TuningError or ModelFileError.

    The function gives the two matrices of a weight, by transformers' name and in its order; None where it has none.
    """
    header, own = gguf_values(base), gguf_values(adapter)
    architecture = str(header["general.architecture"])
    if own.get("general.architecture") != architecture or own.get("adapter.type") != "lora":
        raise TuningError(f"{adapter} is no LoRA adapter for a model of the kind {architecture!r}: begin without it.")
    reader: Any = gguf.GGUFReader(str(adapter))
    tensors = {tensor.name: np.asarray(tensor.data, np.float32) for tensor in reader.tensors}
    names = _tensor_names(architecture, int(header[f"{architecture}.block_count"]))

    def matrices(weight: str) -> tuple[Matrix, Matrix] | None:
        tensor = names(weight)
        if f"{tensor}.lora_a" not in tensors:
            return None
        a, b = tensors[f"{tensor}.lora_a"], tensors[f"{tensor}.lora_b"]
        key = _PERMUTED.get(weight.rpartition(".")[2])
        if key is not None and architecture in _PERMUTED_ARCHITECTURES:
            b = permute_back(b, int(header[f"{architecture}.{key}"]))
        return a, b

    return matrices


def adapter_shape(adapter: Path) -> tuple[int, int]:
    """Rank and alpha of an adapter; raises TuningError where it is none, or ModelFileError."""
    own = gguf_values(adapter)
    reader: Any = gguf.GGUFReader(str(adapter))
    ranks = {int(tensor.shape[-1]) for tensor in reader.tensors if tensor.name.endswith(".lora_a")}
    if own.get("adapter.type") != "lora" or len(ranks) != 1:
        raise TuningError(f"{adapter} is no LoRA adapter of one rank: begin without it.")
    return ranks.pop(), round(float(own["adapter.lora.alpha"]))


def gguf_values(path: Path) -> dict[str, Any]:
    """Read the values of a GGUF file's header; raises ModelFileError."""
    try:
        reader: Any = gguf.GGUFReader(str(path))
        fields = reader.fields
        return {key: field.contents() for key, field in fields.items() if not key.startswith("tokenizer.ggml")}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ModelFileError(f"The model file {path} cannot be read ({error}).") from error


def _tensor_names(architecture: str, blocks: int) -> Callable[[str], str]:
    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    if architecture not in kinds:
        raise TuningError(f"Models of the kind {architecture!r} cannot be tuned here; choose a Llama, Qwen or Gemma.")
    table = gguf.get_tensor_name_map(kinds[architecture], blocks)

    def name(weight: str) -> str:
        found: str | None = table.get_name(f"{weight}.weight", try_suffixes=(".weight",))
        if found is None:
            raise TuningError(f"The weight {weight} has no name in a GGUF of the kind {architecture!r}.")
        return found

    return name


def _ordered(weight: str, b: Matrix, architecture: str, header: Mapping[str, Any]) -> Matrix:
    key = _PERMUTED.get(weight.rpartition(".")[2])
    if key is None or architecture not in _PERMUTED_ARCHITECTURES:
        return b
    heads = int(header[f"{architecture}.{key}"])
    return permute(b, heads)


def permute(rows: Matrix, heads: int) -> Matrix:
    """Put the rows [heads * width, n] of a query or key weight from transformers' order into Llama's GGUF order."""
    count, columns = rows.shape
    return rows.reshape(heads, 2, count // heads // 2, columns).swapaxes(1, 2).reshape(count, columns)


def permute_back(rows: Matrix, heads: int) -> Matrix:
    """The inverse of `permute`."""
    count, columns = rows.shape
    return rows.reshape(heads, count // heads // 2, 2, columns).swapaxes(1, 2).reshape(count, columns)


def _copy_values(reader: Any, writer: gguf.GGUFWriter, name: str) -> None:
    own = {gguf.Keys.General.ARCHITECTURE, gguf.Keys.General.NAME, gguf.Keys.General.FILE_TYPE}
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for key, field in reader.fields.items():
        if key in own or key.startswith("GGUF.") or key == "general.quantization_version":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=inner)


def _close(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
