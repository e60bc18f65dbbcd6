"""A BERT encoder as an ONNX graph, with float or with 8-bit matrix products: the only module that knows onnx.

It takes weights by the names that transformers gives them and returns the bytes of a model for ONE text, so that
nothing is padding. It runs nothing, and knows no file and no tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]
Weights = Mapping[str, Floats]

INPUT = "ids"
ASKED = "asked"
"""How many of the ids, from the first, are the question: only a graph with turns takes it."""
OUTPUT = "vector"
TOKENS = "tokens"
"""The vectors whose mean is the output."""
PEAK = "peak:"
"""In front of a matrix's name: the output of a watched graph with the greatest magnitude of each input channel."""
# ONNX Runtime's fused operators: its own domain, with what they replace in one pass each.
_FUSED = "com.microsoft"
_OPSET = 17
_IR_VERSION = 10
# Without VNNI two products of unsigned 8-bit activations and signed weights are added in 16 bits: 2 * 255 * 64 is the
# most that fits there. With weights up to 127 the sums of large activations are cut off, which cost more than the bit.
_GREATEST_WEIGHT = 64
# A few channels of BERT are 10 to 20 times as large as the rest, and one scale for all leaves the rest few steps.
# What is above 3 times the median is divided by what it is too large, and its weights are multiplied by as much
# (arXiv 2211.10438, for these channels alone). On 21 passages the least cosine with full precision rose from
# .9885 to .9958; 2.5 and 4 gave .9956 and .9936.
_OUTLYING = 3.0


@dataclass(frozen=True, kw_only=True)
class BertShape:
    """What the weights do not tell."""

    layers: int
    heads: int
    epsilon: float


def encoder_graph(
    weights: Weights,
    shape: BertShape,
    *,
    peaks: Mapping[str, Floats] | None = None,
    watched: bool = False,
    turns: bool = False,
) -> bytes:
    """Return the model: int64[1, tokens] in, float32[1, dim] out, the mean over the tokens.

    With `peaks`, by matrix, its products are made of 8-bit numbers. A `watched` graph also tells the peaks. With
    `turns` it takes a question and what was said before it: ASKED, int64[1], is where the question ends. What follows
    is of the second type, is attended to, and is not in the mean.
    """
    graph = _Graph(peaks=peaks, watched=watched, turns=turns)
    hidden = _embedded(graph, weights, shape)
    for number in range(shape.layers):
        hidden = _layer(graph, weights, shape, f"encoder.layer.{number}.", hidden)
    if turns:
        first, second = graph.integers("from", [0]), graph.integers("along", [1])
        graph.add("Slice", [hidden, first, ASKED, second], TOKENS)
    else:
        graph.add("Identity", [hidden], TOKENS)
    graph.add("ReduceMean", [TOKENS], OUTPUT, axes=[1], keepdims=0)
    return graph.to_bytes()


def _embedded(graph: _Graph, weights: Weights, shape: BertShape) -> str:
    word = graph.constant("word", weights["embeddings.word_embeddings.weight"])
    # A token's type depends on its place alone: its vector is part of the place's.
    places, types = weights["embeddings.position_embeddings.weight"], weights["embeddings.token_type_embeddings.weight"]
    length = graph.add("Gather", [graph.add("Shape", [INPUT], "shape"), graph.integers("axis", [1])], "length")
    start, axes = graph.integers("start", [0]), graph.integers("axes", [0])
    asked = ASKED if graph.turns else length
    used = graph.add("Slice", [graph.constant("places", places + types[0]), start, asked, axes], "used_places")
    if graph.turns:
        said = graph.add("Slice", [graph.constant("said", places + types[1]), asked, length, axes], "said_places")
        used = graph.add("Concat", [used, said], "all_places", axis=0)
    total = graph.add("Add", [graph.add("Gather", [word, INPUT], "words"), used], "total")
    gain = graph.constant("gain", weights["embeddings.LayerNorm.weight"])
    shift = graph.constant("shift", weights["embeddings.LayerNorm.bias"])
    return graph.add("LayerNormalization", [total, gain, shift], "embedded", axis=-1, epsilon=shape.epsilon)


