"""How a conversation is written down for a model. Our own table, never the template inside a model file.

A template from a file is a program of a stranger. Here a format is data, and a prompt is a list of pieces that say
whether control tokens may be read in them: only in what this table wrote, never in the contents of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.errors import ModelError
from models.generator import ChatMessage


@dataclass(frozen=True, kw_only=True)
class PromptPiece:
    """A part of the prompt; `control` is true where "<|im_end|>" means the token and not its letters."""

    text: str = field(repr=False)
    control: bool


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """One way to write a conversation down; `{role}` is replaced by the role's own name."""

    begin: str = ""
    before: str
    after: str
    answer: str
    """What comes where the model shall speak."""
    ends: tuple[str, ...]
    """Texts of the tokens that end an answer, beside those that the model's vocabulary marks."""
    roles: tuple[str, str, str] = ("system", "user", "assistant")
    system_joins_user: bool = False
    """The format has no system role: its text goes in front of the first message of the user."""

    def role(self, name: str) -> str:
        """Return this format's own name of a role."""
        return self.roles[("system", "user", "assistant").index(name)]


CHAT_FORMATS = {
    "chatml": ChatFormat(
        before="<|im_start|>{role}\n",
        after="<|im_end|>\n",
        answer="<|im_start|>assistant\n",
        ends=("<|im_end|>", "<|im_start|>", "<|endoftext|>"),
    ),
    "llama-3": ChatFormat(
        begin="<|begin_of_text|>",
        before="<|start_header_id|>{role}<|end_header_id|>\n\n",
        after="<|eot_id|>",
        answer="<|start_header_id|>assistant<|end_header_id|>\n\n",
        ends=("<|eot_id|>", "<|start_header_id|>", "<|end_of_text|>"),
    ),
    "gemma": ChatFormat(
        begin="<bos>",
        before="<start_of_turn>{role}\n",
        after="<end_of_turn>\n",
        answer="<start_of_turn>model\n",
        ends=("<end_of_turn>", "<start_of_turn>", "<eos>"),
        roles=("user", "user", "model"),
        system_joins_user=True,
    ),
    "phi-3": ChatFormat(
        before="<|{role}|>\n",
        after="<|end|>\n",
        answer="<|assistant|>\n",
        ends=("<|end|>", "<|user|>", "<|system|>", "<|endoftext|>"),
    ),
    "zephyr": ChatFormat(
        before="<|{role}|>\n",
        after="</s>\n",
        answer="<|assistant|>\n",
        ends=("</s>", "<|user|>", "<|system|>"),
    ),
}


def chat_format(name: str) -> ChatFormat:
    """Find a format by the name in the settings; raises ModelError that lists the known ones."""
    try:
        return CHAT_FORMATS[name]
    except KeyError:
        known = ", ".join(sorted(CHAT_FORMATS))
        raise ModelError(f"model.chat_format is {name!r}, expected one of {known}.") from None


def write_prompt(form: ChatFormat, messages: Sequence[ChatMessage]) -> tuple[tuple[PromptPiece, ...], ...]:
    """Write a conversation down, message by message; the last one's pieces end where the model shall speak."""
    if form.system_joins_user:
        messages = _join_system(messages)
    sections = [_write_message(form, message) for message in messages] or [()]
    if form.begin:
        sections[0] = (PromptPiece(text=form.begin, control=True), *sections[0])
    return (*sections[:-1], (*sections[-1], PromptPiece(text=form.answer, control=True)))


def _write_message(form: ChatFormat, message: ChatMessage) -> tuple[PromptPiece, ...]:
    return (
        PromptPiece(text=form.before.format(role=form.role(message.role)), control=True),
        PromptPiece(text=message.content.strip(), control=False),
        PromptPiece(text=form.after, control=True),
    )


def _join_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    rules = "\n\n".join(message.content.strip() for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    at = next((place for place, message in enumerate(others) if message.role == "user"), None)
    if at is None:
        return [ChatMessage(role="user", content=rules), *others] if rules else others
    joined = "\n\n".join(text for text in (rules, others[at].content.strip()) if text)
    return [*others[:at], ChatMessage(role="user", content=joined), *others[at + 1 :]]
