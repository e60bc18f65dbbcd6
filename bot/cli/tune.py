"""`lorekeeper tune`: make a better version of the language model from a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from models.plan import Plan
    from models.tune import TunedRun


_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--dataset", type=_folder, required=True, help="What to learn from.")
@click.option("--run", "output", type=click.Path(path_type=Path), required=True, help="The run's folder.")
@click.option(
    "--method",
    type=click.Choice(["supervised", "dpo", "kto", "text"]),
    default="supervised",
    show_default=True,
    help="Learn from what is to be said, from better and worse answers, from votes, or from plain text.",
)
@click.option("--base", metavar="MODEL", help="A GGUF file or a transformers model instead of the one in use.")
@click.option("--from-scratch", is_flag=True, help="Begin at the base model's weights, not at the version in use.")
@click.option("--full", is_flag=True, help="Train all weights instead of an adapter; for small models.")
@click.option("--epochs", type=click.FloatRange(min=0.01), help="How often each row is learned from.")
@click.option("--steps", "most_steps", type=click.IntRange(min=1), help="End after so many steps.")
@click.option("--learning-rate", type=click.FloatRange(min=1e-7, max=1.0), help="How large the steps are.")
@click.option("--rank", type=click.IntRange(1, 256), help="The adapter's rank.")
@click.option("--seed", type=int, help="The same seed, data and machine give the same version.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads; one is often as fast as two.")
@click.option("--folds", type=click.IntRange(min=2), help="Cross-validate with so many folds instead.")
@json_option
@click.pass_obj
def tune(
    invocation: Invocation,
    dataset: Path,
    output: Path,
    method: str,
    base: str | None,
    from_scratch: bool,
    full: bool,
    folds: int | None,
    as_json: bool,
    epochs: float | None,
    most_steps: int | None,
    learning_rate: float | None,
    rank: int | None,
    seed: int | None,
    threads: int | None,
) -> None:
    """Train a version of the model on a dataset (see `lorekeeper dataset build`).

    The run's folder gets adapter.gguf, run.json and curves.png. A run that was ended goes on when it is called again.
    """
    from models.tune import cross_validate, tune

    numbers: dict[str, float | None] = {
        "epochs": epochs,
        "most_steps": most_steps,
        "learning_rate": learning_rate,
        "rank": rank,
        "seed": seed,
        "threads": threads,
    }
    plan = _plan(invocation, dataset, method, base, from_scratch=from_scratch or full, full=full, numbers=numbers)
    with progress_bar() as progress:
        if folds:
            runs, mean, deviation = cross_validate(plan, output, folds, progress)
        else:
            done = tune(plan, output, progress)
            _draw(done)
    if folds:
        figures = {"folds": len(runs), "validation_loss": mean, "standard_deviation": deviation}
    else:
        figures = {key: value for key, value in asdict(done).items() if key not in ("log", "run")}
    if as_json:
        print_json(figures)
        return
    print_table(("figure", "value"), list(_rows(figures)))


def _plan(
    invocation: Invocation,
    dataset: Path,
    method: str,
    base: str | None,
    *,
    from_scratch: bool,
    full: bool,
    numbers: dict[str, float | None],
) -> Plan:
    settings = invocation.settings()
    from bot.learn.contestants import in_service
    from bot.learn.tuning_plan import plan_for

    with invocation.database() as engine:
        _, adapter = in_service(engine, settings)
    given = {key: value for key, value in numbers.items() if value is not None}
    return plan_for(
        settings,
        dataset,
        method,
        base=base,
        in_service=adapter,
        from_scratch=from_scratch,
        full=full,
        numbers=given,
    )


def _draw(done: TunedRun) -> None:
    from bot.learn.pictures import draw_curves

    draw_curves(done.log, done.run / "curves.png")


def _rows(figures: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in figures.items():
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}".replace("_", " "), value))
    return rows
