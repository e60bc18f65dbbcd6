"""Finds what was said before: turns that a reader may read, scored by vector and words, as the exchanges they are in.

Sets of one person are small, so they are compared exactly: no graph answers sooner below some thousand vectors, and
exact search takes any filter. A busy channel gets an HNSW graph of its own, built beside the answers. SQL, not Slack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from bot import tables
from bot.earlier.graphs import PlaceGraphs
from bot.earlier.reader import Reader, exchange_grounds, readable_turns, still_stands
from bot.earlier.recollect import REMEMBER, recollect
from bot.earlier.score import Weights, score_turns
from knowledge.database import reading
from knowledge.document import Grounds, Question
from knowledge.embed import Embedder, Vectors
from knowledge.hits import Hits, Ids, Scores
from knowledge.query import HistoryWeights, query_pieces, query_vector
from knowledge.words import question_words

# Turns that the schedule has not come to yet; more would keep a person waiting.
_RECOLLECTED_FIRST = 16
_SEARCHED_WORDS = 32
# In front of a year, after "in" or "last": otherwise "may" says nothing.
_MAY = re.compile(r"(?<=\S )May\b")


@dataclass(frozen=True, kw_only=True)
class EarlierOptions:
    """How memory is searched."""

    most: int = 2
    """Exchanges that are handed to an answer; 0 switches memory off."""
    least_cosine: float = 0.35
    """Of 760 questions whose chat holds the answer 96 % have a first turn so near, of those asked of another chat 21 %;
    whether it answers is judged after that, with the documents."""
    exact_below: int = 4_000
    """Turns; where more may be read, a graph finds the nearest."""
    candidates: int = 200
    """How deep the graph and the words go, where there is a graph."""
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A question of an earlier conversation with its answer, or what somebody asked to be remembered."""

    channel: str
    thread_ts: str
    ts: str
    user: str
    at: datetime
    question: str = field(repr=False)
    answer: str = field(repr=False)
    """Empty for what was asked to be remembered."""
    audience: str
    """Of what was asked to be remembered; empty for an exchange."""
    grounds: Grounds = field(default=Grounds(), repr=False)
    """What its answer stands on."""
    score: float
    cosine: float

    @property
    def is_request(self) -> bool:
        """Whether somebody asked for it to be remembered."""
        return not self.answer


@dataclass(frozen=True, kw_only=True)
class RankedTurn:
    """A turn with its scores."""

    id: int
    conversation: str
    score: float
    conversation_score: float
    cosine: float


class Earlier:
    """Searches the memory of one database; may be used from several threads."""

    def __init__(self, engine: sa.Engine, embedder: Embedder, options: EarlierOptions | None = None) -> None:
        self._engine = engine
        self._embedder = embedder
        self._graphs = PlaceGraphs()
        self.options = options or EarlierOptions()

    def find(self, question: Question, reader: Reader) -> tuple[Exchange, ...]:
        """The exchanges that speak to a question and may be read here, the best first."""
        if self.options.most < 1 or not question.text.strip():
            return ()
        recollect(self._engine, self._embedder, most=_RECOLLECTED_FIRST)
        with reading(self._engine) as connection:
            turns = {row.id: row for row in readable_turns(connection, reader)}
        ranked = self.rank(question, reader, turns) if turns else ()
        found: dict[tuple[str, str], Exchange] = {}
        with reading(self._engine) as connection:
            for one in ranked:
                row = turns[one.id]
                key = (row.conversation, row.ts)
                if key in found or one.cosine < self.options.least_cosine:
                    continue
                if row.role == REMEMBER or still_stands(connection, row.conversation, row.ts, reader):
                    exchange = _exchange(connection, row, one)
                    found |= {} if exchange is None else {key: exchange}
                if len(found) == self.options.most:
                    break
        return tuple(found.values())

    def rank(self, question: Question, reader: Reader, turns: Mapping[int, sa.Row[Any]]) -> tuple[RankedTurn, ...]:
        """Order these turns by how well they speak to the question."""
        ids = np.fromiter(sorted(turns), np.int64, len(turns))
        vector = query_vector(self._embedder, query_pieces(question, HistoryWeights()))
        with reading(self._engine) as connection:
            worded = search_turn_words(connection, question.text, ids)
            if len(ids) >= self.options.exact_below:
                ids = self._candidates(ids, vector, worded, reader)
            ids, vectors = load_vectors(connection, self._embedder.name, ids)
        if not len(ids):
            return ()
        names = [turns[int(one)].conversation for one in ids]
        return _ranked(ids, names, vectors @ vector, worded, self.options.weights)

    def wait_for_graphs(self) -> None:
        """Wait until the graphs that were begun are there (tests and measurements)."""
        self._graphs.wait()

    def _candidates(self, ids: Ids, vector: Vectors, worded: Hits, reader: Reader) -> Ids:
        """The turns worth comparing exactly: the nearest by graph, the best by words, and those newer than the graph.

        All of them while there is no graph.
        """
        place = (reader.user, "") if reader.is_direct else ("", reader.channel)
        graph = self._graphs.graph(place, ids, self._load)
        if graph is None:
            return ids
        near = graph.search(vector, self.options.candidates, np.isin(graph.ids, ids))
        newer = np.setdiff1d(ids, graph.ids)
        chosen = np.concatenate((near.ids, worded.ids[: self.options.candidates], newer))
        return np.asarray(np.unique(chosen), np.int64)

    def _load(self, ids: Ids) -> tuple[Ids, Vectors]:
        with reading(self._engine) as connection:
            return load_vectors(connection, self._embedder.name, ids)


