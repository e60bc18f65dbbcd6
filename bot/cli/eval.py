"""`lorekeeper eval`: how good retrieval and answers are, measured on data with known answers."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from bot.learn.compare import Comparison, MeasureDifference

_run_option = click.option(
    "--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Write each single result to this file."
)
_existing = click.Path(path_type=Path, exists=True, dir_okay=False)
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

    settings = invocation.settings()
    with progress_bar() as progress:
        report = asdict(evaluate_retrieval(folder, settings, run_file=run_file, limit=limit, progress=progress))
    if as_json:
        print_json(report)
    else:
        _print_report(report)


@evaluate.command()
@click.argument("file", type=_existing)
@_run_option
@_limit_option
@click.option("--against", type=_existing, help="An earlier run of the same rows: paired differences to it.")
@json_option
@click.pass_obj
def answers(
    invocation: Invocation, file: Path, run_file: Path | None, limit: int | None, against: Path | None, as_json: bool
) -> None:
    """Measure answers, citations and abstention on given passages.

    FILE holds one JSON object a line: id, group, history, question, answerable, passages, answers.
    """
    from bot.evaluate.answers import evaluate_answers

    with tempfile.TemporaryDirectory() as folder, invocation.application(with_generator=True) as application:
        kept = run_file or Path(folder) / "this.jsonl"
        with progress_bar() as progress:
            report = asdict(evaluate_answers(file, application, run_file=kept, limit=limit, progress=progress))
        comparison = None if against is None else _compared(kept, against)
    if as_json:
        print_json(report if comparison is None else {**report, "compared": asdict(comparison)})
        return
    _print_report(report)
    if comparison is not None:
        print_comparison(comparison)


@evaluate.command()
@click.argument("first", type=_existing)
@click.argument("second", type=_existing)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the differences to this PNG file.")
@json_option
def compare(first: Path, second: Path, plot: Path | None, as_json: bool) -> None:
    """Compare two runs of `eval answers`: paired differences, first minus second, with 95 % intervals."""
    from bot.learn.compare import compare_files
    from bot.learn.pictures import draw_comparison

    comparison = compare_files(first, second)
    if plot is not None:
        draw_comparison(comparison.measures, first=comparison.first, second=comparison.second, file=plot)
    if as_json:
        print_json(asdict(comparison))
    else:
        print_comparison(comparison)


def print_comparison(comparison: Comparison) -> None:
    """Print a table of differences."""
    print_table(
        ("measure", comparison.first, comparison.second, "difference", "95 %", "rows"),
        [difference_row(one) for one in comparison.measures],
    )
    if comparison.left_out:
        click.echo(f"{comparison.left_out} rows are in one of the two only, and left out.")


def difference_row(one: MeasureDifference) -> tuple[object, ...]:
    """A measure as a row of a table."""
    found = one.difference
    return (
        f"{one.measure} (less is better)" if one.lower_is_better else one.measure,
        f"{one.first:.3f}",
        f"{one.second:.3f}",
        f"{found.mean:+.3f}",
        f"{found.low:+.3f} to {found.high:+.3f}",
        found.rows,
    )


def _compared(run_file: Path, against: Path) -> Comparison:
    from bot.learn.compare import compare_files

    return compare_files(run_file, against)


def _print_report(report: dict[str, Any]) -> None:
    print_table(("measure", "value"), list(_flat(report)))


def _flat(report: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in report.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", f"{value:.4f}" if isinstance(value, float) else value))
    return rows
