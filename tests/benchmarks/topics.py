"""What simulated people ask about: articles of XQuAD, passages of CLAPNQ and longer texts with excerpts, as documents.

Only what the model in service never saw: a version that is to learn from people must have something to learn. Of each
article one paragraph is missing from the documents: its questions have no answer there, though all around them is
spoken of; some passages of CLAPNQ do not answer theirs either. Answers of XQuAD are a few words; of the other two they
are sentences, and who asks wants to be told all of them. Some topics are held back: nobody asks about them, so that
what was learned can be measured on them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bot.evaluate.scores import contains_answer
from bot.sentences import content_words, split_sentences
from tests.benchmarks.excerpts import excerpt_topics
from tests.benchmarks.known import KnownQuestion, Topic
from tests.benchmarks.starter_data import part_of, plain, read_lines

About = Literal["unseen", "articles", "all"]
"""What the starter version never saw; or, for a model that is not the starter version, all articles, or everything."""
_HELD_PERCENT = 34
_PASSAGES = 3
_UNANSWERABLE = 0.25
_SHELF = 14
# So much of a sentence stands in an answer that was written from it.
_SAID = 0.8


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What people ask about, and what is held back to measure on."""

    asked: tuple[Topic, ...]
    held: tuple[Topic, ...]


def load_collection(data: Path, *, seed: int, about: About = "unseen") -> Collection:
    """Split the topics of the data folder: the same files and seed give the same."""
    articles = list(_articles(data / "xquad/en.jsonl", seed))
    if about == "articles":
        return _split(articles)
    rows = list(read_lines(data / "clapnq/answers.jsonl.xz"))
    if about == "unseen":
        articles = [topic for topic in articles if part_of("xquad", topic.name) == "test"]
        rows = [row for row in rows if part_of("clapnq", row["id"]) == "test"]
    return _split([*articles, *_shelves(rows), *excerpt_topics(data / "chunking_eval")])


def _split(topics: Sequence[Topic]) -> Collection:
    return Collection(
        asked=tuple(topic for topic in topics if not is_held(topic.name)),
        held=tuple(topic for topic in topics if is_held(topic.name)),
    )


def is_held(topic: str) -> bool:
    """Whether a topic is held back, by a hash of its name."""
    return int(hashlib.sha256(f"loop/{topic}".encode()).hexdigest(), 16) % 100 < _HELD_PERCENT


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


def _articles(xquad: Path, seed: int) -> Iterator[Topic]:
    """Each article is a topic."""
    articles: dict[str, list[dict[str, Any]]] = {}
    for line in xquad.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        articles.setdefault(row["title"], []).append(row)
    for name in sorted(articles):
        yield _topic(name, articles[name], random.Random(f"{seed}:{name}"))


def _shelves(given: Sequence[dict[str, Any]]) -> Iterator[Topic]:
    """Questions of CLAPNQ, some passages to a topic; half of them are not answered by their passage."""
    rows = sorted(given, key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())
    for number, start in enumerate(range(0, len(rows), _SHELF), 1):
        name = f"Shelf_{number}"
        some = rows[start : start + _SHELF]
        questions = tuple(found for row in some if (found := _asked_of_passage(name, row)) is not None)
        yield Topic(name=name, paragraphs=tuple(_passage(row) for row in some), questions=questions)


def _passage(row: dict[str, Any]) -> str:
    given = row["passages"][0]
    return f"## {given['title']}\n\n{plain(given['text'])}"


def _asked_of_passage(topic: str, row: dict[str, Any]) -> KnownQuestion | None:
    """The question with the sentences that its answer was written from; None where none can be told."""
    text = f"{row['question'][:1].upper()}{row['question'][1:]}?"
    if row["answerable"] != "ANSWERABLE":
        return KnownQuestion(id=row["id"], topic=topic, text=text, gold=())
    said = set(content_words(plain(row["answers"][0])))
    sentences = split_sentences(plain(row["passages"][0]["text"]))
    gold = tuple(one for one in sentences if _is_said(set(content_words(one)), said))
    if not gold:
        return None
    return KnownQuestion.told_whole(
        id=row["id"], topic=topic, text=text, answer=" ".join(gold), evidence=(_passage(row),)
    )


def _is_said(sentence: set[str], answer: set[str]) -> bool:
    return bool(sentence) and len(sentence & answer) >= _SAID * len(sentence)


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
            yield KnownQuestion(
                id=row["id"],
                topic=row["title"],
                text=text,
                gold=gold,
                sentence=sentence,
                evidence=(row["context"],),
            )
        elif not any(contains_answer(paragraph, gold) for paragraph in documented):
            # Where the words stand elsewhere in the article nobody can say whether it answers.
            yield KnownQuestion(id=row["id"], topic=row["title"], text=text, gold=())


def _sentence_with(paragraph: str, gold: Sequence[str]) -> str:
    return next((one for one in split_sentences(paragraph) if contains_answer(one, gold)), "")


def _rows(topic: Topic, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Each question with three paragraphs of its article; a quarter of them lacks the one with the answer."""
    for question in topic.questions:
        right = list(question.evidence)
        if question.gold and not question.sentence:
            continue
        answerable = bool(question.gold) and chance.random() >= _UNANSWERABLE
        others = [text for text in topic.paragraphs if text not in right and not _holds(text, question)]
        passages = right * answerable
        passages += chance.sample(others, min(len(others), max(0, _PASSAGES - len(passages))))
        chance.shuffle(passages)
        yield {
            "id": question.id,
            "group": topic.name,
            "history": [],
            "question": question.text,
            "answerable": answerable,
            "passages": [{"title": topic.title, "text": text} for text in passages],
            "answers": list(question.gold) if answerable else [],
            "gold": [passages.index(text) for text in right] if answerable else [],
        }


def _holds(text: str, question: KnownQuestion) -> bool:
    """Whether a paragraph that was not marked says the answer, too."""
    return bool(question.gold) and contains_answer(text, question.gold)
