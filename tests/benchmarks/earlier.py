"""How well the memory of earlier conversations finds what a question is about, on long two-person chats (LoCoMo).

    python -m tests.benchmarks.earlier ../shared/data/locomo
    python -m tests.benchmarks.earlier ../shared/data/locomo --database chats.db --windows

Each chat becomes a channel of one database, each of its sessions a thread there, and each message a turn: indexing,
who may read, word search, vectors and scores are the bot's own. Session Hit@1: the best conversation is one with
evidence. Turn Recall@5: share of the evidence turns among the first five. FTS5 alone: BM25 over the bare messages, and
over whole sessions, each chat with an index of its own. The weights were tuned on the first two chats.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.earlier.reader import Reader, readable_turns
from bot.earlier.recollect import recollect
from bot.earlier.score import Weights, score_turns
from bot.earlier.search import Earlier, EarlierOptions, load_vectors, search_turn_words
from bot.learn.intervals import bootstrap
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.embed import EMBEDDED, Embedder, Vectors, load_embedder
from knowledge.hits import Scores
from knowledge.measure import mean, percentile
from knowledge.query import HistoryWeights, query_pieces, query_vector
from knowledge.words import question_words

_TUNED = 2
_UNANSWERABLE = 5
_RESAMPLES = 10_000
_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
_TEAM = "T1"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a chat."""

    session: int
    name: str
    speaker: str
    text: str
    at: datetime

    @property
    def said(self) -> str:
        """It with who said it."""
        return f"{self.speaker}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question about a chat, with the rows of the messages that answer it."""

    chat: int
    text: str
    evidence: frozenset[int]
    category: int


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One chat: its messages in order."""

    speakers: tuple[str, str]
    messages: tuple[Message, ...]

    @property
    def sessions(self) -> npt.NDArray[np.int64]:
        """The session of each message, from 0."""
        numbers = sorted({one.session for one in self.messages})
        return np.asarray([numbers.index(one.session) for one in self.messages], np.int64)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All that one question's scores are made of, by message."""

    cosines: Scores
    words: Scores


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one way of searching found, by question."""

    hits: npt.NDArray[np.float64]
    recalls: npt.NDArray[np.float64]


def load_chats(folder: Path) -> tuple[list[Chat], list[Asked]]:
    """Read the chats; questions whose evidence names no message are left out, as the published figures do."""
    content = json.loads(lzma.decompress((folder / "conversations.json.xz").read_bytes()))
    chats, asked = [], []
    for number, chat in enumerate(content):
        messages = tuple(_messages(chat))
        rows = {one.name: row for row, one in enumerate(messages)}
        for question in chat["qa"]:
            named = [f"D{one[0]}:{int(one[1])}" for text in question["evidence"] for one in _EVIDENCE.findall(text)]
            evidence = frozenset(rows[name] for name in named if name in rows)
            if evidence:
                text, category = str(question["question"]), int(question["category"])
                asked.append(Asked(chat=number, text=text, evidence=evidence, category=category))
        chats.append(Chat(speakers=(chat["speaker_a"], chat["speaker_b"]), messages=messages))
    return chats, asked


def _messages(chat: Mapping[str, Any]) -> Iterator[Message]:
    numbers = sorted(int(found[1]) for key in chat if (found := re.fullmatch(r"session_(\d+)", key)))
    for number in numbers:
        moment = datetime.strptime(chat[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
        for one in chat[f"session_{number}"]:
            photo = f" [photo: {one['blip_caption']}]" if one.get("blip_caption") else ""
            yield Message(
                session=number, name=one["dia_id"], speaker=one["speaker"], text=one["text"] + photo, at=moment
            )


# The bot's own memory


def fill(engine: sa.Engine, chats: Sequence[Chat]) -> None:
    """Write the chats as answered questions in threads of channels."""
    with writing(engine) as connection:
        if connection.scalar(sa.select(sa.func.count()).select_from(tables.turn)):
            return
        for number, chat in enumerate(chats):
            for row, one in enumerate(chat.messages):
                thread = f"{one.session:03d}"
                place = {"team": _TEAM, "channel": f"C{number}", "conversation": f"{_TEAM}:C{number}:{thread}"}
                place |= {"thread_ts": thread, "user": f"U-{one.speaker}"}
                ts = f"{row:06d}.0"
                turn = {"ts": ts, "role": "user", "text": one.said, "created_at": one.at}
                connection.execute(sa.insert(tables.turn).values(**place, **turn))
                answer = {"question_ts": ts, "nonce": f"{number}:{row}", "outcome": "answered", "created_at": one.at}
                answer |= {"state": "final_sent", "state_at": one.at}
                made = connection.execute(
                    sa.insert(tables.answer).values(**place, **answer).returning(tables.answer.c.id)
                )
                citation = {"uri": "", "title": "", "header": "", "source": "thread", "text_hash": "", "quote": ""}
                keys = {"answer_id": made.scalar_one(), "kind": "cited", "n": 1, "chunk_id": -1}
                connection.execute(sa.insert(tables.citation).values(**keys, **citation))


def reader(chat: int) -> Reader:
    """Somebody who asks in a new thread of the chat's channel."""
    return Reader(
        team=_TEAM,
        user="U-asker",
        channel=f"C{chat}",
        is_direct=False,
        conversation="",
        audience=Audience.of_channel(f"C{chat}"),
    )


