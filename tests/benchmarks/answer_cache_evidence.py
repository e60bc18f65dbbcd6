"""Does the answer cache tell questions apart where there are documents? Through ANSWER itself, with a scripted model.

Run: python -m tests.benchmarks.answer_cache_evidence [--xquad FILE.jsonl] [--mtrag DIR ...] [--most N]

xquad: every question is another one, many about the same paragraph, so every hit is wrong; then all are asked again
word for word. mtrag: each question that can be understood alone is asked of the gold passages of all, and then in the
words of its published rewrite (a paraphrase): a hit on the same question is right. The model is scripted to say
nothing that holds, so that the sources are quoted: what is measured is what is given again. Beside it stands what a
fixed cosine gives.
"""

from __future__ import annotations

import argparse
import json
import lzma
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bot.answer import Answering, AnswerOptions
from bot.answer_cache import AnswerCache
from bot.conversation import save_answer, save_user_turn
from bot.database import open_database
from bot.same_question import asks_the_same, stands_alone
from bot.sentences import words
from bot.turn import Answer, Done, Incoming
from knowledge.audience import Audience
from knowledge.document import HistoryTurn, Question
from knowledge.embed import Embedder, Role, Vectors, load_embedder
from knowledge.library import Library
from tests.fakes import ScriptedGenerator
from tests.knowledge.shelf import Shelf

_COSINES = (0.8, 0.85, 0.9, 0.95)
_A_TURN = (HistoryTurn(role="user", text="Hello."),)


@dataclass(kw_only=True)
class RememberingEmbedder:
    """Embeds no text twice: the same sentences come again with every question."""

    inner: Embedder
    _known: dict[tuple[str, Role], Vectors] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The inner one's."""
        return self.inner.name

    @property
    def dim(self) -> int:
        """The inner one's."""
        return self.inner.dim

    @property
    def max_tokens(self) -> int:
        """The inner one's."""
        return self.inner.max_tokens

    @property
    def prefixes(self) -> Mapping[Role, str]:
        """The inner one's."""
        return self.inner.prefixes

    @property
    def tokenizer(self) -> Tokenizer:
        """The inner one's."""
        return self.inner.tokenizer

    def count_tokens(self, text: str) -> int:
        """As the inner one does."""
        return self.inner.count_tokens(text)

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """As the inner one does."""
        new = list(dict.fromkeys(text for text in texts if (text, role) not in self._known))
        if new:
            for text, vector in zip(new, self.inner.embed(new, role), strict=True):
                self._known[text, role] = vector
        return np.stack([self._known[text, role] for text in texts]) if texts else self.inner.embed([], role)


@dataclass(kw_only=True)
class Desk:
    """Where questions are asked and answers kept."""

    answering: Answering
    shelf: Shelf
    asked: dict[int, str] = field(default_factory=dict)
    """The question of each answer that was written, by its id."""

    def ask(self, text: str) -> Answer:
        """Ask, and keep the answer as the bot does."""
        number = len(self.asked) + 1
        incoming = Incoming(
            team="T1",
            channel="C1",
            channel_kind="public",
            user="U1",
            ts=f"{number}.0",
            thread_ts=None,
            text=text,
            mentioned=True,
        )
        cache = self.answering.earlier
        assert isinstance(cache, AnswerCache)
        save_user_turn(cache.engine, incoming)
        events = self.answering.answer(Question(text=text), Audience.everyone())
        answer = next(event.answer for event in events if isinstance(event, Done))
        self.asked[save_answer(cache.engine, incoming, answer)] = text
        return answer


@contextmanager
def open_desk(embedder: Embedder, documents: Iterable[tuple[str, str, str]]) -> Iterator[Desk]:
    """A desk with these documents: uri, title, text."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'desk.db'}")
        shelf = Shelf(engine, embedder)
        for uri, title, text in documents:
            shelf.put(uri, text, header=title)
        library = Library.open(engine, embedder, None)
        answering = Answering(
            library=library,
            generator=ScriptedGenerator("Zebras."),
            options=AnswerOptions(),
            earlier=AnswerCache(engine=engine),
        )
        yield Desk(answering=answering, shelf=shelf)
        library.close()
        engine.dispose()


def measure_xquad(file: Path, embedder: Embedder, most: int) -> None:
    """All questions once, then all of them again."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line][:most]
    contexts = list(dict.fromkeys((row["context"], row["title"].replace("_", " ")) for row in rows))
    documents = [(f"xquad:{number}", title, text) for number, (text, title) in enumerate(contexts)]
    questions = list(dict.fromkeys(row["question"] for row in rows))
    with open_desk(embedder, documents) as desk:
        first = [desk.ask(question) for question in questions]
        again = [desk.ask(question) for question in questions]
        wrong = [(q, desk.asked[a.reused_from]) for q, a in zip(questions, first, strict=True) if a.reused_from]
        answered = [not answer.abstained for answer in first]
        repeated = [
            a.reused_from is not None and desk.asked[a.reused_from] == q for q, a in zip(questions, again, strict=True)
        ]
    print(f"{file.name}: {len(questions)} different questions about {len(contexts)} paragraphs")
    print(f"  given again wrongly: {len(wrong)}; asked again word for word: {sum(repeated)} of {sum(answered)} hit")
    for pair in wrong[:10]:
        print(f"    {pair}")
    for line in _fixed(embedder, questions, [], {}):
        print(line)


