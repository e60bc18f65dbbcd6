"""The seam behind which text is generated.

Real implementations: llama.cpp in a child process (`models.child`) and any OpenAI-compatible server
(`models.openai_server`). All pass `tests/contracts/generator.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class ChatMessage:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """How one text is generated."""

    max_tokens: int = 256
    temperature: float = 0.0
    """0 is greedy: the same prompt gives the same text."""
    repeat_penalty: float = 1.1
    """1 is off; small models loop without it."""
    stop: tuple[str, ...] = ()
    seed: int = 0
    timeout_seconds: float = 120.0
    grammar: str = field(default="", repr=False)
    """GBNF that the text must follow, from its rule `root`; a generator that has none leaves it out."""


class Generator(Protocol):
    """A language model that is ready to work. All methods may be called from several threads."""

    @property
    def version(self) -> str:
        """The version in service, as written on every answer."""

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def tuned(self) -> bool:
        """Whether it learned our prompts: numbered passages, citations, and how to say that it is not known.

        Such a model needs no example, and its word that the text does not answer is worth more.
        """

    def stream(
        self,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Yield the text piece by piece as it is generated.

        One call works at a time; others wait their turn. Closing the iterator stops generation. Setting
        `cancel` from any thread stops it within half a second, also while it waits or reads the prompt, and
        raises GenerationStopped. Raises PromptTooLongError before any text, GenerationError otherwise.
        """

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text, without any added by a chat template."""

    def close(self) -> None:
        """Free the model; harmless when called again."""
