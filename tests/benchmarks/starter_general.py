"""What the embedded model says without a text, to be learned again beside the answering: against forgetting.

Run: python -m tests.benchmarks.starter_general --data ../shared/data --out general.jsonl
Tasks made by rule, with the answers of the model as it comes: what is rehearsed is what it did before (as in Huang et
al., 2024, "Mitigating Catastrophic Forgetting in Large Language Models with Self-Synthesized Rehearsal"), except for
sums, whose answers are known. No task of the general-skill set (bot/learn/general.jsonl) is among them. Questions about
the world's finer facts are not either: there the model makes something up, which is nothing to rehearse.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bot.cli.output import progress_bar
from bot.learn.export import general_examples
from bot.sentences import split_sentences
from models.child import ChildGenerator, Runtime
from models.example import Example, write_examples
from models.generator import ChatMessage, GenerationOptions
from models.registry import embedded_model
from tests.benchmarks.starter_data import part_of, plain, read_lines

_OPTIONS = GenerationOptions(max_tokens=72, repeat_penalty=1.0)
_ARITHMETIC, _TEXTS = 60, 30
_COUNTRIES = """Spain Italy Germany Poland Norway Egypt Kenya India China Brazil Canada Mexico Peru Chile Greece Turkey
Sweden Austria Ireland Portugal Cuba Thailand Vietnam Australia Finland Denmark Hungary Nigeria Ghana Iran""".split()
_WORDS = """big cold light happy open fast old rich strong early empty easy near soft loud dry dark long clean
young""".split()
_NOUNS = "child foot tooth city box leaf baby knife woman sheep story bus wife goose potato".split()
_VERBS = "see run eat write take give come know find think speak buy bring sing fly".split()
_PHRASES = (
    "The door is open.",
    "I like coffee.",
    "Where do you live?",
    "Good night.",
    "See you tomorrow.",
    "The water is cold.",
    "My name is Anna.",
    "I do not understand.",
    "It is raining today.",
    "We have two dogs.",
)
_ORDERS = (
    "Call me back.",
    "Close the window.",
    "Give me the report.",
    "Be on time.",
    "Stop talking.",
    "Read this today.",
    "Answer my mail.",
    "Come to my office.",
)
_OTHERS = (
    "Name three fruits.",
    "Name the colours of the rainbow.",
    "Name three animals that live in the sea.",
    "Name the planets of the solar system.",
    "Name four months of the year.",
    "Name three musical instruments.",
    "Put these words in alphabetical order: lemon, banana, cherry.",
    "Put these numbers in order, the largest first: 4, 8, 1.",
    "If today is Friday, which day is tomorrow?",
    "If yesterday was Monday, which day is today?",
    "Tom is taller than Ana, and Ana is taller than Lea. Who is the tallest?",
    "All birds have wings. A robin is a bird. Does a robin have wings?",
    "I have five pens and lose two. How many are left?",
    "Which is larger: a mouse or a horse?",
    "In Python, which function prints a text?",
    "In Python, how do I open a file?",
    "In Python, what does 2 ** 3 give?",
    "In Python, how do I make an empty list?",
    "Write one half as a percentage.",
    "Write the date 7 May 2021 as year-month-day.",
    "Write twenty in digits.",
    "Make a list with dashes: pens, paper and ink",
    "Answer with yes or no only: Is fire cold?",
    "Answer with yes or no only: Do fish swim?",
    "Give the answer as JSON with the key city: I live in Rome.",
    "Write one friendly sentence to thank a colleague.",
    "How do you ask for help in a kind way?",
    "Write a short greeting for a birthday.",
    "Correct the spelling: Ther are many pepole here.",
    "Correct the spelling: I am goin to teh shop.",
    "Write in the past tense: He plays the piano.",
    "Write in the past tense: They cook dinner.",
    "Write as a question: The train is late.",
    "Write in capitals: good morning",
    "Shorten: In the event that it rains we will stay at home.",
    "How many hours has a day?",
    "How many legs has a spider?",
    "How many minutes are in an hour?",
    "At how many degrees Celsius does water freeze?",
    "Which planet is the largest?",
    "What gas do people breathe in to live?",
    "What is the chemical symbol of silver?",
    "What is the chemical symbol of iron?",
    "Who wrote Romeo and Juliet?",
    "Which is the longest river in Africa?",
    "Which is the highest mountain on Earth?",
    "What do bees make?",
    "What is ice made of?",
)


def tasks(data: Path, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """Kind and text of each task, and its answer where that is known."""
    yield from (("arithmetic", *sum_of(chance)) for _ in range(_ARITHMETIC))
    yield from (("facts", f"What is the capital of {country}?", "") for country in _COUNTRIES)
    for word in _WORDS:
        yield "words", f"What is the opposite of {word}?", ""
        yield "words", f"Name a word that means the same as {word}.", ""
    yield from (("words", f"What is the plural of {noun}?", "") for noun in _NOUNS)
    yield from (("words", f"What is the past tense of {verb}?", "") for verb in _VERBS)
    for language in ("German", "French", "Spanish"):
        yield from (("translate", f"Translate into {language}: {phrase}", "") for phrase in _PHRASES)
    yield from (("rewrite", f"Make this polite: {order}", "") for order in _ORDERS)
    yield from (("other", text, "") for text in _OTHERS)
    rows = [row for row in read_lines(data / "clapnq/answers.jsonl.xz") if part_of("clapnq", row["id"]) == "train"]
    for row in chance.sample(rows, _TEXTS):
        said = " ".join(split_sentences(plain(row["passages"][0]["text"]))[:2])[:400]
        yield "summary", f"In one sentence: {said}", ""


def sum_of(chance: random.Random) -> tuple[str, str]:
    """A sum and its answer."""
    one, other = chance.randrange(2, 60), chance.randrange(2, 30)
    few, some = one % 9 + 2, other % 9 + 2
    return chance.choice(
        (
            (f"What is {one} plus {other}?", f"{one} plus {other} is {one + other}."),
            (f"What is {one + other} minus {other}?", f"{one + other} minus {other} is {one}."),
            (f"What is {few} times {some}?", f"{few} times {some} is {few * some}."),
            (f"What is {few * some} divided by {few}?", f"{few * some} divided by {few} is {some}."),
            (f"A box holds {few} pens. How many pens are in {some} boxes?", f"There are {few * some} pens."),
            (f"What is half of {2 * one}?", f"Half of {2 * one} is {one}."),
        )
    )


def whole_sentences(said: str) -> str:
    """What was said up to its last whole sentence; empty where none ended."""
    text = said.strip()
    if len(text) < 4 * _OPTIONS.max_tokens // 2 or text[-1:] in ".!?`":
        return text
    end = max(text.rfind(mark) for mark in (". ", ".\n", "! ", "? "))
    return text[: end + 1]


def main() -> None:
    """Let the model answer, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    measured = {example.messages[-1].content.lower() for example in general_examples()}
    asked = [one for one in tasks(options.data, random.Random(options.seed)) if one[1].lower() not in measured]
    asked = list(dict.fromkeys(asked))
    rows: list[Example] = []
    generator = ChildGenerator(embedded_model().path, "plain", Runtime(context_tokens=2048))
    with closing(generator), progress_bar() as progress:
        for number, (kind, text, known) in enumerate(asked, 1):
            messages = (ChatMessage(role="user", content=text),)
            answer = known or whole_sentences("".join(generator.stream(messages, _OPTIONS)))
            if answer:
                row = Example(
                    kind="supervised",
                    lane="starter",
                    origin=f"general-replay:{number}",
                    group=f"general-replay:{kind}",
                    messages=messages,
                    answer=answer,
                )
                rows.append(row)
            progress("Answering", number, len(asked))
    print(f"{write_examples(options.out, rows)} rows")


if __name__ == "__main__":
    main()
