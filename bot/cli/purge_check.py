"""`lorekeeper purge-check`: the proof that nothing of a workspace is left."""

from __future__ import annotations

from dataclasses import asdict

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, print_json, print_table


@click.command("purge-check")
@click.argument("team")
@json_option
@click.pass_obj
def purge_check(invocation: Invocation, team: str, as_json: bool) -> None:
    """Look through every table and file for what is left of TEAM, a workspace's id, after it took the app away.

    Ends with 1 where something is left.
    """
    from bot.purge_check import check_purged

    finding = check_purged(invocation.settings(), team)
    if as_json:
        print_json(asdict(finding))
    else:
        for receipt in finding.receipts:
            counts = ", ".join(f"{count} {what}" for what, count in receipt.removed.items() if count)
            click.echo(f"{moment(receipt.removed_at)} {receipt.reason}: removed {counts or 'nothing'}.")
        if finding.traces:
            print_table(("left", "count"), [(trace.place, trace.count) for trace in finding.traces])
        else:
            click.echo(f"Nothing of {team} is left: {finding.looked_at} databases and files were looked through.")
    if finding.traces:
        raise click.exceptions.Exit(1)
