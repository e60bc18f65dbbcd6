"""`lorekeeper run`: the bot in Slack, which it calls (Socket Mode) or which calls it (HTTP mode)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation

if TYPE_CHECKING:
    from bot.app import Application
    from bot.purge import Removal
    from bot.settings import Settings
    from bot.slack.credentials import Installation


@click.command()
@click.option(
    "--http/--socket",
    "http",
    default=None,
    help="HTTP mode: Slack calls this machine. Otherwise Socket Mode. The setting slack.mode unless given.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Where HTTP mode listens; the setting slack.port unless given."
)
@click.pass_obj
def run(invocation: Invocation, http: bool | None, port: int | None) -> None:
    """Run the bot in Slack; Ctrl-C ends it.

    Socket Mode needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN. HTTP mode needs SLACK_SIGNING_SECRET, and either
    SLACK_BOT_TOKEN for one workspace, or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET for all that install the app.
    """
    from bot.cli.serving import ended_by_signal

    settings = invocation.settings()
    by_http = settings.file.slack.mode == "http" if http is None else http
    taken_away: list[Removal] = []
    with ended_by_signal():
        if by_http:
            _run_http(invocation, settings, settings.file.slack.port if port is None else port, taken_away)
        else:
            _run_socket(invocation, settings, taken_away)
    click.echo("Stopped.", err=True)
    if taken_away:
        raise click.exceptions.Exit(1)


def _run_socket(invocation: Invocation, settings: Settings, taken_away: list[Removal]) -> None:
    from bot.cli.serving import connected, finish_removals, scheduling, slack_options, wait_until_stopped
    from bot.learn.loop import learn_in_process
    from bot.slack.credentials import check_credentials

    with invocation.database() as engine:
        finish_removals(engine, settings)
    installation = check_credentials(settings)
    _warn(installation)
    options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, settings.slack_api_url)
    click.echo("Loading the models …", err=True)
    with invocation.application(with_generator=True) as application:
        learn = partial(learn_in_process, settings.home)
        with connected(application, options, link=_plain_link) as bot, scheduling(application, learn):
            click.echo(f"{installation.bot} answers in {installation.team}. Ctrl-C ends it.", err=True)
            wait_until_stopped(lambda: bot.removal is None)
        taken_away += finish_removals(application.engine, settings)


def _run_http(invocation: Invocation, settings: Settings, port: int, taken_away: list[Removal]) -> None:
    from bot.cli.hosting import hosting
    from bot.cli.serving import finish_removals, wait_until_stopped
    from bot.slack.credentials import check_http_credentials

    installation = check_http_credentials(settings)
    if installation is not None:
        with invocation.database() as engine:
            finish_removals(engine, settings)
        _warn(installation)
    removed: list[Removal] = []
    click.echo("Loading the models …", err=True)
    with invocation.application(with_generator=True) as application:
        host = settings.file.slack.host
        with hosting(application, _plain_link, host=host, port=port, removed=removed.append) as server:
            click.echo(_said_at_start(application, installation, host, server.port), err=True)
            wait_until_stopped(lambda: not removed)
        if installation is not None:
            taken_away += finish_removals(application.engine, settings)


def _said_at_start(application: Application, installation: Installation | None, host: str, port: int) -> str:
    from bot.slack.tenants import TEAMS_FOLDER
    from knowledge.store import list_sources

    if installation is not None:
        return f"{installation.bot} answers in {installation.team}, listening on {host}:{port}. Ctrl-C ends it."
    folder = application.settings.home / TEAMS_FOLDER
    said = f"Listening on {host}:{port}. Workspaces install the app at /slack/install; Ctrl-C ends it."
    if list_sources(application.engine):
        said += f"\nEach workspace has its own sources: lorekeeper --home {folder}/TEAM sources add FOLDER"
    return said


def _warn(installation: Installation) -> None:
    if installation.missing_scopes:
        click.echo(f"Missing scopes: {', '.join(installation.missing_scopes)}. Some things will not work.", err=True)


def _plain_link(uri: str) -> str:
    """A file on this machine is nothing that a reader in Slack could open: its citation stays without a link."""
    return uri
