"""An example's prompt taken apart again: what was read, and what people said; the counterpart of `bot.prompt`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from models.example import Example
from models.generator import ChatMessage

_TEXT, _EARLIER, _QUESTION = "Text: ", "\n\nEarlier:\n", "Question: "


@dataclass(frozen=True, kw_only=True)
class GroundedPrompt:
    """A prompt that holds a text to answer from."""

    before: tuple[ChatMessage, ...] = field(repr=False)
    """Instructions and example."""
    text: str = field(repr=False)
    said: str = field(repr=False)
    """The conversation before the question; empty for none."""
    question: str = field(repr=False)

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The prompt as a whole."""
        earlier = f"{_EARLIER}{self.said}" if self.said else ""
        content = f"{_TEXT}{self.text}{earlier}\n\n{_QUESTION}{self.question}"
        return (*self.before, ChatMessage(role="user", content=content))

    def asking(self, question: str) -> GroundedPrompt:
        """The same with another question."""
        return replace(self, question=question)

    def reading(self, text: str) -> GroundedPrompt:
        """The same with another text."""
        return replace(self, text=text)


def grounded_prompt(messages: Sequence[ChatMessage]) -> GroundedPrompt | None:
    """Take a prompt apart; None where it asks nothing of a text."""
    if not messages or messages[-1].role != "user" or not messages[-1].content.startswith(_TEXT):
        return None
    body, separator, question = messages[-1].content.removeprefix(_TEXT).rpartition(f"\n\n{_QUESTION}")
    if not separator:
        return None
    text, _, said = body.partition(_EARLIER)
    return GroundedPrompt(before=tuple(messages[:-1]), text=text, said=said, question=question)


def grounded(example: Example) -> GroundedPrompt | None:
    """The prompt of an example, taken apart."""
    return grounded_prompt(example.messages)
