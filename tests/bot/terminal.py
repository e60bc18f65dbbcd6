"""A terminal for tests: the real command line, with a small embedder and a scripted model behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import pytest
import sqlalchemy as sa

from bot.app import Application, Progress, build
from bot.cli import execute
from bot.cli.invocation import Invocation
from bot.cli.root import lorekeeper
from bot.settings import AnswerSettings, Settings
from knowledge.embed import Embedder
from tests.fakes import Script, ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The printed JSON."""
        return json.loads(self.out)


@dataclass(kw_only=True)
class Terminal:
    """Types commands for one data folder."""

    home: Path
    capsys: pytest.CaptureFixture[str]
    reply: str = "Badges are issued by Maria Lopez."
    environment: Mapping[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    """What the person types when asked, line by line; then they end it."""
    asked: list[tuple[str, bool]] = field(default_factory=list)
    """What was asked, and whether the answer was hidden."""
    model: FakeEmbedder = field(default_factory=lambda: FakeEmbedder(dim=256))

    versions: Mapping[str, Script] = field(default_factory=dict)
    """How the model speaks with each adapter, by the file's name; under the empty name without one."""

    def type(self, *arguments: str) -> Shown:
        """Run one command."""
        self.capsys.readouterr()
        invocation = Invocation(
            environment=self.environment,
            home=self.home,
            build=self._build,
            embedder=self._embedder,
            ask=self._ask,
            open_version=self._open_version,
        )
        code = execute(lorekeeper, arguments, invocation)
        shown = self.capsys.readouterr()
        assert "Traceback" not in shown.err
        return Shown(code=code, out=shown.out, err=shown.err)

    def _ask(self, text: str, hidden: bool) -> str:
        self.asked.append((text, hidden))
        if not self.answers:
            raise click.Abort
        return self.answers.pop(0)

    def _open_version(self, settings: Settings, adapter: Path | None) -> ScriptedGenerator:
        return ScriptedGenerator(self.versions[adapter.name if adapter else ""])

    def _embedder(self, settings: Settings, engine: sa.Engine, *, rebuild: bool = False) -> Embedder:
        return self.model

    def _build(
        self, settings: Settings, *, with_generator: bool = True, progress: Progress | None = None
    ) -> Application:
        generator = ScriptedGenerator(self.reply) if with_generator else None
        # The threshold was fitted to a real embedder's cosines; those of hashed words are smaller.
        file = replace(settings.file, answer=AnswerSettings(minimum_support=0.03))
        settings = replace(settings, file=file)
        return build(
            settings, with_generator=with_generator, generator=generator, embedder=self.model, progress=progress
        )