def search_turn_words(connection: sa.Connection, text: str, ids: Ids) -> Hits:
    """BM25 of the question's words in what these turns are found by, the best first."""
    # "+" keeps SQLite from asking the word index once for each turn: 300 ms for 700 turns where this takes 6 ms.
    words = [*question_words(text), *(["may"] if _MAY.search(text) else [])][:_SEARCHED_WORDS]
    matching = " OR ".join(f'"{word}"' for word in words)
    rows = (
        connection.exec_driver_sql(
            "SELECT rowid, rank FROM remembered_words WHERE remembered_words MATCH ? "
            "AND +rowid IN (SELECT value FROM json_each(?))",
            (matching, json.dumps(ids.tolist())),
        ).fetchall()
        if words
        else []
    )
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    return Hits(
        ids=np.fromiter((row[0] for row in rows), np.int64, len(rows)),
        # FTS5 gives BM25 with its sign turned.
        scores=np.fromiter((-row[1] for row in rows), np.float32, len(rows)),
    )


def load_vectors(connection: sa.Connection, embedder: str, ids: Ids) -> tuple[Ids, Vectors]:
    """The vectors of those of these turns that have one, by ascending id."""
    rows = connection.exec_driver_sql(
        "SELECT turn_id, vector FROM remembered_turn WHERE embedder = ? "
        "AND turn_id IN (SELECT value FROM json_each(?)) ORDER BY turn_id",
        (embedder, json.dumps(ids.tolist())),
    ).fetchall()
    found = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    if not rows:
        return found, np.empty((0, 0), np.float32)
    return found, np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(len(rows), -1)


def _ranked(
    ids: Ids, conversations: Sequence[str], cosines: Scores, worded: Hits, weights: Weights
) -> tuple[RankedTurn, ...]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(conversations))}
    of = np.fromiter((numbers[name] for name in conversations), np.int64, len(ids))
    bm25 = dict(zip(worded.ids.tolist(), worded.scores.tolist(), strict=True))
    words = np.fromiter((bm25.get(one, 0.0) for one in ids.tolist()), np.float32, len(ids))
    scores = score_turns(np.asarray(cosines, np.float32), words, of, weights)
    order = np.lexsort((ids, -scores.turns))
    return tuple(
        RankedTurn(
            id=int(ids[row]),
            conversation=conversations[row],
            score=float(scores.turns[row]),
            conversation_score=float(scores.conversations[of[row]]),
            cosine=float(cosines[row]),
        )
        for row in order
    )


def _exchange(connection: sa.Connection, row: sa.Row[Any], ranked: RankedTurn) -> Exchange | None:
    """Read an exchange whole; None where it went in the meantime."""
    turn = tables.turn
    query = sa.select(turn).where(turn.c.conversation == row.conversation, turn.c.ts == row.ts)
    said = {one.role: one for one in connection.execute(query)}
    asked = said.get(REMEMBER if row.role == REMEMBER else "user")
    answered = None if row.role == REMEMBER else said.get("assistant")
    if asked is None or (answered is None and row.role != REMEMBER):
        return None
    return Exchange(
        channel=row.channel,
        thread_ts=row.thread_ts,
        ts=row.ts,
        user=row.user,
        at=asked.created_at,
        question=asked.text,
        answer="" if answered is None else answered.text,
        audience=asked.audience,
        grounds=exchange_grounds(connection, row.conversation, row.ts) if answered is not None else Grounds(),
        score=ranked.score,
        cosine=ranked.cosine,
    )