def _layer(graph: _Graph, weights: Weights, shape: BertShape, at: str, hidden: str) -> str:
    parts = [f"{at}attention.self.{part}." for part in ("query", "key", "value")]
    together = np.concatenate([weights[f"{part}weight"] for part in parts])
    product = graph.multiply(hidden, f"{at}qkv", together)
    bias = graph.constant(f"{at}qkv.bias", np.concatenate([weights[f"{part}bias"] for part in parts]))
    mixed = graph.add("Add", [product, bias], f"{at}qkv.sum")
    three = [f"{at}q", f"{at}k", f"{at}v"]
    graph.split(mixed, three, len(together) // 3)
    attended = graph.add("MultiHeadAttention", three, f"{at}attended", domain=_FUSED, num_heads=shape.heads)
    output = graph.multiply(attended, f"{at}out", weights[f"{at}attention.output.dense.weight"])
    hidden = _added(graph, weights, shape, f"{at}attention.output.", output, hidden)
    wide = graph.multiply(hidden, f"{at}wide", weights[f"{at}intermediate.dense.weight"])
    bias = graph.constant(f"{at}wide.bias", weights[f"{at}intermediate.dense.bias"])
    active = graph.add("BiasGelu", [wide, bias], f"{at}active", domain=_FUSED)
    narrow = graph.multiply(active, f"{at}narrow", weights[f"{at}output.dense.weight"])
    return _added(graph, weights, shape, f"{at}output.", narrow, hidden)


def _added(graph: _Graph, weights: Weights, shape: BertShape, at: str, product: str, hidden: str) -> str:
    names = ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")
    constants = [graph.constant(f"{at}{name}", weights[f"{at}{name}"]) for name in names]
    inputs = [product, hidden, *constants]
    return graph.add("SkipLayerNormalization", inputs, f"{at}normal", domain=_FUSED, epsilon=shape.epsilon)


@dataclass(kw_only=True)
class _Graph:
    """The nodes and constants so far; every method returns the name of what it adds."""

    peaks: Mapping[str, Floats] | None
    watched: bool
    turns: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    told: list[str] = field(default_factory=lambda: [OUTPUT, TOKENS])

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, name: str, value: Sequence[int]) -> str:
        return self.constant(name, np.asarray(value, np.int64))

    def add(self, kind: str, inputs: Sequence[str], name: str, *, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def split(self, value: str, names: Sequence[str], width: int) -> None:
        from onnx import helper

        sizes = self.integers(f"{value}.sizes", [width] * len(names))
        self.nodes.append(helper.make_node("Split", [value, sizes], names, name=f"{value}.split", axis=-1))

    def multiply(self, value: str, name: str, weight: Floats) -> str:
        """Multiply with the transposed weight, as torch's linear layers do."""
        matrix = np.ascontiguousarray(weight.T)
        if self.watched:
            magnitude = self.add("Abs", [value], f"{name}.abs")
            self.told.append(self.add("ReduceMax", [magnitude], f"{PEAK}{name}", axes=[0, 1], keepdims=0))
        if self.peaks is None:
            return self.add("MatMul", [value, self.constant(f"{name}.weight", matrix)], name)
        excess = np.maximum(1, self.peaks[name] / (_OUTLYING * np.median(self.peaks[name]))).astype(np.float32)
        value = self.add("Mul", [value, self.constant(f"{name}.even", 1 / excess)], f"{name}.evened")
        numbers, scales = _eight_bits(matrix * excess[:, None])
        zeros = self.constant(f"{name}.zeros", np.zeros(len(scales), np.int8))
        inputs = [value, self.constant(f"{name}.weight", numbers), self.constant(f"{name}.scales", scales), zeros]
        return self.add("DynamicQuantizeMatMul", inputs, name, domain=_FUSED)

    def to_bytes(self) -> bytes:
        from onnx import TensorProto, helper

        given = [helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, "length"])]
        if self.turns:
            given.append(helper.make_tensor_value_info(ASKED, TensorProto.INT64, [1]))
        told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.told]
        graph = helper.make_graph(self.nodes, "encoder", given, told, self.constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = _IR_VERSION
        return bytes(model.SerializeToString())


def _eight_bits(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Round to whole numbers with one scale for each column."""
    greatest = np.abs(matrix).max(axis=0)
    scales = np.where(greatest > 0, greatest / _GREATEST_WEIGHT, 1).astype(np.float32)
    return np.rint(matrix / scales).astype(np.int8), scales
