"""What a tuning run is to do, as the file `plan.json` in its folder: all that is needed to do it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from models.errors import TuningError

PLAN_FILE = "plan.json"
REFUSED = 3
"""The exit code of a training process whose last line says, for people, why it cannot do what is planned."""
Method = Literal["supervised", "dpo", "kto", "text"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run; the numbers are what two cores can do in an hour."""

    base: str
    """A GGUF file, or a model that transformers can load."""
    dataset: str
    start: str = ""
    """An adapter's GGUF file to go on from: the skill that a version has already; empty to begin with none."""
    data_hash: str = ""
    """SHA-256 over the dataset's files."""
    method: Method = "supervised"
    full: bool = False
    """Train all weights, for small models, instead of an adapter."""
    chat_format: str = "chatml"
    seed: int = 5
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    frozen_layers: float = 0.3
    """Share of the layers, from below, that stay as they are: a third saves a fifth of the time."""
    learning_rate: float = 4e-4
    epochs: float = 1.0
    most_steps: int = -1
    """-1: as many as the epochs need."""
    warmup_steps: int = 10
    accumulate: int = 2
    pack_tokens: int = 1400
    most_tokens: int = 1400
    """Longer rows are left out."""
    log_every: int = 5
    save_every: int = 50
    patience: int = 3
    """Ends after so many checks of the validation loss without a better one."""
    beta: float = 0.1
    """Of DPO and KTO: how far the model may go from where it began."""
    threads: int = 0
    """0: as many as torch takes."""


def write_plan(run: Path, plan: Plan) -> None:
    """Make the run's folder."""
    run.mkdir(parents=True, exist_ok=True)
    (run / PLAN_FILE).write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")


def read_plan(run: Path) -> Plan:
    """Read a run's plan; raises TuningError."""
    path = run / PLAN_FILE
    try:
        return Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TuningError(f"The plan {path} cannot be read ({error}); begin the run anew.") from error
