"""Is the GGUF the model that was trained? The same greedy text on probes, and what quantization costs.

The probes were answered by the trained model itself, in its own process (`probes.json` in the run's folder). The
merged model in 16-bit floats must say the same; the form in service (the quantized base with the adapter on top, or the
merged model in 8 bits) is compared by the mean log-probability of the validation answers.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from models.child import ChildGenerator, Runtime
from models.example import Example, read_examples
from models.generator import ChatMessage, GenerationOptions
from models.plan import Plan
from models.requantize import requantize_file

PROBES_FILE = "probes.json"
PROBE_TOKENS = 24
PROBES = 12
_SCORED_ROWS = 24


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How near the file in service comes to what was trained."""

    probes: int
    same_text: int
    """Probes that the merged, unquantized GGUF answers with the very text of the trained model."""
    same_text_quantized: int
    """The same of the quantized base with the adapter."""
    loss: float
    """Mean negative log-probability per token of the validation answers, merged and unquantized; nats."""
    loss_quantized: float
    """The same with the quantized base and the adapter on top."""


def verify(run: Path, base: Path, file: Path, plan: Plan) -> Verified:
    """Compare; `file` is the adapter, or the merged model itself. Raises ModelError where a file cannot be loaded."""
    probes = json.loads((run / PROBES_FILE).read_text(encoding="utf-8"))
    rows = _rows(Path(plan.dataset))
    merged = file.with_name("merged.gguf")
    said, loss = _measure(merged, None, probes, rows, plan)
    if file == merged:
        small = file.with_name("merged.Q8_0.gguf")
        requantize_file(merged, small, "Q8_0")
        said_quantized, loss_quantized = _measure(small, None, probes, rows, plan)
    else:
        said_quantized, loss_quantized = _measure(base, file, probes, rows, plan)
    wanted = [probe["text"] for probe in probes]
    return Verified(
        probes=len(probes),
        same_text=sum(a == b for a, b in zip(said, wanted, strict=True)),
        same_text_quantized=sum(a == b for a, b in zip(said_quantized, wanted, strict=True)),
        loss=loss,
        loss_quantized=loss_quantized,
    )


def probe_rows(dataset: Path) -> list[Example]:
    """The rows whose prompts are probes: of the validation part, else of the training part."""
    return _rows(dataset)[:PROBES]


def _rows(dataset: Path) -> list[Example]:
    for part in ("validation", "train"):
        path = dataset / f"{part}.jsonl"
        rows = [row for row in read_examples(path) if row.kind == "supervised"] if path.exists() else []
        if rows:
            return rows[:: max(1, len(rows) // _SCORED_ROWS)][:_SCORED_ROWS]
    return []


def _measure(
    model: Path, adapter: Path | None, probes: list[dict[str, str]], rows: list[Example], plan: Plan
) -> tuple[list[str], float]:
    greedy = GenerationOptions(max_tokens=PROBE_TOKENS, repeat_penalty=1.0)
    runtime = Runtime(adapter=adapter, chat_format=plan.chat_format)
    with closing(ChildGenerator(model, model.name, runtime)) as generator:
        texts = []
        for probe in probes:
            messages = tuple(ChatMessage(**message) for message in json.loads(probe["messages"]))
            texts.append("".join(generator.stream(messages, greedy)).strip())
        scores = [generator.score(row.messages, row.answer) for row in rows]
    tokens = sum(map(len, scores))
    return texts, -sum(map(sum, scores)) / tokens if tokens else 0.0
