"""A follow-up written out by the language model, searched beside the question as it was asked.

An operator's choice, with a limit in seconds: the search itself reads a conversation already, and a rewrite costs a
generation before the first word. What it finds is a second list; where no usable text comes in time there is none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from bot.prompt import shorten
from bot.sentences import content_words
from knowledge.document import Passage, Question
from knowledge.retrieve import Retrieved
from models.errors import GenerationStopped, ModelError
from models.generator import ChatMessage, GenerationOptions, Generator

logger = logging.getLogger(__name__)

_INSTRUCTIONS = (
    "You rewrite the last question of a conversation so that it can be understood without the conversation. "
    "You write the question only and never answer it."
)
_EXAMPLE = (
    ChatMessage(
        role="user",
        content="Question: How long is parental leave?\nAnswer: Parental leave is 16 weeks at full pay.\n"
        "Last question: And who approves it?",
    ),
    ChatMessage(role="assistant", content="Who approves parental leave?"),
)
_TURNS = 4
_TURN_CHARACTERS = 300
_QUESTION_CHARACTERS = 600
_MOST_TOKENS = 64
_LONGEST = 300
_RANK_CONSTANT = 60
"""As in Cormack et al., SIGIR 2009: the scores of two searches are not comparable, their ranks are."""


def rewrite(question: Question, generator: Generator, seconds: float) -> str:
    """Write a follow-up out; empty where there is nothing to write out, or no usable text within `seconds`."""
    if not seconds or not question.history:
        return ""
    enough = threading.Event()
    clock = threading.Timer(seconds, enough.set)
    clock.daemon = True
    clock.start()
    options = GenerationOptions(max_tokens=_MOST_TOKENS, stop=("\n",), timeout_seconds=seconds)
    try:
        text = "".join(generator.stream(_messages(question), options, enough))
    except (GenerationStopped, ModelError) as error:
        logger.info("a question was not rewritten: %s", error)
        return ""
    finally:
        clock.cancel()
    return _usable(text, question.text)


def both(first: Retrieved, second: Retrieved, k: int) -> Retrieved:
    """The best `k` passages of two searches by reciprocal rank; all else is as in the first."""
    ranks: dict[int, float] = {}
    found: dict[int, Passage] = {}
    for retrieved in (first, second):
        for place, passage in enumerate(retrieved.passages, start=1):
            ranks[passage.id] = ranks.get(passage.id, 0.0) + 1 / (_RANK_CONSTANT + place)
            found.setdefault(passage.id, passage)
    order = sorted(ranks, key=lambda key: -ranks[key])
    return replace(first, passages=tuple(found[key] for key in order[:k]))


def _messages(question: Question) -> Sequence[ChatMessage]:
    turns = [
        f"{'Question' if turn.role == 'user' else 'Answer'}: {shorten(turn.text, _TURN_CHARACTERS)}"
        for turn in question.history[-_TURNS:]
    ]
    last = f"Last question: {shorten(question.text, _QUESTION_CHARACTERS)}"
    return (
        ChatMessage(role="system", content=_INSTRUCTIONS),
        *_EXAMPLE,
        ChatMessage(role="user", content="\n".join((*turns, last))),
    )


def _usable(text: str, asked: str) -> str:
    """The text on one line; empty where it says nothing, runs on, or only repeats what was asked."""
    line = " ".join(text.split()).strip('"“” ')
    if not content_words(line) or len(line) > _LONGEST:
        return ""
    return "" if set(content_words(line)) == set(content_words(asked)) else line
