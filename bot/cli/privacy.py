"""`lorekeeper forget` and `lorekeeper export`: what is kept about one person."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, to_json, write_file


@click.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def forget(invocation: Invocation, user: str, yes: bool, as_json: bool) -> None:
    """Remove everything that is kept about USER, a Slack id.

    Prints how many turns, answers, votes and corrections that were.
    """
    from bot.privacy import forget as forget_person

    if not yes:
        click.confirm(f"Remove every turn, answer, vote and correction of {user} for ever?", abort=True, err=True)
    with invocation.database() as engine:
        receipt = forget_person(engine, user)
    counts = asdict(receipt) if is_dataclass(receipt) else dict(receipt)
    if as_json:
        print_json({"user": user, "removed": counts})
        return
    click.echo(f"Removed of {user}: " + ", ".join(f"{count} {what}" for what, count in counts.items()) + ".")


@click.command()
@click.argument("user")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file instead of stdout.")
@json_option
@click.pass_obj
def export(invocation: Invocation, user: str, output: Path | None, as_json: bool) -> None:  # noqa: ARG001
    """Write everything that is kept about USER, as JSON."""
    from bot.privacy import export as export_person

    with invocation.database() as engine:
        content = export_person(engine, user)
    if output is None:
        print_json(content)
        return
    write_file(output, [f"{to_json(content, indent=2)}\n"])
    click.echo(f"Written to {output}.", err=True)
