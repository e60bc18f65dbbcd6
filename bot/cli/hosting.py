"""HTTP mode put together: the bot of one workspace, or of all that installed the app, behind one address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.serving import equipped, scheduling, slack_options

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.oauth.installation_store import Bot

    from bot.app import Application
    from bot.purge import Removal
    from bot.settings import Settings
    from bot.slack.gateway import Identity
    from bot.slack.http_mode import HttpServer
    from bot.slack.tenants import Workspace


@contextmanager
def hosting(
    application: Application,
    link: Callable[[str], str],
    *,
    host: str,
    port: int,
    removed: Callable[[Removal], None] = lambda _removal: None,
) -> Iterator[HttpServer]:
    """Answer over HTTP while the block runs; `removed` hears when the one workspace of a token takes the app away."""
    settings = application.settings
    with ExitStack() as opened:
        if settings.slack_client_id:
            yield opened.enter_context(_many(application, link, host, port))
        else:
            yield opened.enter_context(_one(application, link, host, port, removed))


@contextmanager
def _one(
    application: Application,
    link: Callable[[str], str],
    host: str,
    port: int,
    removed: Callable[[Removal], None],
) -> Iterator[HttpServer]:
    import threading

    from bot.slack.deliver import Delivery
    from bot.slack.gateway import connect_client, sign_in
    from bot.slack.http_mode import HttpServer, build_web
    from bot.slack.signature import Verifier
    from bot.slack.tenants import OneTeam

    settings = application.settings
    token = settings.slack_bot_token
    client = connect_client(token, settings.slack_api_url)
    options = slack_options(settings, token, settings.slack_app_token, settings.slack_api_url)
    identity = sign_in(Delivery(client, stopping=threading.Event()), token, options)
    with ExitStack() as opened:
        workspace = _start_bot(opened, application, client, identity, link, removed)
        desk = OneTeam(workspace, str(identity.enterprise_id or ""))
        web = build_web(desk, Verifier(settings.slack_signing_secret.reveal()))
        yield opened.enter_context(HttpServer(web, host, port))


@contextmanager
def _many(application: Application, link: Callable[[str], str], host: str, port: int) -> Iterator[HttpServer]:
    from bot.slack.http_mode import HttpServer, build_web
    from bot.slack.oauth import install_routes
    from bot.slack.signature import Verifier
    from bot.slack.tenants import Tenants
    from bot.slack.token_store import open_installations

    settings = application.settings
    if application.versions is not None:
        # A version learned from one workspace; this model answers in all of them.
        application.versions.put_base_in_service()
    store, states = open_installations(settings)

    def open_workspace(installed: Bot, folder: Path) -> Workspace:
        return _open_workspace(application, installed, folder, link)

    def is_alive(token: str) -> bool:
        return _is_alive(token, settings.slack_api_url)

    try:
        with Tenants(
            settings.home, store, application.engine, open_workspace=open_workspace, is_alive=is_alive
        ) as tenants:
            routes = install_routes(settings, store, states, tenants.installed)
            web = build_web(tenants, Verifier(settings.slack_signing_secret.reveal()), routes)
            with HttpServer(web, host, port) as server:
                yield server
    finally:
        store.engine.dispose()


def _open_workspace(shared: Application, installed: Bot, folder: Path, link: Callable[[str], str]) -> Workspace:
    """The bot of one installation: the language model and the embedder are shared, all that it knows is its own."""
    from bot.app import build
    from bot.slack.gateway import connect_client, identity_of
    from knowledge.secret import Secret

    with ExitStack() as opened:
        settings = team_settings(shared.settings, folder)
        application = opened.enter_context(
            build(settings, with_generator=False, shared_embedder=shared.library.embedder)
        )
        application.generator = shared.generator
        client = connect_client(Secret(str(installed.bot_token)), settings.slack_api_url)
        workspace = _start_bot(opened, application, client, identity_of(installed), link)
        workspace.close = opened.pop_all().close
        return workspace


def team_settings(settings: Settings, folder: Path) -> Settings:
    """A workspace's settings: its own file where it has one, and its own database in any case."""
    from bot.settings import SETTINGS_FILE, prepare_home, read_settings_file

    prepare_home(folder)
    own = folder / SETTINGS_FILE
    return replace(
        settings,
        home=folder,
        database_url=f"sqlite:///{folder / 'lorekeeper.db'}",
        file=read_settings_file(own) if own.is_file() else settings.file,
    )


def _start_bot(
    opened: ExitStack,
    application: Application,
    client: WebClient,
    identity: Identity,
    link: Callable[[str], str],
    removed: Callable[[Removal], None] = lambda _removal: None,
) -> Workspace:
    """Start a bot and its schedule; `opened` ends both."""
    from bot.slack.team import TeamBot
    from bot.slack.tenants import Workspace
    from bot.sync import next_runs

    answering = application.answering
    settings = application.settings
    options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, settings.slack_api_url)
    bot = TeamBot(
        application.engine,
        answering,
        client,
        identity,
        options,
        link=link,
        version=lambda: answering.generator.version,
        next_runs=lambda: next_runs(application.engine, settings),
        equipment=opened.enter_context(equipped(application)),
        removed=removed,
    )
    bot.start()
    bot.catch_up()
    opened.callback(bot.stop)
    opened.enter_context(scheduling(application))
    team = str(identity.team_id or identity.enterprise_id or "")
    return Workspace(team=team, bot=bot, engine=application.engine, close=opened.close)


def _is_alive(token: str, api_url: str) -> bool:
    from http.client import HTTPException

    from slack_sdk.errors import SlackClientError

    from bot.slack.gateway import connect_client
    from knowledge.secret import Secret

    try:
        return bool(connect_client(Secret(token), api_url).auth_test()["ok"])
    except (SlackClientError, OSError, HTTPException):
        return False
