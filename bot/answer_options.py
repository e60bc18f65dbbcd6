"""How answers are made: the operator's settings, and what a person or a channel wishes on top of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from bot.turn import Style
from models.generator import ChatMessage, GenerationOptions

_MOST_PASSAGES = 20
_SHORT_SENTENCES = 2


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """How answers are made; `bot.settings.AnswerSettings` explains each."""

    passages: int = 4
    evidence_sentences: int = 3
    """0 hands whole passages to the model."""
    minimum_support: float = 0.4
    unsupported: Literal["drop", "keep"] = "drop"
    wording: Literal["own", "quote"] = "own"
    house_rules: str = ""
    max_question_characters: int = 8_000
    stale_days: int = 365
    """An answer that stands on nothing newer says so; 0: never."""
    rewrite_seconds: float = 0.0
    """So long a follow-up may be written out by the language model; 0 for not at all."""
    generation: GenerationOptions = field(default_factory=GenerationOptions)
    examples: tuple[ChatMessage, ...] = field(default=(), repr=False)
    """Exchanges that show the model what is wanted; see `bot.learn.few_shot`."""
    most_sentences: int | None = None
    """The answer ends after so many; None for as many as the model writes."""
    quotes_beside: int = 0
    """So many further sentences of the sources are quoted where they fit nearly as well."""
    completes: bool = True
    """A tuned model's answer to what asks for more than a few words is filled up with sentences that fit as well."""


def styled(options: AnswerOptions, style: Style, context_size: int) -> AnswerOptions:
    """Follow a wish: how long, and in what manner. It changes neither who may read what nor how sure we must be."""
    rules = "\n".join(filter(None, (options.house_rules, style.instructions)))
    options = replace(options, house_rules=rules)
    generation = options.generation
    match style.length:
        case "short":
            return replace(
                options,
                evidence_sentences=min(options.evidence_sentences, _SHORT_SENTENCES),
                most_sentences=_SHORT_SENTENCES,
                completes=False,
                generation=replace(generation, max_tokens=max(16, generation.max_tokens // 2)),
            )
        case "detailed":
            # The evidence needs its share of the context, too.
            most = min(2 * generation.max_tokens, context_size // 3)
            return replace(
                options,
                passages=min(_MOST_PASSAGES, 2 * options.passages),
                evidence_sentences=2 * options.evidence_sentences,
                quotes_beside=2,
                generation=replace(generation, max_tokens=max(generation.max_tokens, most)),
            )
        case _:
            return options
