"""What the embedded model says without a text, to be learned again beside the answering: against forgetting.

Run: python -m tests.benchmarks.starter_general --data ../shared/data --out general.jsonl
     python -m tests.benchmarks.starter_general --data ../shared/data --tasks --out bot/learn/rehearsal.jsonl
Tasks made by rule, to which the embedded model says what it says as it comes; see `bot.learn.rehearsal`. Questions
about the world's finer facts are not among them: there the model makes something up, which is nothing to rehearse.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from bot.cli.output import progress_bar
from bot.learn.export import general_examples
from bot.learn.rehearsal import Task, rehearse
from bot.sentences import split_sentences
from models.child import ChildGenerator, Runtime
from models.example import write_examples
from models.registry import embedded_model
from tests.benchmarks.starter_data import part_of, plain, read_lines

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


def tasks(data: Path, chance: random.Random) -> Iterator[Task]:
    """Tasks of all kinds; the model itself answers all but sums."""
    for _ in range(_ARITHMETIC):
        text, answer = sum_of(chance)
        yield Task(kind="arithmetic", text=text, answer=answer)
    yield from (Task(kind="facts", text=f"What is the capital of {country}?") for country in _COUNTRIES)
    for word in _WORDS:
        yield Task(kind="words", text=f"What is the opposite of {word}?")
        yield Task(kind="words", text=f"Name a word that means the same as {word}.")
    yield from (Task(kind="words", text=f"What is the plural of {noun}?") for noun in _NOUNS)
    yield from (Task(kind="words", text=f"What is the past tense of {verb}?") for verb in _VERBS)
    for language in ("German", "French", "Spanish"):
        yield from (Task(kind="translate", text=f"Translate into {language}: {phrase}") for phrase in _PHRASES)
    yield from (Task(kind="rewrite", text=f"Make this polite: {order}") for order in _ORDERS)
    yield from (Task(kind="other", text=text) for text in _OTHERS)
    rows = [row for row in read_lines(data / "clapnq/answers.jsonl.xz") if part_of("clapnq", row["id"]) == "train"]
    for row in chance.sample(rows, _TEXTS):
        said = " ".join(split_sentences(plain(row["passages"][0]["text"]))[:2])[:400]
        yield Task(kind="summary", text=f"In one sentence: {said}")


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


def main() -> None:
    """Let the model answer, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--tasks", action="store_true", help="write bot/learn/rehearsal.jsonl: the tasks without texts")
    options = parser.parse_args()
    measured = {example.messages[-1].content.lower() for example in general_examples()}
    asked = [task for task in tasks(options.data, random.Random(options.seed)) if task.text.lower() not in measured]
    asked = list(dict.fromkeys(asked))
    if options.tasks:
        lines = [json.dumps(asdict(task)) + "\n" for task in asked if task.kind != "summary"]
        options.out.write_text("".join(lines), encoding="utf-8")
        return
    generator = ChildGenerator(embedded_model().path, "plain", Runtime(context_tokens=2048))
    with closing(generator), progress_bar() as progress:
        rows = rehearse(generator, asked, lambda done, of: progress("Answering", done, of))
        count = write_examples(options.out, rows)
    print(f"{count} rows")


if __name__ == "__main__":
    main()
