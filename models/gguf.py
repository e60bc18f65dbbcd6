"""Read the header of a GGUF file in Python, so that a stranger's file meets no C parser before it is allowed.

Knows nothing of tensors: only the key-value part, with limits on every length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from models.errors import ModelFileError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
# Far above any real model (about 50 keys, vocabularies of 300,000 texts), far below what exhausts memory.
_MOST_KEYS, _MOST_ITEMS, _LONGEST_TEXT = 10_000, 4_000_000, 16_000_000
# llama.cpp's `llama_ftype`, as far as people meet it.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip

_Scalar = int | float | bool | str
_Read = TypeVar("_Read")


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What a model file says of itself."""

    architecture: str
    name: str
    quantization: str
    context_length: int
    layers: int
    key_value_width: int
    """Numbers that one token keeps per layer, keys and values together."""

    def cache_bytes(self, context_tokens: int) -> int:
        """Estimate the memory of a full context at 16 bits a number."""
        return 2 * self.layers * self.key_value_width * context_tokens


def read_header(path: Path) -> GgufHeader:
    """Read a file's header; raises ModelFileError for anything that is not a sound GGUF."""
    return _read(path, _describe)


def is_adapter(path: Path) -> bool:
    """Tell a LoRA adapter from a model; raises ModelFileError for what is neither."""
    return _read(path, _is_adapter)


def _is_adapter(values: dict[str, _Scalar]) -> bool:
    if values.get("general.type") == "adapter":
        if values.get("adapter.type") != "lora":
            raise ValueError(f"adapter.type is {values.get('adapter.type')!r}")
        return True
    _describe(values)
    return False


def _read(path: Path, read: Callable[[dict[str, _Scalar]], _Read]) -> _Read:
    try:
        with path.open("rb") as file:
            return read(_read_values(file))
    except OSError as error:
        raise ModelFileError(f"The model file {path} cannot be read: {error.strerror}.") from error
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path} is not a sound GGUF model file ({error}). Download it again, or choose another file."
        ) from error


def _read_values(file: BinaryIO) -> dict[str, _Scalar]:
    if file.read(4) != _MAGIC:
        raise ValueError("it does not begin with the letters GGUF")
    version = _number(file, "<I")
    if version not in _VERSIONS:
        raise ValueError(f"version {version} is not one of {_VERSIONS}")
    _number(file, "<Q")  # the number of tensors
    keys = _limited(_number(file, "<Q"), _MOST_KEYS)
    values: dict[str, _Scalar] = {}
    for _ in range(keys):
        key = _text(file)
        value = _value(file, int(_number(file, "<I")))
        if value is not None:
            values[key] = value
    return values


def _describe(values: dict[str, _Scalar]) -> GgufHeader:
    architecture = str(values["general.architecture"])

    def size(key: str, otherwise: int | None = None) -> int:
        value = values.get(f"{architecture}.{key}", otherwise)
        if not isinstance(value, int) or not 0 < value < 2**31:
            raise ValueError(f"{architecture}.{key} is {value!r}")
        return value

    heads = size("attention.head_count")
    head_width = max(1, size("embedding_length") // heads)
    widths = size("attention.key_length", head_width) + size("attention.value_length", head_width)
    file_type = values.get("general.file_type", -1)
    return GgufHeader(
        architecture=architecture,
        name=str(values.get("general.name", "")),
        quantization=_FILE_TYPES.get(int(file_type), "unknown"),
        context_length=size("context_length"),
        layers=size("block_count"),
        key_value_width=size("attention.head_count_kv", heads) * widths,
    )


def _value(file: BinaryIO, kind: int) -> _Scalar | None:
    """Read one value; arrays (the vocabulary) are passed over and read as None."""
    if kind in _SCALARS:
        return _number(file, _SCALARS[kind])
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        raise ValueError(f"a value of unknown kind {kind}")
    item_kind, items = int(_number(file, "<I")), _limited(_number(file, "<Q"), _MOST_ITEMS)
    if item_kind == _STRING:
        for _ in range(items):
            file.seek(_limited(_number(file, "<Q"), _LONGEST_TEXT), 1)
    else:
        file.seek(items * struct.calcsize(_SCALARS[item_kind]), 1)
    return None


def _text(file: BinaryIO) -> str:
    length = _limited(_number(file, "<Q"), _LONGEST_TEXT)
    content = file.read(length)
    if len(content) != length:
        raise ValueError("it ends in the middle of its header")
    return content.decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int | float | bool:
    value: int | float | bool = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value


def _limited(value: float, most: int) -> int:
    if value > most:
        raise ValueError(f"a length of {value:.0f} in its header, more than {most}")
    return int(value)
