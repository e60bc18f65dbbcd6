"""`lorekeeper dataset`: what a version of the language model can learn from."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.learn.export import DatasetReport
    from models.generator import Generator

_SHOWN_REASONS = 12


@click.group()
def dataset() -> None:
    """Make or look at what a version of the model can learn from."""


@dataset.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Write into this folder.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed splits another way.")
@click.option("--ask-model", "ask_model", is_flag=True, help="Let the language model ask questions, too (slow).")
@click.option(
    "--rehearsal/--no-rehearsal",
    default=True,
    help="Let the version in service answer tasks without a text, to be learned again against forgetting.",
)
@click.option("--text", is_flag=True, help="Add your documents' plain text, for `lorekeeper tune --method text`.")
@json_option
@click.pass_obj
def build(
    invocation: Invocation,
    output: Path | None,
    seed: int,
    ask_model: bool,
    rehearsal: bool,
    text: bool,
    as_json: bool,
) -> None:
    """Write everything that may be learned from into a folder, with where each row comes from."""
    from bot.learn.contestants import in_service
    from bot.learn.dataset import DatasetOptions, build_dataset
    from bot.purge import DATASETS_FOLDER

    with invocation.application(with_generator=ask_model) as application, progress_bar() as progress:
        settings = application.settings
        home = settings.home

        def start() -> Generator:
            return invocation.open_version(settings, in_service(application.engine, settings)[1])

        report = build_dataset(
            application.engine,
            application.library.embedder,
            settings,
            output or home / DATASETS_FOLDER / f"{datetime.now(UTC):%Y%m%d-%H%M%S}",
            generator=application.generator,
            open_rehearsing=start if rehearsal else None,
            options=DatasetOptions(seed=seed, texts=text),
            progress=progress,
        )
    if as_json:
        print_json(asdict(report))
        return
    _print(report)


@dataset.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Say what a dataset's FOLDER holds, after checking its files against its manifest."""
    from bot.learn.export import read_manifest

    manifest = read_manifest(folder)
    if as_json:
        print_json(manifest)
        return
    _print_counts({name: manifest[name] for name in ("parts", "lanes", "kinds")})
    _print_left_out({one["says"]: one["rows"] for one in manifest["left_out"]})
    _print_rest(manifest["votes"], manifest["signals"], manifest["warnings"])
    click.echo(f"Made {manifest['made_at']} with seed {manifest['seed']}; data {manifest['data_sha256'][:16]}.")


@dataset.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--count", type=click.IntRange(1, 8), default=3, show_default=True, help="So many examples.")
@json_option
@click.pass_obj
def examples(invocation: Invocation, folder: Path, count: int, as_json: bool) -> None:
    """Choose rows of a dataset's FOLDER that are shown to the model as examples where answer.few_shot is set.

    Measure them first: `lorekeeper gate --few-shot 3 --dataset FOLDER`.
    """
    from bot.learn.few_shot import choose_examples, keep_examples
    from models.example import read_examples

    with invocation.application() as application:
        rows = list(read_examples(folder / "train.jsonl"))
        chosen = choose_examples(rows, count, application.library.embedder)
        path = keep_examples(application.settings.home, chosen)
    if as_json:
        print_json({"file": str(path), "examples": [asdict(row) for row in chosen]})
        return
    print_table(("lane", "origin", "answer"), [(row.lane, row.origin, row.answer) for row in chosen])
    click.echo(f"Written to {path}. Set answer.few_shot = {len(chosen)} to use them.")


def _print(report: DatasetReport) -> None:
    from bot.learn.policy import REASONS

    said = {str(reason): says for reason, says in REASONS.items()}
    _print_counts({"parts": report.parts, "lanes": report.lanes, "kinds": report.kinds})
    _print_left_out({said[reason]: count for reason, count in report.left_out.items()})
    _print_rest(report.votes, report.signals, report.warnings)
    click.echo(f"Tasks without a document, against forgetting: {report.rehearsed} more rows to learn from.")
    if report.texts:
        click.echo(f"Pieces of your documents' text, for `lorekeeper tune --method text`: {report.texts}.")
    click.echo(f"Written to {report.folder} in {report.seconds:.0f} s. Test rows: lorekeeper eval answers FILE")


def _print_counts(groups: Mapping[str, Mapping[str, int]]) -> None:
    rows = [(group, name, count) for group, counts in groups.items() for name, count in counts.items()]
    print_table(("", "", "rows"), rows)


def _print_left_out(left_out: Mapping[str, int]) -> None:
    if left_out:
        print_table(("left out, because it", "rows"), list(left_out.items())[:_SHOWN_REASONS])


def _print_rest(votes: int, signals: Mapping[str, Any], warnings: list[str] | tuple[str, ...]) -> None:
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in signals.items()) or "none"
    click.echo(f"Votes, kept as figures: {votes}. Other signals, reported only: {told}.")
    for warning in warnings:
        click.echo(f"! {warning}")
