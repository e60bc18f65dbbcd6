"""Versions as they would be in service, for the gate: the settings' model, bare or with an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.app import Application, answer_options, model_options, models_folder, query_side, retrieval_options
from bot.errors import MisuseError
from bot.learn.few_shot import as_exchanges, choose_examples, load_examples
from bot.learn.gate import Bench, Contestant
from bot.settings import Settings
from knowledge.database import reading
from knowledge.embed import Embedder
from knowledge.parse import Parser
from models.child import ChildGenerator, Runtime
from models.example import read_examples
from models.generator import Generator
from models.load import load_generator
from models.registry import EMBEDDED, ModelRegistry, sha256_of
from models.requantize import fastest_embedded

OpenVersion = Callable[[Settings, Path | None], Generator]
"""Starts the settings' model with this adapter; None: as it is."""

_PLAIN_NAMES = frozenset({"adapter", "model"})


def open_version(settings: Settings, adapter: Path | None) -> Generator:
    """Start the settings' model, with an adapter where one is given. Raises ModelError and MisuseError."""
    options, folder = model_options(settings.file), models_folder(settings)
    if adapter is None:
        return load_generator(options, folder)
    if options.server_url:
        raise MisuseError("model.server_url is set: an adapter can only be put on a model that runs here.")
    registry = ModelRegistry(folder)
    file = (
        fastest_embedded(registry, lambda _text: None)
        if options.name == EMBEDDED
        else registry.open_model(options.name)
    )
    runtime = Runtime(
        context_tokens=options.context_tokens,
        gpu_layers=options.gpu_layers,
        threads=options.threads,
        chat_format=options.chat_format,
        adapter=adapter,
    )
    return ChildGenerator(file.path, f"{version_name(adapter)}@{sha256_of(adapter)[:8]}", runtime)


def contestant(settings: Settings, name: str, adapter: Path | None, start: OpenVersion = open_version) -> Contestant:
    """A version as the settings would run it."""
    shown = load_examples(settings.home, settings.file.answer.few_shot)
    options = replace(answer_options(settings.file), examples=shown)
    return Contestant(name=name, open=lambda: start(settings, adapter), options=options)


def with_examples(one: Contestant, dataset: Path, count: int, embedder: Embedder) -> Contestant:
    """The same version with examples of a dataset in its prompts, as `answer.few_shot` would have it."""
    chosen = choose_examples(list(read_examples(dataset / "train.jsonl")), count, embedder)
    options = replace(one.options, examples=as_exchanges(chosen))
    return replace(one, name=f"{one.name} with {len(chosen)} examples", options=options)


def bench_of(application: Application, parser: Parser) -> Bench:
    """What both contestants answer with, as the settings say."""
    settings, embedder = application.settings, application.library.embedder
    return Bench(
        embedder=embedder,
        parser=parser,
        retrieval=retrieval_options(settings.file),
        chunk_tokens=settings.file.knowledge.chunk_tokens,
        query_side=query_side(settings, embedder),
    )


def version_name(adapter: Path) -> str:
    """Name a version after its file, or after the folder of its run where the file's name says nothing."""
    path = adapter.absolute()
    return path.parent.name if path.stem in _PLAIN_NAMES else path.stem


def in_service(engine: sa.Engine, settings: Settings) -> tuple[str, Path | None]:
    """The version that answers now: its name and its adapter; the settings' bare model where none was promoted."""
    table = tables.model_version.c
    newest = sa.select(table.name, table.adapter).where(table.state == "in_service").order_by(table.state_at.desc())
    with reading(engine) as connection:
        row = connection.execute(newest.limit(1)).one_or_none()
    if row is None:
        return settings.file.model.name, None
    path = models_folder(settings) / row.adapter
    if not path.is_file():
        raise MisuseError(f"The adapter of {row.name!r}, the version in service, is missing: {path}. Put it back.")
    return row.name, path
