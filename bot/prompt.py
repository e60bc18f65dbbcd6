"""The prompt, within the model's token budget: instructions, one example, the conversation so far, evidence, question.

The fixed part comes first so that the model's prefix cache serves it for every question. Everything that people or
documents wrote goes into user messages, as data; the system message holds none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.evidence import Evidence, in_reading_order
from bot.learn.targets import UNKNOWN
from bot.turn import Length
from knowledge.document import HistoryTurn, Passage, Question
from models.errors import PromptTooLongError
from models.generator import ChatMessage

_INSTRUCTIONS = (
    "You answer questions using only the given text. {length} "
    "If the text does not answer the question, say: The text does not say."
)
_LENGTHS: Mapping[Length, str] = {
    "short": "Answer in one short, complete sentence.",
    "normal": "Answer in one or two short, complete sentences.",
    "detailed": "Answer in full, in three to six complete sentences.",
}
# What a tuned version learned with. It needs no example; every passage has its number, which the answer names.
_TUNED_INSTRUCTIONS = (
    "Answer from the numbered text only and name the number, like [1]. {length} "
    "If the text does not answer the question, say: {unknown}"
)
_TUNED_LENGTHS: Mapping[Length, str] = {
    "short": "Be brief.",
    "normal": "Be clear.",
    "detailed": "Be complete.",
}
# One worked example: without it a 135M model answers with "The answer is:" or repeats the question.
EXAMPLE = (
    ChatMessage(
        role="user",
        content="Text: The office opens at 8:30 in the morning. Badges are issued by Maria Lopez at the front desk.\n\n"
        "Question: Who gives out badges?",
    ),
    ChatMessage(role="assistant", content="Badges are issued by Maria Lopez at the front desk."),
)
# What a chat template adds around each message; generous, since templates differ.
_TOKENS_AROUND_MESSAGE = 8
_QUESTION_CHARACTERS = 1_500
_HISTORY_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much room there is, in the model's tokens."""

    context_size: int
    answer_tokens: int
    count_tokens: Callable[[str], int]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How the answer is wanted, for the system message: nothing that the person who asks wrote."""

    length: Length = "normal"
    language: str = ""
    """Its name in English; empty to say nothing about it."""
    house_rules: str = ""
    tuned: bool = False
    """The model learned the form of our prompts: numbered passages, and no example."""
    examples: tuple[ChatMessage, ...] = field(default=(), repr=False)
    """Exchanges that show what is wanted, instead of our own example; in the numbered form."""

    @property
    def instructions(self) -> str:
        """The system message."""
        language = f"Answer in {self.language}." if self.language else ""
        said = _INSTRUCTIONS.format(length=_LENGTHS[self.length])
        if self.tuned:
            said = _TUNED_INSTRUCTIONS.format(length=_TUNED_LENGTHS[self.length], unknown=UNKNOWN)
        return " ".join(filter(None, (said, language, self.house_rules)))


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Messages that fit, and what went into them."""

    messages: tuple[ChatMessage, ...] = field(repr=False)
    tokens: int


def prompt_from_sentences(
    question: Question,
    evidence: Sequence[Evidence],
    manner: Manner,
    budget: Budget,
) -> Prompt:
    """Build the prompt from chosen sentences, best first; the worst are left out until it fits."""
    for count in range(len(evidence), 0, -1):
        text = _numbered_sentences(evidence[:count]) if manner.tuned else _sentences_as_text(evidence[:count])
        prompt = _prompt(question, text, manner, budget)
        if prompt.tokens + budget.answer_tokens <= budget.context_size:
            return prompt
    raise _too_long(budget)


def prompt_from_passages(question: Question, passages: Sequence[Passage], manner: Manner, budget: Budget) -> Prompt:
    """Build the prompt from whole passages, best first, for models that read long texts well."""
    for count in range(len(passages), 0, -1):
        text = numbered_passages([_headed(item, manner) for item in passages[:count]])
        prompt = _prompt(question, text, manner, budget)
        if prompt.tokens + budget.answer_tokens <= budget.context_size:
            return prompt
    raise _too_long(budget)


def numbered_passages(texts: Sequence[str]) -> str:
    """Passages as they stand in a prompt, from [1] on."""
    return "\n\n".join(f"[{n}] {text}" for n, text in enumerate(texts, 1))


def numbers_of(evidence: Sequence[Evidence]) -> dict[int, int]:
    """The number in the prompt of each passage that sentences were chosen from."""
    return {passage: n for n, passage in enumerate(sorted({item.passage for item in evidence}), 1)}


def _headed(passage: Passage, manner: Manner) -> str:
    return _section(passage) if manner.tuned else f"{passage.header}\n{_section(passage)}"


def _section(passage: Passage) -> str:
    return "\n\n".join(part.text for part in passage.section)


def _prompt(question: Question, text: str, manner: Manner, budget: Budget) -> Prompt:
    asked = shorten(question.text, _QUESTION_CHARACTERS)
    content = f"Text: {text}\n\n{_conversation(question.history)}Question: {asked}"
    messages = (
        ChatMessage(role="system", content=manner.instructions),
        *(manner.examples or (() if manner.tuned else EXAMPLE)),
        ChatMessage(role="user", content=content),
    )
    tokens = sum(budget.count_tokens(message.content) + _TOKENS_AROUND_MESSAGE for message in messages)
    return Prompt(messages=messages, tokens=tokens)


def _numbered_sentences(evidence: Sequence[Evidence]) -> str:
    numbers = numbers_of(evidence)
    found: dict[int, list[str]] = {}
    for item in in_reading_order(evidence):
        found.setdefault(numbers[item.passage], []).append(item.text)
    return numbered_passages([" ".join(found[n]) for n in sorted(found)])


def _sentences_as_text(evidence: Sequence[Evidence]) -> str:
    parts: list[str] = []
    last_passage = -1
    for item in in_reading_order(evidence):
        # No titles in between: a small model copies them into its answer.
        parts.append(f" {item.text}" if item.passage == last_passage else f"\n{item.text}")
        last_passage = item.passage
    return "".join(parts).strip()


def _conversation(history: Sequence[HistoryTurn]) -> str:
    """The last exchange: enough to know what "it" is; more only confuses a small model."""
    if not history:
        return ""
    lines = [
        f"{'Question' if turn.role == 'user' else 'Answer'}: {shorten(turn.text, _HISTORY_CHARACTERS)}"
        for turn in history[-2:]
    ]
    return "Earlier:\n" + "\n".join(lines) + "\n\n"


def shorten(text: str, characters: int) -> str:
    """Cut a text at a word; the start of a question says what it is about."""
    clean = " ".join(text.split())
    return clean if len(clean) <= characters else f"{clean[:characters].rsplit(' ', 1)[0]} …"


def _too_long(budget: Budget) -> PromptTooLongError:
    return PromptTooLongError(
        f"Question and evidence do not fit into {budget.context_size} tokens with {budget.answer_tokens} kept for the "
        "answer: raise model.context_tokens or lower model.max_answer_tokens."
    )