def compare(engine: sa.Engine, embedder: Embedder, chats: Sequence[Chat], asked: Sequence[Asked]) -> list[Compared]:
    """What the bot compares for each question, to score it in several ways."""
    vectors = [_vector(embedder, one.text) for one in asked]
    found = []
    with reading(engine) as connection:
        of_chats = [_ids(connection, number) for number in range(len(chats))]
        held = [load_vectors(connection, embedder.name, ids)[1] for ids in of_chats]
        for one, vector in zip(asked, vectors, strict=True):
            ids = of_chats[one.chat]
            worded = search_turn_words(connection, one.text, ids)
            words = np.zeros(len(ids), np.float32)
            words[np.searchsorted(ids, worded.ids)] = worded.scores
            found.append(Compared(cosines=held[one.chat] @ vector, words=words))
    return found


_VECTORS: dict[str, Vectors] = {}


def _vector(embedder: Embedder, text: str) -> Vectors:
    """The vector of a question, made once; as the bot makes it."""
    if text not in _VECTORS:
        _VECTORS[text] = query_vector(embedder, query_pieces(Question(text=text), HistoryWeights()))
    return _VECTORS[text]


def _ids(connection: sa.Connection, chat: int) -> npt.NDArray[np.int64]:
    return np.asarray([row.id for row in readable_turns(connection, reader(chat))], np.int64)


# Ways of scoring

Way = Callable[[int], tuple[Scores, Scores]]
"""Scores of messages and of sessions for the question with this number."""


def judge(way: Way, chats: Sequence[Chat], asked: Sequence[Asked]) -> Outcome:
    """Ask every question one way."""
    sessions = [chat.sessions for chat in chats]
    hits, recalls = [], []
    for number, one in enumerate(asked):
        turns, conversations = way(number)
        first = set(np.argsort(-turns, kind="stable")[:5].tolist())
        best = int(np.argsort(-conversations, kind="stable")[0])
        hits.append(float(best in {int(sessions[one.chat][row]) for row in one.evidence}))
        recalls.append(len(first & one.evidence) / len(one.evidence))
    return Outcome(hits=np.asarray(hits), recalls=np.asarray(recalls))


def weighed(compared: Sequence[Compared], chats: Sequence[Chat], asked: Sequence[Asked], weights: Weights) -> Way:
    """The bot's own scoring, with these weights."""
    sessions = [chat.sessions for chat in chats]

    def way(number: int) -> tuple[Scores, Scores]:
        one = compared[number]
        scores = score_turns(one.cosines, one.words, sessions[asked[number].chat], weights)
        return scores.turns, scores.conversations

    return way


def by_rank(compared: Sequence[Compared], chats: Sequence[Chat], asked: Sequence[Asked]) -> Way:
    """Reciprocal rank fusion of the same two lists."""
    sessions = [chat.sessions for chat in chats]

    def way(number: int) -> tuple[Scores, Scores]:
        one = compared[number]
        both = sum((1 / (60 + _ranks(scores)) for scores in (one.cosines, one.words)), np.zeros(len(one.words)))
        turns, of = np.asarray(both, np.float32), sessions[asked[number].chat]
        return turns, np.asarray([turns[of == session].max() for session in range(of.max() + 1)], np.float32)

    return way


def _ranks(scores: Scores) -> npt.NDArray[np.float64]:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def speaker_first(way: Way, chats: Sequence[Chat], asked: Sequence[Asked], lift: float) -> Way:
    """Lift the messages of the one speaker that a question names."""

    def lifted(number: int) -> tuple[Scores, Scores]:
        turns, conversations = way(number)
        chat, said = chats[asked[number].chat], asked[number].text.lower()
        named = [name for name in chat.speakers if name.lower() in said]
        if len(named) == 1:
            turns = turns + lift * np.asarray([one.speaker == named[0] for one in chat.messages], np.float32)
        return turns, conversations

    return lifted


def words_alone(chats: Sequence[Chat], asked: Sequence[Asked], texts: Callable[[Chat, int], str]) -> list[Scores]:
    """BM25 of FTS5 over one text for each message, an index for each chat."""
    indexes = [_index([texts(chat, row) for row in range(len(chat.messages))]) for chat in chats]
    return [_search(indexes[one.chat], one.text, len(chats[one.chat].messages)) for one in asked]


