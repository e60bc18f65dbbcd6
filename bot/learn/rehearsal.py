"""What the version in service says without a text, to be learned again beside the rest: against forgetting.

Without it a version that learns to answer from documents answers nothing else after a few hundred rows. The tasks are
made by rule (`tests.benchmarks.starter_general`); what is rehearsed is what the version itself says to them, after
Huang et al., 2024, "Mitigating Catastrophic Forgetting in Large Language Models with Self-Synthesized Rehearsal", but
for sums, whose answers are known. None of them is in the general-skill set that the gate asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from models.errors import GenerationError
from models.example import Example
from models.generator import ChatMessage, GenerationOptions, Generator

_OPTIONS = GenerationOptions(max_tokens=72, repeat_penalty=1.0, timeout_seconds=30.0)
_ENDS = (". ", ".\n", "! ", "? ")
# An answer that was not cut off is shorter; so many characters a token has at least.
_CHARACTERS_PER_TOKEN = 2


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something that is asked without a text."""

    kind: str
    text: str = field(repr=False)
    answer: str = field(default="", repr=False)
    """Where it is known."""


def rehearsal_tasks() -> tuple[Task, ...]:
    """All tasks, in their order."""
    text = files(__package__).joinpath("rehearsal.jsonl").read_text(encoding="utf-8")
    return tuple(Task(**json.loads(line)) for line in text.splitlines())


def rehearse(
    generator: Generator, tasks: Sequence[Task], progress: Callable[[int, int], None] = lambda _done, _of: None
) -> Iterator[Example]:
    """Yield a row for each task that the generator has a whole sentence to say to; greedy, so it can be repeated."""
    for number, task in enumerate(tasks, 1):
        messages = (ChatMessage(role="user", content=task.text),)
        if answer := task.answer or _said(generator, messages):
            yield Example(
                kind="supervised",
                lane="starter",
                origin=f"rehearsal:{number}",
                group=f"rehearsal:{task.kind}",
                messages=messages,
                answer=answer,
            )
        progress(number, len(tasks))


def whole_sentences(said: str) -> str:
    """What was said up to its last whole sentence; empty where none ended."""
    text = said.strip()
    if len(text) < _CHARACTERS_PER_TOKEN * _OPTIONS.max_tokens or text[-1:] in ".!?`":
        return text
    return text[: max(text.rfind(mark) for mark in _ENDS) + 1]


def _said(generator: Generator, messages: Sequence[ChatMessage]) -> str:
    try:
        said = "".join(generator.stream(messages, _OPTIONS))
    except GenerationError:
        return ""
    return whole_sentences(said)
