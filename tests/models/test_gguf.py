"""The header of a model file, read in Python: true for a sound file, a clear error for every other."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import ModelFileError
from models.gguf import read_header
from models.registry import embedded_model


def text(content: str) -> bytes:
    raw = content.encode()
    return struct.pack("<Q", len(raw)) + raw


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


def words(key: str, *values: str) -> bytes:
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(map(text, values))


def header(*entries: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)


SOUND = header(
    text("general.architecture") + struct.pack("<I", 8) + text("tiny"),
    words("tokenizer.ggml.tokens", "a", "bc"),
    number("tiny.context_length", 128),
    number("tiny.embedding_length", 64),
    number("tiny.block_count", 2),
    number("tiny.attention.head_count", 4),
    number("tiny.attention.head_count_kv", 2),
    number("general.file_type", 7),
)


def test_the_embedded_model() -> None:
    found = read_header(embedded_model().path)
    assert (found.architecture, found.quantization, found.context_length) == ("llama", "Q4_1", 8192)
    assert found.cache_bytes(4096) == 2 * 30 * 4096 * (192 + 192)


def test_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(SOUND)
    found = read_header(path)
    assert (found.quantization, found.layers, found.key_value_width) == ("Q8_0", 2, 2 * 2 * 16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK\x03\x04 a zip archive",
        b"GGUF" + struct.pack("<IQQ", 99, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60),
        header(),
        header(struct.pack("<Q", 2**62)),
        header(text("key") + struct.pack("<I", 77)),
        header(text("key") + struct.pack("<IIQ", 9, 8, 2**50)),
        SOUND.replace(struct.pack("<II", 4, 128), struct.pack("<II", 4, 0)),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"bad\.gguf"):
        read_header(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_is_at_worst_a_clear_error(tmp_path: Path, at: int, damage: bytes) -> None:
    path = tmp_path / "damaged.gguf"
    for content in (SOUND[:at], SOUND[:at] + damage + SOUND[at + len(damage) :]):
        path.write_bytes(content)
        with contextlib.suppress(ModelFileError):
            read_header(path)
