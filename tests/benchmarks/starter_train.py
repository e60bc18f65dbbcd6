"""Trains the starter version from what `starter_data` wrote; about 50 minutes on two quiet cores.

Run: python -m tests.benchmarks.starter_train --dataset starter --run starter-run [--threads 2]
A run that was ended goes on when the command is given again. The adapter is RUN/adapter.gguf.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bot.cli.output import progress_bar
from models.plan import Plan
from models.registry import embedded_model
from models.tune import tune


def main() -> None:
    """Train and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", type=Path, help="an adapter to go on from")
    parser.add_argument("--rate", type=float, default=8e-4, help="learning rate")
    options = parser.parse_args()
    # Larger steps than a version from feedback takes: here a skill is learned from nothing, from many small packs.
    plan = Plan(
        base=str(embedded_model().path),
        dataset=str(options.dataset.absolute()),
        dropout=0.0,
        start="" if options.start is None else str(options.start.absolute()),
        learning_rate=options.rate,
        warmup_steps=15,
        accumulate=1,
        pack_tokens=1100,
        most_tokens=1100,
        save_every=100,
        log_every=10,
        patience=20,
        threads=options.threads,
    )
    with progress_bar() as progress:
        done = tune(plan, options.run, progress)
    print(f"{done.file}: {done.rows} rows, {done.steps} steps, {done.seconds:.0f} s, validation {done.validation_loss}")


if __name__ == "__main__":
    main()
