"""`lorekeeper golden`: the questions that every version must go on answering."""

from __future__ import annotations

from dataclasses import asdict

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table, short


@click.group()
def golden() -> None:
    """Keep questions that a tuned version must not newly fail."""


@golden.command()
@click.argument("question", required=False)
@click.option("--contains", multiple=True, metavar="TEXT", help="The answer must hold this; may be repeated.")
@click.option("--cites", multiple=True, metavar="TITLE", help="It must cite such a document; may be repeated.")
@click.option("--abstains", is_flag=True, help="It must say that it does not know.")
@click.option("--from-curated", is_flag=True, help="Add all approved answers that everyone may read.")
@click.pass_obj
def add(
    invocation: Invocation,
    question: str | None,
    contains: tuple[str, ...],
    cites: tuple[str, ...],
    abstains: bool,
    from_curated: bool,
) -> None:
    """Add a question with what its answer must do.

    The same question again takes the place of the earlier one.
    """
    from bot.errors import MisuseError
    from bot.learn.golden import GoldenQuestion, add_golden, golden_from_curated

    if from_curated == bool(question):
        raise MisuseError("give one QUESTION, or --from-curated.")
    home = invocation.settings().home
    if question:
        one = GoldenQuestion(question=question, must_contain=contains, must_cite=cites, must_abstain=abstains)
        new = add_golden(home, [one])
        click.echo(f"{'Added' if new else 'Changed'} {one.id}.")
        return
    with invocation.database() as engine:
        found = golden_from_curated(engine)
    click.echo(f"{add_golden(home, found)} of {len(found)} approved answers added.")


@golden.command("list")
@json_option
@click.pass_obj
def list_(invocation: Invocation, as_json: bool) -> None:
    """List the golden questions."""
    from bot.learn.golden import load_golden

    found = load_golden(invocation.settings().home)
    if as_json:
        print_json({"golden": [{"id": one.id, **asdict(one)} for one in found]})
        return
    rows = [
        (
            one.id,
            short(one.question),
            "says that it does not know" if one.must_abstain else short("; ".join(one.must_contain)),
            short("; ".join(one.must_cite)),
        )
        for one in found
    ]
    print_table(("id", "question", "must say", "must cite"), rows)


@golden.command()
@click.argument("golden_id", metavar="ID")
@click.pass_obj
def remove(invocation: Invocation, golden_id: str) -> None:
    """Remove a golden question."""
    from bot.errors import MisuseError
    from bot.learn.golden import remove_golden

    if not remove_golden(invocation.settings().home, golden_id):
        raise MisuseError(f"there is no golden question {golden_id!r}: `lorekeeper golden list` shows them.")
    click.echo(f"Removed {golden_id}.")
