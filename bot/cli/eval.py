"""`lorekeeper eval`: how good retrieval and answers are, measured on data with known answers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.cli.output import Report
    from bot.settings import Settings

_run_option = click.option(
    "--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Write each single result to this file."
)
_limit_option = click.option("--limit", type=click.IntRange(min=1), help="Only the first so many.")


@click.group("eval")
def evaluate() -> None:
    """Measure retrieval and answers, with the code the bot runs."""


@evaluate.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@_run_option
@_limit_option
@json_option
@click.pass_obj
def retrieval(invocation: Invocation, folder: Path, run_file: Path | None, limit: int | None, as_json: bool) -> None:
    """Measure retrieval on a judged collection.

    FOLDER holds corpus.jsonl and queries.jsonl (each may end in .xz) and qrels.tsv.
    """
    from bot.evaluate.retrieval import evaluate_retrieval

    def measure(settings: Settings, progress: Report) -> Any:
        return evaluate_retrieval(folder, settings, run_file=run_file, limit=limit, progress=progress)

    _measure(invocation, measure, as_json)


@evaluate.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_run_option
@_limit_option
@json_option
@click.pass_obj
def answers(invocation: Invocation, file: Path, run_file: Path | None, limit: int | None, as_json: bool) -> None:
    """Measure answers, citations and abstention on given passages.

    FILE holds one JSON object a line: id, history, question, answerable, passages, answers.
    """
    from bot.evaluate.answers import evaluate_answers

    def measure(settings: Settings, progress: Report) -> Any:
        return evaluate_answers(file, settings, run_file=run_file, limit=limit, progress=progress)

    _measure(invocation, measure, as_json)


def _measure(invocation: Invocation, measure: Callable[[Settings, Report], Any], as_json: bool) -> None:
    settings = invocation.settings()
    with progress_bar() as progress:
        report = asdict(measure(settings, progress))
    if as_json:
        print_json(report)
        return
    print_table(("measure", "value"), list(_flat(report)))


def _flat(report: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in report.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", f"{value:.4f}" if isinstance(value, float) else value))
    return rows
