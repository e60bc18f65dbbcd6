"""What simulated people ask about: the articles of XQuAD, as documents that the bot reads and questions with answers.

Of each article one paragraph is missing from the documents: its questions have no answer there, though all around them
is spoken of. Some articles are held back: nobody asks about them, so that what was learned can be measured on them.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.evaluate.scores import contains_answer
from bot.sentences import split_sentences

_HELD_PERCENT = 34
_PASSAGES = 3
_UNANSWERABLE = 0.25


@dataclass(frozen=True, kw_only=True)
class KnownQuestion:
    """A question whose answer the people know."""

    id: str
    topic: str
    text: str
    gold: tuple[str, ...]
    """What the answer is, each way of saying it; empty where the documents do not say it."""
    sentence: str = ""
    """The sentence of the documents that says it."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One article: what is documented of it, and what can be asked about it."""

    name: str
    paragraphs: tuple[str, ...]
    questions: tuple[KnownQuestion, ...]

    @property
    def title(self) -> str:
        """As people read it."""
        return self.name.replace("_", " ")

    @property
    def channel(self) -> str:
        """The name of the channel where people ask about it."""
        return re.sub(r"[^\w-]+", "-", self.name.lower()).strip("-")


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What people ask about, and what is held back to measure on."""

    asked: tuple[Topic, ...]
    held: tuple[Topic, ...]


def load_collection(xquad: Path, *, seed: int) -> Collection:
    """Split the articles: the same file and seed give the same topics."""
    articles: dict[str, list[dict[str, Any]]] = {}
    for line in xquad.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        articles.setdefault(row["title"], []).append(row)
    topics = [_topic(name, articles[name], random.Random(f"{seed}:{name}")) for name in sorted(articles)]
    return Collection(
        asked=tuple(topic for topic in topics if not is_held(topic.name)),
        held=tuple(topic for topic in topics if is_held(topic.name)),
    )


def is_held(article: str) -> bool:
    """Whether an article is held back, by a hash of its name."""
    return int(hashlib.sha256(f"xquad/{article}".encode()).hexdigest(), 16) % 100 < _HELD_PERCENT


def write_documents(topics: Sequence[Topic], folder: Path) -> None:
    """Write one Markdown file for each topic."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in topics:
        text = "\n\n".join((f"# {topic.title}", *topic.paragraphs))
        (folder / f"{topic.channel}.md").write_text(text + "\n", encoding="utf-8")


def write_held_rows(topics: Sequence[Topic], path: Path, *, seed: int) -> int:
    """Write rows for `lorekeeper eval answers` from topics that nobody asked about; returns how many."""
    rows = [row for topic in topics for row in _rows(topic, random.Random(f"{seed}:{topic.name}:rows"))]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return len(rows)


def _topic(name: str, rows: Sequence[dict[str, Any]], chance: random.Random) -> Topic:
    paragraphs = list(dict.fromkeys(row["context"] for row in rows))
    missing = chance.choice(paragraphs)
    documented = tuple(text for text in paragraphs if text != missing)
    return Topic(name=name, paragraphs=documented, questions=tuple(_questions(rows, missing, documented)))


def _questions(rows: Sequence[dict[str, Any]], missing: str, documented: Sequence[str]) -> Iterator[KnownQuestion]:
    for row in rows:
        text, gold = " ".join(row["question"].split()), tuple(row["answers"])
        if row["context"] != missing:
            sentence = _sentence_with(row["context"], gold)
            yield KnownQuestion(id=row["id"], topic=row["title"], text=text, gold=gold, sentence=sentence)
        elif not any(contains_answer(paragraph, gold) for paragraph in documented):
            # Where the words stand elsewhere in the article nobody can say whether it answers.
            yield KnownQuestion(id=row["id"], topic=row["title"], text=text, gold=())


def _sentence_with(paragraph: str, gold: Sequence[str]) -> str:
    return next((one for one in split_sentences(paragraph) if contains_answer(one, gold)), "")


def _rows(topic: Topic, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Each question with three paragraphs of its article; a quarter of them lacks the one with the answer."""
    for question in topic.questions:
        right = [text for text in topic.paragraphs if question.sentence and question.sentence in text]
        if question.gold and not right:
            continue
        answerable = bool(question.gold) and chance.random() >= _UNANSWERABLE
        others = [text for text in topic.paragraphs if not question.gold or not contains_answer(text, question.gold)]
        passages = chance.sample(others, min(len(others), _PASSAGES - answerable)) + right[:1] * answerable
        chance.shuffle(passages)
        yield {
            "id": question.id,
            "group": topic.name,
            "history": [],
            "question": question.text,
            "answerable": answerable,
            "passages": [{"title": topic.title, "text": text} for text in passages],
            "answers": list(question.gold) if answerable else [],
            "gold": [passages.index(right[0])] if answerable else [],
        }
