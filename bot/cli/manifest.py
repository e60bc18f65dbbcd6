"""`lorekeeper manifest`: what an operator gives to Slack to make the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bot.cli.output import json_option, print_json

if TYPE_CHECKING:
    from bot.slack.manifest import Surface


@click.command()
@click.option("--http", metavar="ADDRESS", help="For HTTP mode: the public https address under which Slack reaches it.")
@click.option(
    "--surface",
    type=click.Choice(("agent", "assistant", "none")),
    default="agent",
    show_default=True,
    help="How direct messages look: Slack's agent experience, the older assistant pane, or neither (free plan).",
)
@click.option("--link", is_flag=True, help="Print the address where Slack makes the app, instead of JSON.")
@json_option
def manifest(http: str | None, surface: Surface, link: bool, as_json: bool) -> None:  # noqa: ARG001  it is JSON anyway
    """Print the Slack app manifest, as JSON."""
    from bot.slack.manifest import build_manifest, create_app_link

    built = build_manifest(http=http, surface=surface)
    if link:
        click.echo(create_app_link(built))
    else:
        print_json(built)
