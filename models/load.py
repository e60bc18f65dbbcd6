"""The one way to a language model: from options to a generator that is ready or getting ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.child import ChildGenerator, Runtime
from models.errors import ModelError
from models.generator import Generator
from models.openai_server import OpenAIServerGenerator, Server
from models.registry import EMBEDDED, EMBEDDED_NAMES, ModelRegistry
from models.requantize import fastest_embedded
from models.starter import starter
from models.tuned import TunedFile


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and how it is run."""

    name: str = EMBEDDED
    """`embedded`, `embedded-plain` (the same without the starter version), or a name on the allow-list."""
    context_tokens: int = 4096
    gpu_layers: int | None = None
    """None: all of them where there is a GPU, else none."""
    threads: int | None = None
    """None: as many as there are usable cores."""
    chat_format: str = "chatml"
    server_url: str = ""
    """Base URL of an OpenAI-compatible server, to use instead of a local file; `name` is then its model."""
    server_key: str = field(default="", repr=False)


def load_generator(
    options: ModelOptions,
    folder: Path,
    progress: Callable[[str], None] = lambda _text: None,
    *,
    tuned: TunedFile | None = None,
) -> Generator:
    """Start the model that the options name; `folder` holds the allow-list and what is made for this machine.

    `tuned` is a version of that model, checked by `open_tuned` just now. Raises ModelError where a file is missing,
    changed, not allowed or too large. Loading goes on in the background: the first use waits for it.
    """
    if tuned is not None and (options.server_url or tuned.base != options.name):
        model = options.server_url or options.name
        raise ModelError(f"Version {tuned.name!r} was made from the model {tuned.base!r} and cannot work with {model}.")
    if options.server_url:
        return OpenAIServerGenerator(
            Server(
                url=options.server_url,
                model=options.name,
                key=options.server_key,
                context_tokens=options.context_tokens,
            )
        )
    return _load_file(options, folder, progress, tuned)


def load_ready(options: ModelOptions, folder: Path, *, tuned: TunedFile | None = None) -> Generator:
    """Load a model and wait until it can work; raises ModelError where it cannot be loaded."""
    generator = load_generator(options, folder, tuned=tuned)
    if isinstance(generator, ChildGenerator):
        try:
            generator.wait_until_ready()
        except BaseException:
            generator.close()
            raise
    return generator


def _load_file(
    options: ModelOptions, folder: Path, progress: Callable[[str], None], tuned: TunedFile | None
) -> ChildGenerator:
    registry = ModelRegistry(folder)
    adapter = tuned.path if tuned is not None and tuned.kind == "adapter" else None
    if tuned is not None and tuned.kind == "merged":
        path, version = tuned.path, tuned.version
    else:
        embedded = options.name in EMBEDDED_NAMES
        file = fastest_embedded(registry, progress) if embedded else registry.open_model(options.name)
        path, version = file.path, tuned.version if tuned else file.version
    if tuned is None and options.name == EMBEDDED:
        # What comes with the package: every other version of this model went on from it, or began anew.
        adapter, version = starter().path, starter().version
    progress(f"Loading the language model {version}")
    runtime = Runtime(
        context_tokens=options.context_tokens,
        gpu_layers=options.gpu_layers,
        threads=options.threads,
        chat_format=options.chat_format,
        adapter=adapter,
        tuned=tuned is not None or adapter is not None,
    )
    return ChildGenerator(path, version, runtime)
