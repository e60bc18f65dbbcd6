"""`lorekeeper manifest`: what an operator pastes into Slack to make the app."""

from __future__ import annotations

import click

from bot.cli.output import json_option, print_json


@click.command()
@json_option
def manifest(as_json: bool) -> None:  # noqa: ARG001  it is JSON in any case
    """Print the Slack app manifest, as JSON."""
    from bot.slack.manifest import build_manifest

    print_json(build_manifest())
