"""`lorekeeper setup`: from nothing to the first answer, step by step; what is done already is only checked again."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.slack.credentials import Installation
    from bot.slack.manifest import Surface

STEPS = ("app", "tokens", "messages", "documents", "answer")
_TOKEN_PAGES = {
    "SLACK_BOT_TOKEN": "the app's page Install App (install it first); it begins with xoxb-",
    "SLACK_APP_TOKEN": "the app's page Basic Information > App-Level Tokens: generate one with connections:write; "
    "it begins with xapp-",
    "SLACK_SIGNING_SECRET": "the app's page Basic Information > App Credentials > Signing Secret",
}


@dataclass(kw_only=True)
class _Walk:
    """One walk through the steps, and what is still to be done at its end."""

    invocation: Invocation
    http: str | None
    surface: Surface
    folders: tuple[Path, ...]
    skip: frozenset[str]
    asks: bool
    wait_seconds: float
    open_page: bool
    installation: Installation | None = None
    open_ends: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """The settings as they are now: each step may have added some."""
        return self.invocation.settings()

    def head(self, number: int, title: str) -> None:
        """Name a step."""
        click.echo()
        click.echo(click.style(f"{number}. {title}", bold=True))

    def done(self, text: str) -> None:
        """Something is in order."""
        click.echo(f"   {click.style('ok', fg='green')}  {text}")

    def later(self, text: str) -> None:
        """Something is left to be done."""
        click.echo(f"   {click.style('to do', fg='yellow')}  {text}")
        self.open_ends.append(text)


@click.command()
@click.option("--http", metavar="ADDRESS", help="For HTTP mode: the public https address under which Slack reaches it.")
@click.option("--surface", type=click.Choice(("agent", "assistant", "none")), default="agent", show_default=True)
@click.option(
    "--docs",
    "folders",
    type=click.Path(path_type=Path, exists=True, resolve_path=True),
    multiple=True,
    help="Answer from this folder; may be given again.",
)
@click.option("--skip", type=click.Choice(STEPS), multiple=True, help="Leave a step out; may be given again.")
@click.option("--no-input", is_flag=True, help="Ask nothing: use what is there, and say what is missing.")
@click.option(
    "--wait", "wait_seconds", type=click.FloatRange(0), default=300.0, show_default=True, help="Seconds for each wait."
)
@click.option("--open/--no-open", "open_page", default=None, help="Open Slack's page in a browser.")
@click.pass_obj
def setup(
    invocation: Invocation,
    http: str | None,
    surface: Surface,
    folders: tuple[Path, ...],
    skip: tuple[str, ...],
    no_input: bool,
    wait_seconds: float,
    open_page: bool | None,
) -> None:
    """Connect a Slack workspace, step by step, up to the first answer.

    It can be stopped at any time: called again, it goes on where something is missing.
    """
    from bot.cli.playground import has_desktop
    from bot.cli.serving import ended_by_signal

    walk = _Walk(
        invocation=invocation,
        http=http,
        surface=surface,
        folders=folders,
        skip=frozenset(skip),
        asks=not no_input,
        wait_seconds=wait_seconds,
        open_page=has_desktop(invocation.environment) if open_page is None else open_page,
    )
    finished = False
    with ended_by_signal():
        _walk_through(walk)
        finished = True
    if not finished:
        click.echo("Stopped. `lorekeeper setup` goes on from here.", err=True)
        raise click.exceptions.Exit(130)
    if walk.open_ends:
        click.echo()
        click.echo("Not finished; `lorekeeper setup` goes on from here. To do:")
        for one in walk.open_ends:
            click.echo(f"  - {one}")
        raise click.exceptions.Exit(1)
    click.echo()
    click.echo(f"Ready. `lorekeeper run{' --http' if http else ''}` keeps it answering.")


def _walk_through(walk: _Walk) -> None:
    steps: tuple[tuple[str, str, Callable[[_Walk], None]], ...] = (
        ("app", "The app in Slack", _make_app),
        ("tokens", "Its tokens", _take_tokens),
        ("messages", "Do messages arrive?", _hear_message),
        ("documents", "Documents", _add_documents),
        ("answer", "The first answer", _answer_first),
    )
    for number, (name, title, take) in enumerate(steps, 1):
        walk.head(number, title)
        if name in walk.skip:
            click.echo("   skipped")
        else:
            take(walk)


def _make_app(walk: _Walk) -> None:
    from bot.slack.manifest import build_manifest, create_app_link

    if walk.settings.slack_bot_token:
        walk.done("there is a token, so there is an app")
        return
    manifest = build_manifest(http=walk.http, surface=walk.surface)
    file = walk.settings.home / "manifest.json"
    file.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    link = create_app_link(manifest)
    click.echo("   Open this address, choose the workspace, and press Next and Create:")
    click.echo(f"   {link}")
    click.echo(f"   (Or choose Create New App, From a manifest, and paste {file}.)")
    click.echo("   Then press Install App on the app's page.")
    if walk.open_page:
        webbrowser.open(link)
    if walk.asks:
        walk.invocation.ask("   Press Enter when the app is installed", False)


def _take_tokens(walk: _Walk) -> None:
    from bot.slack import credentials

    def look_at_bot(settings: Settings) -> str:
        credentials.require_bot_token(settings)
        walk.installation = credentials.check_bot_token(settings)
        return f"{walk.installation.bot} in {walk.installation.team}"

    def look_at_app(settings: Settings) -> str:
        credentials.require_app_token(settings)
        credentials.check_app_token(settings)
        return "a line to Slack can be opened"

    def look_at_secret(settings: Settings) -> str:
        credentials.require_signing_secret(settings)
        return "requests can be told from others'"

    _take(walk, "SLACK_BOT_TOKEN", look_at_bot)
    if walk.installation is not None:
        _look_at_scopes(walk, walk.installation)
    if walk.http is None:
        _take(walk, "SLACK_APP_TOKEN", look_at_app)
    else:
        _take(walk, "SLACK_SIGNING_SECRET", look_at_secret)


def _take(walk: _Walk, name: str, look: Callable[[Settings], str]) -> None:
    """Ask for a token until Slack takes it, or the person would rather not; what is good is kept at once."""
    from bot.errors import SlackSetupError
    from bot.settings import SLACK_FILE, write_slack_file

    said = ""
    while True:
        settings = walk.settings
        problem = f"{name} is missing: it is on {_TOKEN_PAGES[name]}"
        if getattr(settings, name.lower()):
            try:
                walk.done(f"{name}: {look(settings)}")
            except SlackSetupError as error:
                problem = str(error)
            else:
                return
        if not walk.asks:
            walk.later(problem)
            return
        if problem != said:
            click.echo(f"   {problem}")
            said = problem
        value = walk.invocation.ask(f"   {name} (it does not show; Enter alone skips)", True).strip()
        if not value:
            walk.later(problem)
            return
        write_slack_file(settings.home / SLACK_FILE, {name: value})
        said = ""


def _look_at_scopes(walk: _Walk, installation: Installation) -> None:
    from bot.slack.manifest import scopes_of

    without = scopes_of()
    for scope in installation.missing_scopes:
        walk.later(f"the scope {scope} is missing: without it, no {without[scope]}. Add it and reinstall the app")
    for scope in installation.optional_scopes:
        click.echo(f"   Without the optional scope {scope}: no {without[scope]}.")
    if not installation.missing_scopes:
        walk.done("every scope that it needs is granted")


def _hear_message(walk: _Walk) -> None:
    from bot.errors import SlackSetupError
    from bot.setup import listen_for_message, messages_arrived

    settings, installation = walk.settings, walk.installation
    if installation is None or not settings.slack_app_token:
        walk.later("messages: this needs the tokens first" if walk.http is None else _after_start(walk.http))
        return
    with walk.invocation.database() as engine:
        if messages_arrived(engine, installation.team_id):
            walk.done("messages have arrived before")
            return
    if walk.http is not None:
        walk.later(_after_start(walk.http))
        return

    def ready() -> None:
        click.echo(f'   In Slack, open "{installation.bot}" under Apps and write it any message, such as: hello')

    try:
        heard = listen_for_message(settings, walk.wait_seconds, ready)
    except SlackSetupError as error:
        walk.later(str(error))
        return
    if heard.message:
        walk.done(f"it arrived ({', '.join(heard.events)})")
        return
    arrived = f"only {', '.join(heard.events)} arrived" if heard.events else "nothing arrived"
    walk.later(
        f"{arrived} within {walk.wait_seconds:.0f} s. On the app's page: Event Subscriptions must list message.im, App "
        "Home must allow messages, Socket Mode must be on; no other copy of the bot may run"
    )


def _after_start(address: str) -> str:
    return (
        f"messages: start `lorekeeper run --http`, let {address} lead to it, and press Verify beside the Request URL "
        "on the app's page Event Subscriptions"
    )


def _add_documents(walk: _Walk) -> None:
    from bot.app import open_parser
    from bot.errors import BotError
    from knowledge.errors import KnowledgeError
    from knowledge.sources import SourcePlace, open_source
    from knowledge.store import add_source, find_source, list_sources, source_id, try_source

    with walk.invocation.database() as engine:
        folders = list(walk.folders)
        if not folders and not list_sources(engine) and walk.asks:
            said = walk.invocation.ask("   A folder with documents (Enter alone skips)", False).strip()
            folders = [Path(said).expanduser().resolve()] if said else []
        for folder in folders:
            if find_source(engine, str(folder)) is not None:
                continue
            try:
                with open_parser(walk.settings.file) as parser:
                    tried = open_source("files", SourcePlace(id=source_id("files", str(folder)), location=str(folder)))
                    try_source(tried, parser)
                add_source(engine, kind="files", location=str(folder))
            except (KnowledgeError, BotError) as error:
                walk.later(str(error))
        known = list_sources(engine)
    if not known:
        walk.later("documents: lorekeeper sources add FOLDER, then lorekeeper sync")
        return
    _sync(walk)


def _sync(walk: _Walk) -> None:
    from bot.cli.output import progress_bar, task_of
    from bot.sync import describe, ingest_parts, publish_generation, sync_source
    from knowledge.errors import KnowledgeError
    from knowledge.store import list_sources

    settings = walk.settings
    with walk.invocation.database() as engine:
        embedder = walk.invocation.embedder(settings, engine)
        with ingest_parts(engine, embedder, settings) as parts, progress_bar() as report:
            for stored in list_sources(engine):
                try:
                    result = sync_source(stored, parts, progress=task_of(report, f"Reading {stored.name}"))
                except KnowledgeError as error:
                    walk.later(f"{stored.name}: {error}")
                else:
                    walk.done(f"{stored.name}: {describe(result)}")
        publish_generation(engine, embedder, settings)


def _answer_first(walk: _Walk) -> None:
    from bot.cli.serving import connected, slack_options
    from bot.errors import SlackSetupError
    from bot.setup import first_answer, wait_for_answer

    settings, installation = walk.settings, walk.installation
    if installation is None or walk.http is not None or not settings.slack_app_token:
        walk.later(f"the first answer: `lorekeeper run{' --http' if walk.http else ''}`, and ask it something")
        return
    with walk.invocation.database() as engine:
        if first_answer(engine, installation.team_id) is not None:
            walk.done("it has answered before")
            return
    options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, settings.slack_api_url)
    click.echo("   Loading the models …")
    try:
        with (
            walk.invocation.application(with_generator=True) as application,
            connected(application, options, link=lambda uri: uri),
        ):
            click.echo("   It is there. Ask it something that your documents answer, in a direct message or a channel.")
            answer = wait_for_answer(application.engine, installation.team_id, walk.wait_seconds)
    except SlackSetupError as error:
        walk.later(str(error))
        return
    if answer is None:
        walk.later(f"no question was answered within {walk.wait_seconds:.0f} s: `lorekeeper run`, and ask it something")
    else:
        walk.done("it answered")
