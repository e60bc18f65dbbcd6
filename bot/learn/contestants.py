"""Versions as they would be in service, for the gate: the settings' model, bare or with an adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bot.app import Application, answer_options, model_options, models_folder, query_side, retrieval_options
from bot.learn.few_shot import as_exchanges, choose_examples, load_examples
from bot.learn.gate import Bench, Contestant
from bot.learn.versions import standing
from bot.settings import Settings
from knowledge.embed import Embedder
from knowledge.parse import Parser
from models.example import read_examples
from models.generator import Generator
from models.load import load_generator
from models.tuned import describe_tuned, open_tuned

OpenVersion = Callable[[Settings, Path | None], Generator]
"""Starts the settings' model with this tuned file; None: as it is."""

_PLAIN_NAMES = frozenset({"adapter", "merged", "model"})


def open_version(settings: Settings, file: Path | None) -> Generator:
    """Start the settings' model, with an adapter or a merged model in its place. Raises ModelError."""
    options = model_options(settings.file)
    tuned = None if file is None else describe_tuned(file, version_name(file), options.name)
    return load_generator(options, models_folder(settings), tuned=tuned)


def contestant(
    engine: sa.Engine, settings: Settings, name: str, adapter: Path | None, start: OpenVersion = open_version
) -> Contestant:
    """A version as the settings would run it."""
    shown = load_examples(engine, settings.home, settings.file.answer.few_shot)
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
    """The version that answers now: its name and its file; the settings' bare model where none of it was promoted.

    Raises ModelFileError where the file is missing or was changed.
    """
    service = standing(engine).service
    if service is None or service.base != settings.file.model.name:
        return settings.file.model.name, None
    return service.name, open_tuned(models_folder(settings), service.name).path
