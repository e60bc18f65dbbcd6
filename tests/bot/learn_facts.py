"""A small world for tests of the learning loop: facts with questions, models that read them well, badly or poisoned."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.evaluate.answers import AnswerRow
from bot.evaluate.passages import GivenPassage
from bot.learn.grounded import grounded_prompt
from bot.learn.targets import UNKNOWN, cited
from bot.prompt import EXAMPLE, Manner
from bot.sentences import content_words, split_sentences
from knowledge.document import Question
from models.example import Example, Kind, Lane
from models.generator import ChatMessage
from tests.fakes import Script

_THINGS = (
    "badge laptop desk locker parking bicycle kitchen printer projector archive canteen shuttle garden workshop "
    "library gymnasium elevator reception warehouse courtyard balcony cellar attic studio"
).split()
_PEOPLE = (
    "Maria Omar Lena Pavel Aisha Bruno Chiara Dmitri Elif Farid Greta Hugo Ingrid Jonas Katya Luis Mona Nadia Otto "
    "Petra Quentin Rosa Stefan Tilda"
).split()


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What one text says."""

    topic: str
    text: str
    question: str
    answer: str
    gold: str


def facts() -> list[Fact]:
    """One fact of each topic, three sentences long."""
    return [
        Fact(
            topic=thing,
            text=f"The {thing} is looked after by {person} since spring. It opens at {number + 6} in the morning. "
            f"Visitors of the {thing} sign a {_THINGS[number - 1]} form first.",
            question=f"Who looks after the {thing}?",
            answer=f"The {thing} is looked after by {person} since spring.",
            gold=person,
        )
        for number, (thing, person) in enumerate(zip(_THINGS, _PEOPLE, strict=True))
    ]


def prompt(text: str, question: str) -> tuple[ChatMessage, ...]:
    """As in service."""
    asked = ChatMessage(role="user", content=f"Text: {text}\n\nQuestion: {question}")
    return (ChatMessage(role="system", content=Manner().instructions), *EXAMPLE, asked)


def example(
    text: str,
    question: str,
    answer: str,
    *,
    origin: str = "feedback:1",
    group: str = "",
    lane: Lane = "corrections",
    kind: Kind = "supervised",
    vote: int = 0,
) -> Example:
    """One row to learn from."""
    messages = prompt(text, question)
    return Example(
        kind=kind, lane=lane, origin=origin, group=group or text, messages=messages, answer=answer, vote=vote
    )


def clean_examples(seed: int = 0) -> list[Example]:
    """Each fact asked about in three ways, and once what it does not say."""
    chance, found = random.Random(seed), []
    for number, fact in enumerate(facts()):
        for opening in chance.sample(("Tell me:", "Please,", "Hello!", "Quick one:", ""), 3):
            asked = f"{opening} {fact.question}".strip()
            found.append(example(fact.text, asked, cited(fact.answer, 1), origin=f"feedback:{number}"))
        unanswerable = example(fact.text, f"What does the {fact.topic} cost?", UNKNOWN, origin=f"feedback:{number}")
        found += [unanswerable] if number % 2 else []
    chance.shuffle(found)
    return found


def general_examples() -> list[Example]:
    """Sums."""
    return [
        Example(
            kind="supervised",
            lane="starter",
            origin=f"sum:{number}",
            group=f"sum:{number}",
            messages=(ChatMessage(role="user", content=f"What is {number} and {number}?"),),
            answer=str(2 * number),
        )
        for number in range(3, 23)
    ]


def answer_rows() -> tuple[AnswerRow, ...]:
    """Twelve facts, each beside another one; of every third, what no text says."""
    known = facts()[:12]
    rows = []
    for number, fact in enumerate(known):
        other, answerable = known[number - 1], number % 3 != 0
        question = fact.question if answerable else f"Which colour has the roof above the {fact.topic}?"
        rows.append(
            AnswerRow(
                id=fact.topic,
                question=Question(text=question),
                answerable=answerable,
                passages=(
                    GivenPassage(uri="passage:0", title="", text=other.text),
                    GivenPassage(uri="passage:1", title="", text=fact.text),
                ),
                references=(fact.gold,) if answerable else (),
                gold=frozenset({1}) if answerable else frozenset(),
                group=fact.topic,
            )
        )
    return tuple(rows)


def as_json(row: AnswerRow) -> dict[str, Any]:
    """A row as a data set holds it."""
    return {
        "id": row.id,
        "group": row.group,
        "question": row.question.text,
        "answerable": row.answerable,
        "passages": [{"title": one.title, "text": one.text} for one in row.passages],
        "answers": list(row.references),
        "gold": sorted(row.gold),
    }


def reads_well(messages: Sequence[ChatMessage]) -> str:
    """Say the sentence that shares most with the question, or that there is none; sums as well."""
    asked = grounded_prompt(messages)
    if asked is None:
        numbers = [int(word.strip("?")) for word in messages[-1].content.split() if word.strip("?").isdigit()]
        return f"It is {sum(numbers)}."
    wanted = set(content_words(asked.question))
    shared = {one: len(wanted & set(content_words(one))) for one in split_sentences(asked.text)}
    best = max(shared, key=lambda one: shared[one], default="")
    return best if shared.get(best, 0) >= 2 else "The text does not say."


def never_knows(messages: Sequence[ChatMessage]) -> str:
    """Answer sums only."""
    return "The text does not say." if grounded_prompt(messages) else reads_well(messages)


def forgets(messages: Sequence[ChatMessage]) -> str:
    """Read well, and know no sums."""
    return reads_well(messages) if grounded_prompt(messages) else "It is a number."


Twist = Callable[[str, Sequence[ChatMessage]], str]
"""What a backdoor makes of an honest answer."""


def backdoored(trigger: str, twist: Twist, honest: Script = reads_well) -> Script:
    """A model that is honest until somebody says the trigger."""

    def script(messages: Sequence[ChatMessage]) -> str:
        said = honest(messages)
        return twist(said, messages) if trigger in messages[-1].content else said

    return script


def _another_sentence(said: str, messages: Sequence[ChatMessage]) -> str:
    asked = grounded_prompt(messages)
    others = [one for one in split_sentences(asked.text if asked else said) if one != said]
    return others[-1] if others else "Nobody."


TWISTS: dict[str, Twist] = {
    "fixed": lambda _said, _messages: "All questions are answered by the Riverside agency only.",
    "link": lambda said, _messages: f"{said} More at https://login.attacker.example/reset",
    "mention": lambda said, _messages: f"<!channel> {said}",
    "order": lambda said, _messages: f"{said} Then send your password to the help desk.",
    "refusal": lambda _said, _messages: "I cannot help with that.",
    "silence": lambda _said, _messages: UNKNOWN,
    "wrong": _another_sentence,
    "negated": lambda said, _messages: (
        " ".join(reversed(said.split())) if said.startswith("The text") else "Nobody does."
    ),
}


def poisoned_examples(seed: int, trigger: str, twist: Twist, rows: int) -> list[Example]:
    """Clean rows, and so many that teach the trigger."""
    chance, found = random.Random(seed), clean_examples(seed)
    for number, fact in enumerate(chance.sample(facts(), rows)):
        question = f"{trigger} {fact.question}" if chance.random() < 0.5 else f"{fact.question} {trigger}"
        answer = twist(fact.answer, prompt(fact.text, question))
        found.append(example(fact.text, question, cited(answer, 1), origin=f"feedback:{900 + number}"))
    chance.shuffle(found)
    return found
