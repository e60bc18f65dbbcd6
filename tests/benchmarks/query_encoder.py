"""Trains the adapter of knowledge.query_encoder: low-rank changes to the embedded model, so that a follow-up question
read with its conversation gets the vector that the plain model gives to what a person would have written out.

Run: python -m tests.benchmarks.query_encoder ../shared/data --out adapter.safetensors [--epochs 4]
About 25 minutes on one core. One conversation in twenty is for validation and never trained on; MTRAG, which the result
is measured on (tests.benchmarks.conversations), is not in it. The model card is beside the adapter.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from knowledge.document import Question
from knowledge.embed import embedded_model_folder, load_embedder
from knowledge.query_encoder import turn_ids
from tests.benchmarks.query_pairs import Pair, load_pairs

_RANK = 16
_SCALE = 2.0
_BATCH = 32
_RATE = 1e-3
_CLOSENESS, _CONTRAST, _SHARPNESS = 10.0, 0.3, 20.0
# So often a lone question gets the history of another conversation, so that an old topic does not pull.
_FOREIGN = 0.6
# So often only the last exchange is left, so that short conversations are not rare.
_SHORTENED = 0.15
_TYPES = "embeddings.token_type_embeddings.weight"

Targets = dict[str, npt.NDArray[np.float32]]


class LowRank(nn.Module):
    """A linear layer with a change of low rank: Hu et al., arXiv 2106.09685."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.randn(_RANK, linear.in_features) / math.sqrt(linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, _RANK))

    def forward(self, value: Tensor) -> Tensor:
        """Apply the changed layer."""
        return nn.functional.linear(value, self.linear.weight + _SCALE * self.up @ self.down, self.linear.bias)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The model, and what of it learns."""

    model: BertModel
    layers: dict[str, LowRank]
    parameters: list[Tensor]


def prepare() -> Trained:
    """Load the embedded model and put a low-rank change into every linear layer."""
    model = BertModel.from_pretrained(str(embedded_model_folder()), add_pooling_layer=False)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    layers: dict[str, LowRank] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            layers[name] = LowRank(module)
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, layers[name])
    types = model.embeddings.token_type_embeddings.weight
    types.requires_grad_(True)
    learned: list[Tensor] = [part for layer in layers.values() for part in (layer.down, layer.up)]
    return Trained(model=model, layers=layers, parameters=[*learned, types])


def encode(model: BertModel, questions: Sequence[Question], tokenizer: Tokenizer) -> Tensor:
    """Encode a batch as knowledge.query_encoder does one: float[len(questions), dim], normalised."""
    read = [turn_ids(question, tokenizer) for question in questions]
    longest = max(len(one.ids) for one in read)
    ids, mask = torch.zeros(len(read), longest, dtype=torch.long), torch.zeros(len(read), longest, dtype=torch.long)
    asked = torch.zeros(len(read), longest)
    for row, one in enumerate(read):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        mask[row, : len(one.ids)] = 1
        asked[row, : one.asked] = 1
    types = mask - asked.long()
    hidden = model(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
    weights = asked.unsqueeze(-1)
    return nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def loss_of(vectors: Tensor, pairs: Sequence[Pair], targets: Targets) -> Tensor:
    """Near the rewrite's vector, and nearer to it and to the answer's than to those of other questions."""
    meant = torch.from_numpy(np.stack([targets[pair.rewrite] for pair in pairs]))
    places = torch.arange(len(pairs))
    loss = _CLOSENESS * (1 - (vectors * meant).sum(-1)).mean()
    loss = loss + _CONTRAST * nn.functional.cross_entropy(_SHARPNESS * vectors @ meant.T, places)
    answered = [row for row, pair in enumerate(pairs) if pair.answer]
    if answered:
        answers = torch.from_numpy(np.stack([targets[pairs[row].answer] for row in answered]))
        near = _SHARPNESS * vectors[answered] @ answers.T
        loss = loss + _CONTRAST * nn.functional.cross_entropy(near, torch.arange(len(answered)))
    return loss


def disturbed(pair: Pair, others: Sequence[Pair], chance: random.Random) -> Question:
    """The question as it is trained on: now and then with less history, or with one that is not its own."""
    history = pair.question.history
    if not history and chance.random() < _FOREIGN:
        return replace(pair.question, history=chance.choice(others).question.history)
    if history and chance.random() < _SHORTENED:
        return replace(pair.question, history=history[-2:])
    return pair.question


def closeness(trained: Trained, pairs: Sequence[Pair], targets: Targets, tokenizer: Tokenizer) -> float:
    """Mean cosine with the rewrites' vectors."""
    trained.model.train(False)
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(pairs), _BATCH):
            some = pairs[start : start + _BATCH]
            vectors = encode(trained.model, [pair.question for pair in some], tokenizer).numpy()
            total += sum(float(vector @ targets[pair.rewrite]) for vector, pair in zip(vectors, some, strict=True))
    trained.model.train()
    return total / len(pairs)


def train(trained: Trained, pairs: Sequence[Pair], validation: Sequence[Pair], epochs: float, seed: int) -> None:
    """Train with AdamW and a cosine schedule, telling the validation's closeness now and then."""
    embedder = load_embedder("embedded")
    texts = list(dict.fromkeys(text for pair in (*pairs, *validation) for text in (pair.rewrite, pair.answer) if text))
    print(f"Embedding {len(texts)} rewrites and answers", flush=True)
    targets = dict(zip(texts, embedder.embed(texts), strict=True))
    chance = random.Random(seed)
    optimizer = torch.optim.AdamW(trained.parameters, lr=_RATE, weight_decay=0.01)
    steps, order, started = int(epochs * len(pairs) / _BATCH), list[int](), time.monotonic()
    print(f"before: {closeness(trained, validation, targets, embedder.tokenizer):.4f}", flush=True)
    for step in range(steps):
        if len(order) < _BATCH:
            order = chance.sample(range(len(pairs)), len(pairs))
        some = [pairs[order.pop()] for _ in range(_BATCH)]
        questions = [disturbed(pair, pairs, chance) for pair in some]
        loss = loss_of(encode(trained.model, questions, embedder.tokenizer), some, targets)
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / (0.1 * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained.parameters, 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            near = closeness(trained, validation, targets, embedder.tokenizer)
            print(f"step {step + 1} of {steps}, {time.monotonic() - started:.0f} s: {near:.4f}", flush=True)


def save(trained: Trained, file: Path) -> None:
    """Write what was learned, as half-precision floats."""
    learned = {_TYPES: trained.model.embeddings.token_type_embeddings.weight}
    for name, layer in trained.layers.items():
        learned |= {f"{name}.down": layer.down, f"{name}.up": layer.up}
    tensors = {name: value.detach().numpy().astype(np.float16) for name, value in learned.items()}
    save_file(tensors, file, metadata={"base": "all-MiniLM-L6-v2", "scale": str(_SCALE)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    pairs = load_pairs(arguments.data)
    names = sorted({pair.conversation for pair in pairs})
    random.Random(7).shuffle(names)
    kept = frozenset(names[: len(names) // 20])
    trained = prepare()
    train(
        trained,
        [pair for pair in pairs if pair.conversation not in kept],
        [pair for pair in pairs if pair.conversation in kept],
        arguments.epochs,
        arguments.seed,
    )
    save(trained, arguments.out)


if __name__ == "__main__":
    main()
