"""`lorekeeper playground`: everything on this machine, in a browser, without an account."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click

from bot.cli.invocation import Invocation
from bot.cli.output import progress_bar, task_of

if TYPE_CHECKING:
    from bot.app import Application
    from bot.settings import Settings


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Where to listen; the setting playground.port unless given."
)
@click.option(
    "--docs",
    "folders",
    type=click.Path(path_type=Path, exists=True, resolve_path=True),
    multiple=True,
    help="Answer from this folder; may be given again. Without any source, Lorekeeper's own guide is what it knows.",
)
@click.option(
    "--open/--no-open", "open_page", default=None, help="Open the page in a browser, where there is a desktop."
)
@click.pass_obj
def playground(invocation: Invocation, port: int | None, folders: tuple[Path, ...], open_page: bool | None) -> None:
    """Run Lorekeeper in a local workspace, in the browser."""
    from bot.cli.serving import ended_by_signal

    settings = invocation.settings()
    with ended_by_signal():
        _play(invocation, settings, settings.file.playground.port if port is None else port, folders, open_page)
    click.echo("Stopped.", err=True)


def _play(
    invocation: Invocation, settings: Settings, port: int, folders: tuple[Path, ...], open_page: bool | None
) -> None:
    from bot.cli.serving import connected, finish_removals, scheduling, slack_options, wait_until_stopped
    from bot.learn.loop import learn_in_process
    from bot.notes import FOLDER as SAVED_FOLDER
    from bot.own_guide import choose_sources
    from bot.playground.process import start_playground
    from bot.playground.running import announced
    from bot.settings import of_workspace
    from bot.slack.manifest import build_manifest
    from knowledge.store import list_sources

    with invocation.database() as engine:
        known = choose_sources(engine, folders)
    state = settings.home / "playground.json"
    with start_playground(
        settings.file.playground.host,
        port,
        state,
        documents=[*(Path(one.location) for one in known), settings.home / SAVED_FOLDER],
        # As installed for real: a scope or an event that the manifest lacks is missing here, too.
        manifest=build_manifest(),
    ) as process:
        click.echo(f"Lorekeeper's playground: {process.url}")
        if open_page if open_page is not None else has_desktop(invocation.environment):
            webbrowser.open(process.url)
        line = process.line
        settings = of_workspace(settings, bot_token=line.bot_token, app_token=line.app_token, api_url=line.api_url)
        options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, line.api_url)
        with (
            announced(line, settings.home),
            invocation.application(settings, with_generator=True) as application,
        ):
            shown: list[Path] = []

            def show_folders() -> None:
                folders = [Path(one.location) for one in list_sources(application.engine)]
                # Asked for each link of each update of an answer, and new about once a day.
                if folders != shown:
                    process.show_documents(folders)
                    shown[:] = folders

            with connected(application, options, link=document_links(process.url, show_folders)) as bot:
                _read_sources(application)
                click.echo("Ready: ask it something. Ctrl-C ends it.")
                with scheduling(application, partial(learn_in_process, settings.home)):
                    wait_until_stopped(lambda: process.process.poll() is None and bot.removal is None)
            finish_removals(application.engine, settings)


def document_links(url: str, show_folders: Callable[[], None] = lambda: None) -> Callable[[str], str]:
    """Citations of files on this machine open in the playground; other links stay as they are.

    `show_folders` tells it which folders there are now: some may be sources since a minute.
    """

    def link(uri: str) -> str:
        if not uri.startswith("file://"):
            return uri
        show_folders()
        return f"{url}document?{urlencode({'uri': uri})}"

    return link


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Whether somebody sits in front of this machine, with a screen that a browser can open on."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in environment:
        return False
    return sys.platform == "darwin" or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _read_sources(application: Application) -> None:
    from bot.errors import BotError
    from bot.sync import describe, ingest_parts, sync_source
    from knowledge.errors import SourceError
    from knowledge.store import list_sources

    library = application.library
    with ingest_parts(application.engine, library.embedder, application.settings, library.publish_if_due) as parts:
        for stored in list_sources(application.engine):
            try:
                with progress_bar() as report:
                    result = sync_source(stored, parts, progress=task_of(report, f"Reading {stored.name}"))
            except (SourceError, BotError) as error:  # what was read earlier can still be asked about
                click.echo(f"{stored.name}: {error}", err=True)
            else:
                click.echo(f"{stored.name}: {describe(result)}")
