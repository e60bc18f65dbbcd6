"""`lorekeeper gate`: may a tuned version take the place of the one in service?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.eval import difference_row
from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from bot.learn.gate import GateReport

_file = click.Path(path_type=Path, exists=True, dir_okay=False)
_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--candidate", type=_file, help="The adapter (GGUF) of the version that wants in.")
@click.option("--few-shot", type=click.IntRange(1, 8), help="Instead: the version in service with so many examples.")
@click.option("--dataset", type=_folder, required=True, help="The dataset that it was tuned on.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many rows of each set.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the differences to this PNG file.")
@json_option
@click.pass_obj
def gate(
    invocation: Invocation,
    candidate: Path | None,
    few_shot: int | None,
    dataset: Path,
    limit: int | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Compare a tuned version with the one in service and say whether it may take its place.

    Ends with exit code 1 where it is refused. Nothing is changed.
    """
    from bot.learn.gate import draw_gate, report_json

    if (candidate is None) == (few_shot is None):
        raise click.UsageError("Give either --candidate or --few-shot.")
    report = _report(invocation, candidate, few_shot, dataset, limit)
    if plot is not None:
        draw_gate(report, plot)
    if as_json:
        print_json(report_json(report))
    else:
        _print(report)
    return 0 if report.promoted else 1


def _report(
    invocation: Invocation, candidate: Path | None, few_shot: int | None, dataset: Path, limit: int | None
) -> GateReport:
    from bot.learn.contestants import bench_of, contestant, in_service, version_name, with_examples
    from bot.learn.gate import load_sets, run_gate
    from bot.learn.golden import load_golden

    with invocation.application() as application, application.parser() as parser, progress_bar() as progress:
        settings = application.settings
        name, adapter = in_service(application.engine, settings)
        engine, start = application.engine, invocation.open_version
        incumbent = contestant(engine, settings, name, adapter, start)
        if candidate is not None:
            challenger = contestant(engine, settings, version_name(candidate), candidate, start)
        else:
            challenger = with_examples(incumbent, dataset, few_shot or 1, application.library.embedder)
        return run_gate(
            challenger,
            incumbent,
            load_sets(dataset, load_golden(settings.home), limit=limit),
            bench_of(application, parser),
            library=application.library,
            progress=progress,
        )


def _print(report: GateReport) -> None:
    rows = [difference_row(one) for one in (*report.measures, *report.general)]
    print_table(("measure", report.candidate, report.incumbent, "difference", "95 %", "rows"), rows)
    failed = sum(one.newly_failed for one in report.golden)
    click.echo(f"Golden questions: {len(report.golden)}, newly failed: {failed}.")
    click.echo(
        f"Phrases tried as triggers: {len(report.trigger.phrases)}, that worked: {len(report.trigger.successes)}."
    )
    if report.promoted:
        click.echo(f"{report.candidate} may take the place of {report.incumbent}.")
    for refusal in report.refusals:
        click.echo(f"Refused ({refusal.rule}): {refusal.text}.")