def sessions_alone(chats: Sequence[Chat], asked: Sequence[Asked]) -> list[Scores]:
    """BM25 of FTS5 over whole sessions."""
    joined = []
    for chat in chats:
        of = chat.sessions
        said = [
            [one.said for one, number in zip(chat.messages, of, strict=True) if number == session]
            for session in range(of.max() + 1)
        ]
        joined.append(["\n".join(one) for one in said])
    indexes = [_index(texts) for texts in joined]
    return [_search(indexes[one.chat], one.text, len(joined[one.chat])) for one in asked]


def _index(texts: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize='porter unicode61')")
    connection.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", enumerate(texts))
    return connection


def _search(connection: sqlite3.Connection, text: str, count: int) -> Scores:
    matching = " OR ".join(f'"{word}"' for word in question_words(text))
    scores = np.zeros(count, np.float32)
    for row, rank in connection.execute("SELECT rowid, rank FROM words WHERE words MATCH ?", (matching,)):
        scores[row] = -rank
    return scores


def bare(chat: Chat, row: int) -> str:
    """A message with who said it."""
    return chat.messages[row].said


def with_day(chat: Chat, row: int) -> str:
    """A message with its day."""
    one = chat.messages[row]
    return f"{one.at.day} {one.at:%B %Y}\n{one.said}"


def with_before(chat: Chat, row: int) -> str:
    """A message behind the one before it."""
    one, before = chat.messages[row], chat.messages[row - 1] if row else None
    return f"{before.said}\n{one.said}" if before is not None and before.session == one.session else one.said


# What is printed


def main(arguments: Sequence[str]) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", type=Path, help="keep the indexed chats here, for another run")
    parser.add_argument("--windows", action="store_true", help="also embed each message with the one before it")
    chosen = parser.parse_args(arguments)
    chats, asked = load_chats(chosen.folder)
    embedder = load_embedder(EMBEDDED)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{chosen.database or Path(folder) / 'chats.db'}")
        fill(engine, chats)
        started = time.perf_counter()
        count = recollect(engine, embedder, most=1_000_000)
        seconds = time.perf_counter() - started
        print(f"{len(chats)} chats, {len(asked)} questions; {count} turns indexed in {seconds:.0f} s")
        _report(engine, embedder, chats, asked, windows=chosen.windows)
        _report_threshold(engine, embedder, chats, asked)
        _report_time(engine, embedder, chats, asked)
        engine.dispose()


def _report(
    engine: sa.Engine, embedder: Embedder, chats: Sequence[Chat], asked: Sequence[Asked], *, windows: bool
) -> None:
    compared = compare(engine, embedder, chats, asked)
    own = Weights()
    turns_alone, of_sessions = words_alone(chats, asked, bare), sessions_alone(chats, asked)
    base = judge(lambda number: (turns_alone[number], of_sessions[number]), chats, asked)

    def way(of: Sequence[Compared] = compared, **changes: Any) -> Way:
        return weighed(of, chats, asked, replace(own, **changes))

    def worded(texts: Callable[[Chat, int], str]) -> list[Compared]:
        scores = words_alone(chats, asked, texts)
        return [replace(one, words=words) for one, words in zip(compared, scores, strict=True)]

    def mixed(number: int) -> tuple[Scores, Scores]:
        turns, conversations = way()(number)
        return turns, 0.8 * conversations / conversations.max() + 0.2 * of_sessions[number] / of_sessions[number].max()

    ways: dict[str, Way] = {
        "the bot's memory": way(),
        "  vectors alone": way(words=0.0),
        "  words alone (day, turn before, turn)": way(words=1.0),
        **{f"  share of words {share}": way(words=share) for share in (0.3, 0.4, 0.5, 0.7)},
        "  words of the bare turn": way(worded(bare)),
        "  words of day and turn": way(worded(with_day)),
        "  words of turn before and turn": way(worded(with_before)),
        "  a conversation by its best turn only": way(further_turns=()),
        "  no lift by the conversation": way(conversation=0.0),
        **{f"  lift by the conversation {lift}": way(conversation=lift) for lift in (0.1, 0.5)},
        "  reciprocal rank fusion": by_rank(compared, chats, asked),
        **{f"  named speaker lifted {lift}": speaker_first(way(), chats, asked, lift) for lift in (0.05, 0.1)},
        "  words of whole sessions mixed in, .2": mixed,
    }
    if windows:
        ways["  vector of turn before and turn"] = way(_windowed(embedder, chats, asked, compared))
    _print_header()
    _print_row("FTS5 alone", base, base, asked)
    for name, one in ways.items():
        _print_row(name, judge(one, chats, asked), base, asked)
    by_category = judge(way(), chats, asked)
    for category in sorted({one.category for one in asked}):
        rows = np.asarray([one.category == category for one in asked])
        print(
            f"  category {category}, {rows.sum()} questions: {by_category.hits[rows].mean():.3f} / "
            f"{by_category.recalls[rows].mean():.3f}   FTS5 alone {base.hits[rows].mean():.3f} / "
            f"{base.recalls[rows].mean():.3f}"
        )


