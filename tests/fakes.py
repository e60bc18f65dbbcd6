"""Small real classes in place of slow or remote things; each passes the same contract as the real one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence

from models.errors import GenerationError, GenerationTimeoutError, PromptTooLongError
from models.generator import ChatMessage, GenerationOptions
from models.waiting import WaitingLine, raise_if_stopped

Script = Callable[[Sequence[ChatMessage]], str]
_TOKEN = re.compile(r"\s*\S+|\s+")


class ScriptedGenerator:
    """A generator that says what a function of the messages says, word by word.

    `reply` is a text or a function of the messages; an exception of the function passes through, so a failing
    model is scripted by raising. `calls` keeps what was asked, oldest first.
    """

    def __init__(
        self,
        reply: str | Script = "A scripted answer.",
        *,
        version: str = "scripted-1",
        context_size: int = 4096,
        seconds_per_token: float = 0.0,
        first_token_seconds: float = 0.0,
        tuned: bool = False,
    ) -> None:
        self._tuned = tuned
        self._script: Script = reply if callable(reply) else lambda _messages: reply
        self._version = version
        self._context_size = context_size
        self._seconds_per_token = seconds_per_token
        self._first_token_seconds = first_token_seconds
        self._line = WaitingLine()
        self._closed = threading.Event()
        self.calls: list[tuple[ChatMessage, ...]] = []

    @property
    def version(self) -> str:
        """The version in service."""
        return self._version

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together."""
        return self._context_size

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    @property
    def tuned(self) -> bool:
        """Whether it learned the form of our prompts; see Generator."""
        return self._tuned

    def stream(
        self,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Yield the scripted reply word by word."""
        with self._line.turn(cancel):
            if self._closed.is_set():
                raise GenerationError("The generator is closed.")
            prompt_tokens = sum(self.count_tokens(message.content) for message in messages)
            if prompt_tokens >= self._context_size:
                raise PromptTooLongError(f"The prompt has {prompt_tokens} tokens, the context {self._context_size}.")
            self.calls.append(tuple(messages))
            yield from self._speak(self._script(messages), options, cancel)

    def count_tokens(self, text: str) -> int:
        """Count words; a token is a word with the spaces before it."""
        return len(_TOKEN.findall(text))

    def close(self) -> None:
        """Refuse further calls."""
        self._closed.set()

    def _speak(self, text: str, options: GenerationOptions, cancel: threading.Event | None) -> Iterator[str]:
        pause = cancel or threading.Event()
        seconds_left = options.timeout_seconds
        delay = self._first_token_seconds
        for token in _TOKEN.findall(_cut(text, options.stop))[: options.max_tokens]:
            delay += self._seconds_per_token
            seconds_left -= delay
            if seconds_left < 0:
                raise GenerationTimeoutError(f"No answer within {options.timeout_seconds} seconds.")
            if delay:
                pause.wait(delay)
            raise_if_stopped(cancel)
            yield token
            delay = 0.0


def _cut(text: str, stops: Sequence[str]) -> str:
    ends = [text.find(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text
