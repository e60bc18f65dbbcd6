"""Find the form of the embedded model that is the fastest on this processor, once, and remember it.

Candidates are the file as it comes (Q4_1) and Q8_0 made from it. Q4_0, though fast to read with, is none: on 3,830
scored tokens of a handbook it raised the perplexity from 8.5 to 10.3, while Q8_0 keeps it at 8.6 (a requantized file
holds the rounding errors of both forms, and Q8_0 adds next to none).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from models.child import ChildGenerator, Runtime
from models.errors import ModelError, ModelFileError
from models.generator import ChatMessage, GenerationOptions
from models.hardware import processor_name, usable_cores
from models.process import clean_environment
from models.registry import EMBEDDED, FastestChoice, ModelFile, ModelRegistry, describe_file

logger = logging.getLogger(__name__)

Progress = Callable[[str], None]
Measure = Callable[[list[ModelFile]], dict[str, float]]
"""Model files -> name of each and its seconds."""
_REQUANTIZED = "Q8_0"
_REQUANTIZE_SECONDS = 600
# About 250 tokens to read and 12 to write: the mixture of a short answer from four passages, in about a second.
_TIMED_PROMPT = " ".join(f"Room {number} is on floor {number % 9} and seats {number * 7 % 50}." for number in range(16))
_TIMED_TOKENS = 12
_ROUNDS = 2


def fastest_embedded(registry: ModelRegistry, progress: Progress, measure: Measure | None = None) -> ModelFile:
    """Return the fastest form of the embedded model, checked; makes and times the forms on the first call."""
    measure = measure or time_models
    choice = registry.fastest()
    if choice is not None and choice.processor == processor_name():
        try:
            return registry.open_model(choice.name)
        except ModelFileError as error:
            logger.warning("the chosen form of the embedded model is made anew: %s", error)
    embedded = registry.open_model(EMBEDDED)
    # A machine that is too busy to be timed on must still start: the next start tries again.
    try:
        candidates = [embedded, _requantized(registry, embedded, progress)]
        progress("Timing the language model on this processor (once, a few seconds)")
        seconds = measure(candidates)
    except ModelError as error:
        logger.warning("the embedded model is used as it comes: %s", error)
        return embedded
    fastest = min(candidates, key=lambda file: seconds[file.name])
    registry.record_fastest(FastestChoice(name=fastest.name, processor=processor_name(), seconds=seconds))
    return fastest


def time_models(files: list[ModelFile]) -> dict[str, float]:
    """Time the same prompts and answers with each file, taking turns; the best round of each counts."""
    rounds: dict[str, list[float]] = {file.name: [] for file in files}
    with ExitStack() as opened:
        generators = {
            file.name: opened.enter_context(
                closing(ChildGenerator(file.path, file.version, Runtime(context_tokens=1024)))
            )
            for file in files
        }
        for generator in generators.values():
            generator.wait_until_ready()
        for number in range(_ROUNDS):
            for name, generator in generators.items():
                rounds[name].append(_seconds_to_answer(generator, number))
    return {name: round(min(seconds), 3) for name, seconds in rounds.items()}


def _seconds_to_answer(generator: ChildGenerator, number: int) -> float:
    # The number comes first, so that nothing of the round before is used again.
    messages = [ChatMessage(role="user", content=f"{number}. {_TIMED_PROMPT}\nList the rooms.")]
    started = time.perf_counter()
    for _ in generator.stream(messages, GenerationOptions(max_tokens=_TIMED_TOKENS)):
        pass
    return time.perf_counter() - started


def _requantized(registry: ModelRegistry, source: ModelFile, progress: Progress) -> ModelFile:
    name = f"{source.name}-{_REQUANTIZED}"
    if any(file.name == name for file in registry.files()):
        try:
            return registry.open_model(name)
        except ModelFileError as error:
            logger.warning("%s is made anew: %s", name, error)
    progress("Preparing the language model for this processor (once, a few seconds)")
    target = registry.folder / f"{source.path.stem.rpartition('.')[0]}.{_REQUANTIZED}.gguf"
    requantize_file(source.path, target, _REQUANTIZED)
    file = describe_file(target, name, "requantized")
    registry.record(file)
    return file


def requantize_file(source: Path, target: Path, quantization: str) -> None:
    """Write a model file in another quantization, in a process of its own; raises ModelFileError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}.tmp")
    command = ["-P", "-m", "models.child_main", "requantize"]
    arguments = [str(source), str(unfinished), quantization, str(usable_cores())]
    try:
        ended = subprocess.run(
            [sys.executable, *command, *arguments],
            env=clean_environment(os.environ),
            capture_output=True,
            timeout=_REQUANTIZE_SECONDS,
            check=False,
        )
        if ended.returncode or not unfinished.is_file():
            logger.warning("llama.cpp had printed: %s", ended.stderr.decode("utf-8", "replace")[-2000:])
            raise ModelFileError(f"{source} could not be written as {quantization}; is the disk full?")
        unfinished.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelFileError(f"{target} could not be written: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
