"""Questions whose answer is a passage of a text, as topics: what people want there is all of it, not a few words.

The data is that of brandonstarxel/chunking_evaluation, see `chunking_data`; the starter version has never seen it. Its
chat logs are left out: they are one line of JSON.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bot.sentences import split_sentences
from tests.benchmarks.chunking_data import load_corpora, load_questions
from tests.benchmarks.known import KnownQuestion, Topic
from tests.benchmarks.starter_data import plain

CORPORA = {"finance": "Filings", "pubmed": "Papers", "state_of_the_union": "Speech", "wikitexts": "Articles"}
_PARAGRAPH = 1_200
_LONGEST = 600
_OF_A_TOPIC = 14


@dataclass(frozen=True, kw_only=True)
class _Question:
    """A question with the excerpts that answer it."""

    id: str
    text: str
    excerpts: tuple[str, ...]

    @property
    def answer(self) -> str:
        """The excerpts as sentences."""
        return " ".join(one if one.endswith((".", "!", "?")) else f"{one}." for one in self.excerpts)


@dataclass(kw_only=True)
class _Shelf:
    """Paragraphs in a row, and the questions that they answer, each with the paragraphs where the excerpts stand."""

    paragraphs: list[str] = field(default_factory=list)
    asked: list[tuple[_Question, tuple[str, ...]]] = field(default_factory=list)


def excerpt_topics(folder: Path) -> Iterator[Topic]:
    """Yield the corpora's topics, some fourteen questions to each, in the order of the texts."""
    corpora = load_corpora(folder)
    asked = _questions(folder, corpora)
    for corpus, text in corpora.items():
        for number, shelf in enumerate(_shelves(_paragraphs(text), asked[corpus]) if corpus in CORPORA else (), 1):
            name = f"{CORPORA[corpus]}_{number}"
            questions = (
                KnownQuestion.told_whole(id=one.id, topic=name, text=one.text, answer=one.answer, evidence=places)
                for one, places in shelf.asked
            )
            yield Topic(name=name, paragraphs=tuple(shelf.paragraphs), questions=tuple(questions))


def _questions(folder: Path, corpora: dict[str, str]) -> dict[str, list[_Question]]:
    """The questions of each corpus whose answers are not too long to be read in a message."""
    found: defaultdict[str, list[_Question]] = defaultdict(list)
    for number, one in enumerate(load_questions(folder, corpora)):
        spans = [places[0] for places in one.references if places]
        excerpts = tuple(_plain(corpora[one.corpus][span.start : span.end]).strip(" .") for span in spans)
        if len(spans) == len(one.references) and sum(map(len, excerpts)) <= _LONGEST:
            found[one.corpus].append(_Question(id=f"{one.corpus}/{number}", text=one.text, excerpts=excerpts))
    return found


def _paragraphs(text: str) -> list[str]:
    """Cut a corpus into pieces of about one length, between sentences only."""
    found = [""]
    for line in map(_plain, text.splitlines()):
        for sentence in split_sentences(line):
            if len(found[-1]) + len(sentence) > _PARAGRAPH:
                found.append("")
            found[-1] = f"{found[-1]} {sentence}".strip()
    return found


def _shelves(paragraphs: Sequence[str], asked: Sequence[_Question]) -> Iterator[_Shelf]:
    """Put paragraphs together until enough can be asked about them."""
    shelf, rest = _Shelf(), list(asked)
    for before, paragraph in pairwise(("", *paragraphs)):
        shelf.paragraphs.append(paragraph)
        near = (before, paragraph) if before in shelf.paragraphs else (paragraph,)
        for one in tuple(rest):
            places = [next((text for text in near if excerpt in text), "") for excerpt in one.excerpts]
            if all(places):
                shelf.asked.append((one, tuple(dict.fromkeys(places))))
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
