"""What every command starts from: the environment, the data folder, and how an application is built.

The process's environment enters here and nowhere else; tests hand in an `Invocation` of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bot.cli.output import Report, ask_person, progress_bar

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.app import Application
    from bot.settings import Settings
    from knowledge.embed import Embedder
    from models.generator import Generator


class Build(Protocol):
    """How the parts of the product are put together; `bot.app.build` outside tests."""

    def __call__(
        self, settings: Settings, *, with_generator: bool = True, progress: Report | None = None
    ) -> Application:
        """Open everything that the settings ask for."""


def _build(settings: Settings, *, with_generator: bool = True, progress: Report | None = None) -> Application:
    from bot.app import build

    return build(settings, with_generator=with_generator, progress=progress)


class LoadEmbedder(Protocol):
    """How the embedder of the settings is loaded; `bot.app.open_embedder` outside tests."""

    def __call__(self, settings: Settings, engine: sa.Engine, *, rebuild: bool = False) -> Embedder:
        """Load it as the stored vectors need it, unless all are made anew."""


def _load_embedder(settings: Settings, engine: sa.Engine, *, rebuild: bool = False) -> Embedder:
    from bot.app import open_embedder

    with progress_bar() as progress:
        return open_embedder(settings, engine, rebuild=rebuild, progress=progress)


def _open_version(settings: Settings, adapter: Path | None) -> Generator:
    from bot.learn.contestants import open_version

    return open_version(settings, adapter)


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One call of the command line."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    home: Path | None = None
    build: Build = _build
    embedder: LoadEmbedder = _load_embedder
    """For commands that embed but do not search."""
    open_version: Callable[[Settings, Path | None], Generator] = _open_version
    """Starts the language model with an adapter, or as it is."""
    ask: Callable[[str, bool], str] = ask_person
    """Asks the person for a line; the second value tells whether it must not show."""

    def settings(self) -> Settings:
        """Read the settings of this call and make the data folder; raises SettingsError."""
        from bot.settings import load_settings, prepare_home

        settings = load_settings(self.environment, self.home)
        prepare_home(settings.home)
        return settings

    def settings_for_reading(self) -> Settings:
        """The settings for a command that asks Slack something: the playground's, where one runs with this data
        folder and there is no token of Slack's."""
        from bot.playground.running import find_running
        from bot.settings import of_workspace

        settings = self.settings()
        if settings.slack_bot_token or settings.slack_client_id:
            return settings
        found = find_running(settings.home)
        if found is None:
            return settings
        return of_workspace(settings, bot_token=found.bot_token, app_token=found.app_token, api_url=found.api_url)

    @contextmanager
    def application(self, settings: Settings | None = None, *, with_generator: bool = False) -> Iterator[Application]:
        """Open the product, without the language model unless it is asked for."""
        settings = settings or self.settings()
        with progress_bar() as progress:
            application = self.build(settings, with_generator=with_generator, progress=progress)
        with application:
            yield application

    @contextmanager
    def database(self) -> Iterator[sa.Engine]:
        """Open the database alone, for commands that need neither index nor model."""
        from bot.database import open_database

        engine = open_database(self.settings().database_url)
        try:
            yield engine
        finally:
            engine.dispose()
