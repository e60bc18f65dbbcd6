"""`lorekeeper credentials`: what opens sources that are not open to all."""

from __future__ import annotations

from dataclasses import asdict
from typing import TextIO

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, print_json, print_table


@click.group()
def credentials() -> None:
    """Keep, list or remove the tokens that sources are opened with."""


@credentials.command("set")
@click.argument("name")
@click.option("--file", type=click.File(encoding="utf-8"), help="Read it from this file; - for standard input.")
@click.pass_obj
def set_(invocation: Invocation, name: str, file: TextIO | None) -> None:
    """Keep a token as NAME, encrypted. It is asked for and does not show, unless a file is named.

    What it is depends on the service: `lorekeeper sources add --help` and the guide say it for each.
    """
    from bot.credentials import set_credential
    from knowledge.secret import Secret

    text = file.read() if file is not None else invocation.ask(f"The token of {name} (it does not show)", True)
    with invocation.database() as engine:
        known = set_credential(engine, invocation.settings(), name, Secret(text))
    click.echo(
        f"{'Replaced' if known else 'Kept'} {name!r}. Use it: lorekeeper sources add LOCATION --credential {name}"
    )


@credentials.command("list")
@json_option
@click.pass_obj
def list_(invocation: Invocation, as_json: bool) -> None:
    """List credentials by name, never what they hold."""
    from bot.credentials import list_credentials

    with invocation.database() as engine:
        found = list_credentials(engine)
    if as_json:
        print_json({"credentials": [asdict(one) for one in found]})
        return
    if not found:
        click.echo("No credentials yet. Keep one: lorekeeper credentials set NAME")
        return
    print_table(
        ("name", "set", "sources"), [(one.name, moment(one.set_at), ", ".join(one.sources) or "none") for one in found]
    )


@credentials.command()
@click.argument("name")
@click.pass_obj
def remove(invocation: Invocation, name: str) -> None:
    """Forget NAME; not while a source needs it."""
    from bot.credentials import remove_credential

    with invocation.database() as engine:
        remove_credential(engine, name)
    click.echo(f"Removed {name!r}.")
