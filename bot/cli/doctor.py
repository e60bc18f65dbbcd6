"""`lorekeeper doctor`: is this machine ready, and if not, what to do."""

from __future__ import annotations

from dataclasses import asdict

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table


@click.command()
@json_option
@click.pass_obj
def doctor(invocation: Invocation, as_json: bool) -> None:
    """Check whether everything is in place, and list all settings."""
    from bot.doctor import examine

    report = examine(invocation.environment, invocation.home, invocation.embedder)
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        for check in report.checks:
            mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red", bold=True)
            click.echo(f"{mark}  {check.name}: {check.detail}")
            if check.next_step:
                click.echo(f"      {check.next_step}")
        click.echo()
        rows = [(one.key, repr(one.value), "" if one.value == one.default else "changed") for one in report.settings]
        print_table(("setting", "value", ""), rows)
    if not report.ok:
        raise click.exceptions.Exit(1)
