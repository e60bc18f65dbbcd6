"""How often is a passage only a copy of better ones, and does dropping it cost ranking?

    python -m tests.benchmarks.copies --judged ../shared/data/mtrag/clapnq --docs ../shared/data/docs_corpora

Words only, so that nothing is embedded: passages are found by SQLite's BM25, the first forty are looked at. In a folder
of judged queries recall is compared with that of dropping equal texts alone; in document trees, which have no
questions, the headings are asked.
"""

from __future__ import annotations

import argparse
import random
import re
import sqlite3
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.evaluate.retrieval import load_corpus, load_queries
from bot.learn.intervals import compare
from knowledge.audience import EVERYONE
from knowledge.document import Passage
from knowledge.duplicates import Copies
from knowledge.measure import mean, recall_at
from knowledge.words import question_words

_DEPTH = 40
_FILES = 250
_HEADINGS = 200
_HEADING = re.compile(r"^#{2,4} +(.{12,80})$", re.MULTILINE)
_SEED = 7


def passage(number: int, document: int, title: str, text: str) -> Passage:
    """A passage as retrieval would return it."""
    return Passage(
        id=number,
        document_id=document,
        source="benchmark",
        uri=str(number),
        title=title,
        header=title,
        text=text,
        text_hash=str(number),
        audience=EVERYONE,
        score=0.0,
        cosine=0.0,
        word_score=0.0,
    )


class Words:
    """Passages in a word index."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._rows = sqlite3.connect(":memory:")
        self._rows.execute("CREATE VIRTUAL TABLE texts USING fts5(title, text, tokenize='porter unicode61')")
        rows = ((number, one.title, one.text) for number, one in enumerate(passages))
        self._rows.executemany("INSERT INTO texts(rowid, title, text) VALUES (?, ?, ?)", rows)

    def find(self, question: str) -> list[Passage]:
        """The best by BM25."""
        match = " OR ".join(f'"{word}"' for word in question_words(question)[:32])
        found = self._rows.execute("SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?", (match, _DEPTH))
        return [self._passages[row[0]] for row in found] if match else []


def without_copies(passages: Sequence[Passage]) -> list[Passage]:
    """What retrieval keeps."""
    copies = Copies()
    return [one for one in passages if copies.add(one)]


def without_equals(passages: Sequence[Passage]) -> list[Passage]:
    """What is left when texts with the same words are dropped, and nothing else."""
    return list({" ".join(re.findall(r"[^\W_]+", one.text.lower())): one for one in reversed(passages)}.values())[::-1]


def judged(folder: Path) -> None:
    """Print how often copies were dropped in a folder of judged queries, and recall with and without."""
    corpus = load_corpus(folder)
    ids = [given.uri for given in corpus]
    words = Words([passage(number, number, given.title, given.text) for number, given in enumerate(corpus)])
    recalls: dict[str, list[float]] = {"equal texts": [], "copies": []}
    dropped = queries = 0
    for query in load_queries(folder):
        found = words.find(query.question.text)
        equals, copies = without_equals(found), without_copies(found)
        queries += 1
        dropped += len(equals) - len(copies)
        for name, kept in (("equal texts", equals), ("copies", copies)):
            recalls[name].append(recall_at([ids[one.id] for one in kept], query.gains, 10))
    print(f"{folder.name}: {queries} queries, {dropped} of {queries * _DEPTH} passages dropped besides equal texts")
    print(f"  recall@10 {mean(recalls['copies']):.4f}, {compare(recalls['copies'], recalls['equal texts'])}")


def documents(archive: Path) -> None:
    """Print how often copies were dropped in a tree of documents, and some of them."""
    texts = list(_texts(archive))
    paragraphs = [
        passage(0, number, name, paragraph)
        for number, (name, text) in enumerate(texts)
        for paragraph in _paragraphs(text)
    ]
    words = Words(paragraphs)
    headings = sorted({heading for _, text in texts for heading in _HEADING.findall(text)})
    asked = random.Random(_SEED).sample(headings, min(_HEADINGS, len(headings)))
    looked = equal = copied = 0
    for heading in asked:
        found = words.find(heading)
        looked += len(found)
        equal += len(found) - len(without_equals(found))
        copied += len(without_equals(found)) - len(without_copies(without_equals(found)))
    print(f"{archive.name}: {len(asked)} headings, {looked} passages, {equal} equal, {copied} more are copies")


def _texts(archive: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(archive) as files:
        members = [one for one in files if one.isfile() and one.name.endswith((".md", ".rst"))]
        for member in random.Random(_SEED).sample(members, min(_FILES, len(members))):
            content = files.extractfile(member)
            if content is not None:
                yield member.name, content.read().decode("utf-8", "replace")


def _paragraphs(text: str, characters: int = 900) -> Iterator[str]:
    """Paragraphs packed to about the length of a chunk."""
    packed = ""
    for block in re.split(r"\n\s*\n", text):
        if packed and len(packed) + len(block) > characters:
            yield packed
            packed = ""
        packed = f"{packed}\n\n{block}".strip()
    if packed:
        yield packed


def main(arguments: Sequence[str]) -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judged", type=Path, nargs="*", default=[])
    parser.add_argument("--docs", type=Path, nargs="*", default=[], help="folders with archives of document trees")
    chosen = parser.parse_args(arguments)
    for folder in chosen.judged:
        judged(folder)
    for folder in chosen.docs:
        for archive in sorted(folder.glob("*.tar.xz")):
            documents(archive)


if __name__ == "__main__":
    main(sys.argv[1:])
