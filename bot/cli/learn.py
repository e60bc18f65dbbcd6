"""`lorekeeper learn`: one round of learning, from feedback to a version that the gate has judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, progress_bar

if TYPE_CHECKING:
    from bot.learn.loop import Round


@click.command()
@click.option("--name", help="How the version is called; the date and time unless given.")
@click.option(
    "--method",
    type=click.Choice(["supervised", "dpo", "kto"]),
    default="supervised",
    show_default=True,
    help="What is learned from: what is to be said, better and worse answers, or votes.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Let the gate ask only the first so many rows of each set.")
@click.option("--team", default="", help="The workspace that the version belongs to, where there are several.")
@json_option
@click.pass_obj
def learn(invocation: Invocation, name: str | None, method: str, limit: int | None, team: str, as_json: bool) -> None:
    """Make a better version of the model from feedback and documents, and let the gate judge it.

    Nothing is put in service by this alone: `lorekeeper versions promote NAME` does that, or a canary where
    tuning.canary is set.
    """
    from bot.learn.gate import report_json
    from bot.learn.loop import learn_once

    with invocation.application() as application, application.parser() as parser, progress_bar() as progress:
        done: Round = learn_once(
            application,
            parser,
            invocation.open_version,
            team=team,
            name=name,
            method=method,
            limit=limit,
            progress=progress,
        )
    if as_json:
        gate = report_json(done.gate)
        print_json({"version": done.version, "state": done.state, "rows": done.run.rows, "gate": gate})
        return
    click.echo(done.summary)