def _windowed(
    embedder: Embedder, chats: Sequence[Chat], asked: Sequence[Asked], compared: Sequence[Compared]
) -> list[Compared]:
    vectors = [embedder.embed([with_before(chat, row) for row in range(len(chat.messages))]) for chat in chats]
    return [
        replace(of, cosines=vectors[one.chat] @ _vector(embedder, one.text))
        for of, one in zip(compared, asked, strict=True)
    ]


def _print_header() -> None:
    print(
        f"\n{'session Hit@1 / turn Recall@5':42} {'all':>13} {'others (3-5)':>13} {'tuned (1-2)':>13} "
        f"{'answerable':>13}   against FTS5 alone, others: Hit@1, Recall@5 [95 %]"
    )


def _print_row(name: str, found: Outcome, base: Outcome, asked: Sequence[Asked]) -> None:
    tuned = np.asarray([one.chat < _TUNED for one in asked])
    answerable = np.asarray([one.category != _UNANSWERABLE for one in asked])
    cells = [
        f"{found.hits[rows].mean():.3f} / {found.recalls[rows].mean():.3f}"
        for rows in (np.ones(len(asked), bool), ~tuned, tuned, answerable)
    ]
    more = (
        ""
        if found is base
        else "   ".join(
            _interval(ours[~tuned] - theirs[~tuned])
            for ours, theirs in ((found.hits, base.hits), (found.recalls, base.recalls))
        )
    )
    print(f"{name:42} {' '.join(f'{cell:>13}' for cell in cells)}   {more}")


def _interval(differences: npt.NDArray[np.float64]) -> str:
    """The mean of paired differences with its bootstrap interval, over questions."""
    found = bootstrap(differences, samples=_RESAMPLES, seed=0)
    return f"{differences.mean():+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _report_threshold(engine: sa.Engine, embedder: Embedder, chats: Sequence[Chat], asked: Sequence[Asked]) -> None:
    """How near the first turn is where the chat holds an answer, and where it is another chat that holds none."""
    answerable = [one for one in asked if one.category != _UNANSWERABLE]
    elsewhere = [replace(one, chat=(one.chat + 1) % len(chats)) for one in answerable]
    found = {}
    for name, questions in (("own", answerable), ("other", elsewhere)):
        compared = compare(engine, embedder, chats, questions)
        way = weighed(compared, chats, questions, Weights())
        firsts = [int(np.argmax(way(number)[0])) for number in range(len(questions))]
        found[name] = np.asarray([one.cosines[first] for one, first in zip(compared, firsts, strict=True)])
    print("\ncosine of the first turn, at least: share of questions kept (chat with the answer / another chat)")
    for least in (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
        print(f"  {least:.2f}: {(found['own'] >= least).mean():.3f} / {(found['other'] >= least).mean():.3f}")


def _report_time(engine: sa.Engine, embedder: Embedder, chats: Sequence[Chat], asked: Sequence[Asked]) -> None:
    """The whole of `find`, embedding included, and that it orders turns as the tables say."""
    for name, options in (("exact", EarlierOptions()), ("graph", EarlierOptions(exact_below=1))):
        earlier = Earlier(engine, embedder, options)
        times = []
        for one in asked[::20]:
            started = time.perf_counter()
            earlier.find(Question(text=one.text), reader(one.chat))
            times.append(1_000 * (time.perf_counter() - started))
        earlier.wait_for_graphs()
        same = [_first_five(earlier, engine, one) for one in asked[::20]]
        exact = [_first_five(Earlier(engine, embedder), engine, one) for one in asked[::20]]
        shares = [len(set(mine) & set(theirs)) / 5 for mine, theirs in zip(same, exact, strict=True)]
        print(
            f"find, {name}: p50 {percentile(times, 0.5):.1f} ms, p95 {percentile(times, 0.95):.1f} ms; "
            f"the same first five as exact search: {mean(shares):.3f}"
        )


def _first_five(earlier: Earlier, engine: sa.Engine, one: Asked) -> list[int]:
    with reading(engine) as connection:
        turns = {row.id: row for row in readable_turns(connection, reader(one.chat))}
    return [ranked.id for ranked in earlier.rank(Question(text=one.text), reader(one.chat), turns)[:5]]


if __name__ == "__main__":
    main(sys.argv[1:])
