"""`lorekeeper run`: the bot in a Slack workspace."""

from __future__ import annotations

import click

from bot.cli.invocation import Invocation


@click.command()
@click.pass_obj
def run(invocation: Invocation) -> None:
    """Run the bot in Slack.

    Needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN in the environment; Ctrl-C ends it.
    """
    from bot.cli.serving import connected, ended_by_signal, scheduling, slack_options, wait_until_stopped
    from bot.slack.credentials import check_credentials

    settings = invocation.settings()
    installation = check_credentials(settings)
    if installation.missing_scopes:
        click.echo(f"Missing scopes: {', '.join(installation.missing_scopes)}. Some things will not work.", err=True)
    options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, settings.slack_api_url)
    with ended_by_signal():
        click.echo("Loading the models …", err=True)
        with (
            invocation.application(with_generator=True) as application,
            # A file on this machine is nothing that a reader in Slack could open: its citation stays without a link.
            connected(application, options, link=lambda uri: uri),
            scheduling(application),
        ):
            click.echo(f"{installation.bot} answers in {installation.team}. Ctrl-C ends it.", err=True)
            wait_until_stopped()
    click.echo("Stopped.", err=True)
