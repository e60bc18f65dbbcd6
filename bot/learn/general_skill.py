"""What a version must not forget: questions without a text, with the answers that it knew before it was tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bot.evaluate.scores import contains_answer
from models.errors import PromptTooLongError
from models.example import Example
from models.generator import ChatMessage, GenerationOptions, Generator

_LEAST_TOKENS, _MOST_TOKENS = 16, 192


@runtime_checkable
class Scorer(Protocol):
    """A generator that tells how likely it finds an answer."""

    def score(self, messages: Sequence[ChatMessage], answer: str) -> Sequence[float]:
        """The log-probability of each token of an answer."""


@dataclass(frozen=True, kw_only=True)
class GeneralOutcome:
    """One row: whether the reference stands in what was said, and how likely the reference was."""

    id: str
    group: str
    contains: float
    log_probability: float | None
    """Mean over the reference's tokens; None where the generator does not tell."""


def measure_general(
    generator: Generator, examples: Sequence[Example], progress: Callable[[int, int], None] = lambda _done, _of: None
) -> list[GeneralOutcome]:
    """Ask each row greedily; rows that do not fit into the model's context are left out."""
    found: list[GeneralOutcome] = []
    for number, example in enumerate(examples):
        progress(number, len(examples))
        try:
            found.append(_outcome(generator, example))
        except PromptTooLongError:
            continue
    progress(len(examples), len(examples))
    return found


def _outcome(generator: Generator, example: Example) -> GeneralOutcome:
    room = min(_MOST_TOKENS, max(_LEAST_TOKENS, 2 * generator.count_tokens(example.answer)))
    said = "".join(generator.stream(example.messages, GenerationOptions(max_tokens=room)))
    numbers = generator.score(example.messages, example.answer) if isinstance(generator, Scorer) else ()
    return GeneralOutcome(
        id=example.id,
        group=example.group,
        contains=float(contains_answer(said, [example.answer])),
        log_probability=sum(numbers) / len(numbers) if numbers else None,
    )