def measure_mtrag(folder: Path, embedder: Embedder, most: int) -> None:
    """Each question, and then each in other words."""
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [row for row in map(json.loads, lines) if _is_alone(row["text"])][:most]
    kept = {row["_id"] for row in queries}
    gold = [line.split("\t") for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    wanted = {document for query, document, _ in gold if query in kept}
    with lzma.open(folder / "corpus.jsonl.xz", "rt", encoding="utf-8") as corpus:
        rows = [row for row in map(json.loads, corpus) if row["_id"] in wanted]
    documents = [(row["_id"], row.get("title") or "", row["text"]) for row in rows]
    questions = list(dict.fromkeys(row["text"] for row in queries))
    pairs = {row["rewrite"]: row["text"] for row in queries if words(row["rewrite"]) != words(row["text"])}
    with open_desk(embedder, documents) as desk:
        first = [desk.ask(question) for question in questions]
        wrong = sum(answer.reused_from is not None for answer in first)
        again = {text: desk.ask(text) for text in pairs}
        hits = {text: desk.asked[answer.reused_from] for text, answer in again.items() if answer.reused_from}
        right = sum(
            desk_text in (pairs[text], text) or pairs.get(desk_text) == pairs[text] for text, desk_text in hits.items()
        )
    answered = sum(not answer.abstained for answer in first)
    print(f"{folder.name}: {len(questions)} questions ({answered} answered) on {len(documents)} passages")
    print(f"  given again wrongly among different questions: {wrong}")
    print(f"  {len(pairs)} paraphrases: {len(hits)} hit, {right} of them right")
    for line in _fixed(embedder, questions, list(pairs), pairs):
        print(line)


def _fixed(embedder: Embedder, questions: Sequence[str], others: Sequence[str], meant: dict[str, str]) -> Iterator[str]:
    """What fixed thresholds would have given: nearest earlier question, then the paraphrases among all questions."""
    held = embedder.embed(questions, role="question")
    cosines = held @ held.T
    earlier = np.tril(cosines, -1) - np.triu(np.ones_like(cosines))
    nearest = earlier.argmax(axis=1)
    asked = embedder.embed(others, role="question") @ held.T if others else np.empty((0, len(questions)))
    for least in _COSINES:
        for name, agrees in (("cosine", None), ("cosine and words", asks_the_same)):
            wrong = sum(
                earlier[row, nearest[row]] >= least
                and (agrees is None or agrees(questions[row], questions[nearest[row]]))
                for row in range(1, len(questions))
            )
            hits = [
                (text, questions[int(row.argmax())])
                for text, row in zip(others, asked, strict=True)
                if row.max() >= least and (agrees is None or agrees(text, questions[int(row.argmax())]))
            ]
            right = sum(meant[text] == found for text, found in hits)
            tail = f"; of the paraphrases {len(hits)} hit, {right} right" if others else ""
            yield f"  {name} {least}: {wrong} given again wrongly among different questions{tail}"


def _is_alone(text: str) -> bool:
    return stands_alone(Question(text=text, history=_A_TURN))


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--xquad", type=Path)
    parser.add_argument("--mtrag", type=Path, nargs="*", default=[])
    parser.add_argument("--most", type=int, default=10_000, help="questions of each")
    options = parser.parse_args()
    embedder = RememberingEmbedder(inner=load_embedder("embedded"))
    if options.xquad is not None:
        measure_xquad(options.xquad, embedder, options.most)
    for folder in options.mtrag:
        measure_mtrag(folder, embedder, options.most)


if __name__ == "__main__":
    main()
