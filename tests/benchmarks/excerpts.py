"""Questions whose answer is a passage of a text, as topics: what people want there is all of it, not a few words.

The data is that of brandonstarxel/chunking_evaluation, see `chunking_data`; the starter version has never seen it. Its
chat logs are left out: they are one line of JSON.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bot.sentences import split_sentences
from tests.benchmarks.chunking_data import load_corpora
from tests.benchmarks.known import KnownQuestion, Topic
from tests.benchmarks.starter_data import plain

CORPORA = {"finance": "Filings", "pubmed": "Papers", "state_of_the_union": "Speech", "wikitexts": "Articles"}
_PARAGRAPH = 1_200
_LONGEST = 600
_OF_A_TOPIC = 14


@dataclass(kw_only=True)
class _Shelf:
    """Paragraphs in a row, and the questions that they answer."""

    paragraphs: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    """Id, question, the answer's excerpts, the paragraphs where they stand."""


def excerpt_topics(folder: Path) -> Iterator[Topic]:
    """Yield the corpora's topics, some fourteen questions to each, in the order of the texts."""
    asked = list(_asked(folder))
    for corpus, text in load_corpora(folder).items():
        if corpus not in CORPORA:
            continue
        shelves = _shelves(_paragraphs(text), [one for one in asked if one[0].startswith(f"{corpus}/")])
        for number, shelf in enumerate(shelves, 1):
            name = f"{CORPORA[corpus]}_{number}"
            yield Topic(
                name=name,
                paragraphs=tuple(shelf.paragraphs),
                questions=tuple(_known(name, *one) for one in shelf.asked),
            )


def _known(topic: str, row: str, text: str, excerpts: Sequence[str], evidence: tuple[str, ...]) -> KnownQuestion:
    whole = " ".join(one if one.endswith((".", "!", "?")) else f"{one}." for one in excerpts)
    return KnownQuestion(id=row, topic=topic, text=text, gold=(whole,), sentence=whole, long=True, evidence=evidence)


def _asked(folder: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    with (folder / "questions_df.csv").open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            excerpts = tuple(_plain(one["content"]).strip(" .") for one in json.loads(row["references"]))
            if sum(map(len, excerpts)) <= _LONGEST:
                yield f"{row['corpus_id']}/{number}", row["question"], excerpts


def _paragraphs(text: str) -> list[str]:
    """Cut a corpus into pieces of about one length, between sentences only."""
    found = [""]
    for line in map(_plain, text.splitlines()):
        for sentence in split_sentences(line):
            if len(found[-1]) + len(sentence) > _PARAGRAPH:
                found.append("")
            found[-1] = f"{found[-1]} {sentence}".strip()
    return found


def _shelves(paragraphs: Sequence[str], asked: Sequence[tuple[str, str, tuple[str, ...]]]) -> Iterator[_Shelf]:
    """Put paragraphs together until enough can be asked about them."""
    shelf, rest = _Shelf(), list(asked)
    for before, paragraph in pairwise(("", *paragraphs)):
        shelf.paragraphs.append(paragraph)
        for one in tuple(rest):
            near = (before, paragraph) if before in shelf.paragraphs else (paragraph,)
            places = [next((text for text in near if excerpt in text), "") for excerpt in one[2]]
            if all(places):
                shelf.asked.append((one[0], one[1], one[2], tuple(dict.fromkeys(places))))
                rest.remove(one)
        if len(shelf.asked) >= _OF_A_TOPIC:
            yield shelf
            shelf = _Shelf()
    if shelf.asked:
        yield shelf


def _plain(text: str) -> str:
    """Undo what two ways of cutting a text into words left in it."""
    text = plain(text)
    for sign in "-,.":
        text = text.replace(f" @{sign}@ ", sign)
    return text
