"""Models of other shapes than the embedded one, small enough to be trained in a test: weights by chance, from a seed.

No converter is needed: the tensors of a GGUF are written under the names that the gguf package gives them. What such a
model says is noise, but the same noise must come from transformers and from llama.cpp, before and after tuning.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from tokenizers.pre_tokenizers import ByteLevel

_WIDTH, _INNER, _HEADS, _KV_HEADS, _BLOCKS = 64, 128, 4, 2, 2
# The widths of the heads that the real ones have. transformers reads Qwen 3's from no file, and takes what attention is
# divided by for the root of 256 in every Gemma; another width gives another model there than in llama.cpp.
_HEAD = {"qwen2": 16, "qwen3": 128, "gemma2": 256, "gemma3": 256}
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?![]()'\"-\n▁"
SHAPES = tuple(_HEAD)


def write_shape(target: Path, architecture: str, *, head: int | None = None, seed: int = 3) -> Path:
    """Write a model of two layers of this architecture as a GGUF, in 16-bit floats; `head` is the width of a head."""
    head = head or _HEAD[architecture]
    writer = gguf.GGUFWriter(str(target), architecture)
    writer.add_name(architecture)
    writer.add_context_length(2048)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    if architecture.startswith("gemma"):
        writer.add_sliding_window(512)
        vocabulary = _write_letters(writer)
    else:
        vocabulary = _write_bytes(writer)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
    for name, values in _tensors(architecture, vocabulary, head, np.random.default_rng(seed)):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _tensors(
    architecture: str, vocabulary: int, head: int, chance: np.random.Generator
) -> Iterator[tuple[str, npt.NDArray[np.floating[Any]]]]:
    def weight(rows: int, columns: int) -> npt.NDArray[np.float16]:
        return np.asarray(chance.standard_normal((rows, columns)) / np.sqrt(columns), np.float16)

    def vector(size: int, middle: float) -> npt.NDArray[np.float32]:
        return np.asarray(middle + 0.1 * chance.standard_normal(size), np.float32)

    yield "token_embd.weight", weight(vocabulary, _WIDTH)
    yield "output_norm.weight", vector(_WIDTH, 1.0)
    for block in range(_BLOCKS):
        sizes = {"attn_q": _HEADS * head, "attn_k": _KV_HEADS * head, "attn_v": _KV_HEADS * head}
        for name, rows in sizes.items():
            yield f"blk.{block}.{name}.weight", weight(rows, _WIDTH)
            if architecture == "qwen2":
                yield f"blk.{block}.{name}.bias", vector(rows, 0.0)
        yield f"blk.{block}.attn_output.weight", weight(_WIDTH, _HEADS * head)
        yield f"blk.{block}.ffn_gate.weight", weight(_INNER, _WIDTH)
        yield f"blk.{block}.ffn_up.weight", weight(_INNER, _WIDTH)
        yield f"blk.{block}.ffn_down.weight", weight(_WIDTH, _INNER)
        norms = ["attn_norm", "ffn_norm"]
        norms += ["post_attention_norm", "post_ffw_norm"] if architecture.startswith("gemma") else []
        for name in norms:
            yield f"blk.{block}.{name}.weight", vector(_WIDTH, 1.0)
        if architecture in ("qwen3", "gemma3"):
            yield f"blk.{block}.attn_q_norm.weight", vector(head, 1.0)
            yield f"blk.{block}.attn_k_norm.weight", vector(head, 1.0)


def _write_bytes(writer: gguf.GGUFWriter) -> int:
    """A vocabulary of bytes and one pair, as Qwen spells them, with ChatML's marks."""
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [*control, *sorted(ByteLevel.alphabet()), "th"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * len(control) + [gguf.TokenType.NORMAL] * (len(tokens) - len(control))
    )
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    return len(tokens)


def _write_letters(writer: gguf.GGUFWriter) -> int:
    """A vocabulary of single letters in sentencepiece's form, with Gemma's marks."""
    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = [*control, *bytes_, *_LETTERS]
    kinds = [gguf.TokenType.CONTROL] * len(control)
    kinds[3] = gguf.TokenType.UNKNOWN
    kinds += [gguf.TokenType.BYTE] * len(bytes_) + [gguf.TokenType.NORMAL] * len(_LETTERS)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    return len(tokens)
