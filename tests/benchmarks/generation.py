"""First token and whole answer: ours against the plain high-level llama-cpp-python call, same file, same prompt.

    python -m tests.benchmarks.generation [--rounds 7] [--json]

The two take turns within each round, so that other work on the machine meets both. `cold` prompts have nothing in
common with an earlier one; `shared` ones begin with the same instructions and passages. Both run on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import llama_cpp
import psutil

from models.child import ChildGenerator, Runtime
from models.generator import ChatMessage, GenerationOptions
from models.hardware import usable_cores
from models.registry import ModelRegistry
from models.requantize import fastest_embedded

CONTEXT_TOKENS = 4096
ANSWER_TOKENS = 48
PASSAGES = "".join(
    f"[{n}] Room {n * 7 % 83} on floor {n % 9} seats {n * 13 % 50} people and is booked through the front desk. "
    for n in range(1, 21)
)
Ask = Callable[[Sequence[ChatMessage]], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One answer."""

    first_token_seconds: float
    whole_seconds: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Medians of one kind of prompt; a ratio above 1 means that ours is faster."""

    prompt: str
    prompt_tokens: int
    ours_first_token: float
    plain_first_token: float
    first_token_ratio: float
    ours_whole: float
    plain_whole: float
    whole_ratio: float
    ours_tokens_per_second: float
    plain_tokens_per_second: float


def cold_prompt(number: int) -> list[ChatMessage]:
    """Write a prompt that shares nothing with the others."""
    system = f"Case {number * 7919}. You answer from the numbered sources. {PASSAGES}"
    return [ChatMessage(role="system", content=system), _question(number)]


def shared_prompt(number: int) -> list[ChatMessage]:
    """Write a prompt that differs from the others in its question only."""
    return [ChatMessage(role="system", content=f"You answer from the numbered sources. {PASSAGES}"), _question(number)]


def _question(number: int) -> ChatMessage:
    return ChatMessage(role="user", content=f"Describe room {number % 83} and its neighbours in many sentences.")


def time_answer(pieces: Iterator[str]) -> Timing:
    """Time one answer from the moment it is asked for."""
    started = time.perf_counter()
    text = next(pieces)
    first_seconds = time.perf_counter() - started
    text += "".join(pieces)
    return Timing(first_token_seconds=first_seconds, whole_seconds=time.perf_counter() - started, text=text)


def plain_call(path: Path, threads: int) -> Ask:
    """Make the call that llama-cpp-python's documentation shows."""
    model = llama_cpp.Llama(str(path), n_ctx=CONTEXT_TOKENS, n_threads=threads, n_threads_batch=threads, verbose=False)

    def ask(messages: Sequence[ChatMessage]) -> Iterator[str]:
        chunks: Any = model.create_chat_completion(
            [{"role": message.role, "content": message.content} for message in messages],  # type: ignore[misc]
            stream=True,
            temperature=0.0,
            repeat_penalty=1.1,
            max_tokens=ANSWER_TOKENS,
        )
        for chunk in chunks:
            if text := chunk["choices"][0]["delta"].get("content"):
                yield str(text)

    return ask


def compare(
    name: str, prompt: Callable[[int], list[ChatMessage]], ours: ChildGenerator, plain: Ask, rounds: int
) -> Comparison:
    """Let both answer the same prompts in turns; the first round only warms up."""
    options = GenerationOptions(max_tokens=ANSWER_TOKENS)
    our_times, plain_times = [], []
    for number in range(rounds + 1):
        messages = prompt(number)
        with contextlib.closing(ours.stream(messages, options)) as pieces:  # type: ignore[type-var]
            our_time = time_answer(pieces)
        plain_time = time_answer(plain(messages))
        if number:
            our_times.append(our_time)
            plain_times.append(plain_time)
    return _summary(name, ours.count_tokens, prompt(0), our_times, plain_times)


def _summary(
    name: str,
    count_tokens: Callable[[str], int],
    prompt: list[ChatMessage],
    ours: list[Timing],
    plain: list[Timing],
) -> Comparison:
    def rate(timing: Timing) -> float:
        return (count_tokens(timing.text) - 1) / (timing.whole_seconds - timing.first_token_seconds)

    pairs = list(zip(ours, plain, strict=True))
    return Comparison(
        prompt=name,
        prompt_tokens=sum(count_tokens(message.content) for message in prompt),
        ours_first_token=_median(timing.first_token_seconds for timing in ours),
        plain_first_token=_median(timing.first_token_seconds for timing in plain),
        first_token_ratio=_median(their.first_token_seconds / our.first_token_seconds for our, their in pairs),
        ours_whole=_median(timing.whole_seconds for timing in ours),
        plain_whole=_median(timing.whole_seconds for timing in plain),
        whole_ratio=_median(their.whole_seconds / our.whole_seconds for our, their in pairs),
        ours_tokens_per_second=_median(map(rate, ours)),
        plain_tokens_per_second=_median(map(rate, plain)),
    )


def _median(values: Iterator[float] | map[float]) -> float:
    return round(statistics.median(values), 3)


def main() -> None:
    """Run the comparison and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", action="store_true")
    wanted = options.parse_args()
    with TemporaryDirectory() as folder:
        file = fastest_embedded(ModelRegistry(Path(folder)), lambda _text: None)
        started = time.perf_counter()
        with contextlib.closing(
            ChildGenerator(file.path, file.version, Runtime(context_tokens=CONTEXT_TOKENS))
        ) as ours:
            ours.wait_until_ready()
            load_seconds = round(time.perf_counter() - started, 2)
            plain = plain_call(file.path, usable_cores())
            rows = [
                compare("cold", cold_prompt, ours, plain, wanted.rounds),
                compare("shared", shared_prompt, ours, plain, wanted.rounds),
            ]
            memory = psutil.Process(ours.process_id).memory_info().rss // 1_000_000
    report = {"version": file.version, "cores": usable_cores(), "load_seconds": load_seconds, "child_mb": memory}
    if wanted.json:
        print(json.dumps({**report, "prompts": [asdict(row) for row in rows]}, indent=2))
        return
    print(" ".join(f"{name}={value}" for name, value in report.items()))
    for row in rows:
        print("\n".join(f"  {name} = {value}" for name, value in asdict(row).items()), end="\n\n")


if __name__ == "__main__":
    main()
