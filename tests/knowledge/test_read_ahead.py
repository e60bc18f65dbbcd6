"""Passages are read before anybody asks, also those that come later, and closing ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import sqlalchemy as sa

from knowledge.document import Passage
from knowledge.embed import Vectors
from knowledge.embed_onnx import OnnxEncoder
from knowledge.library import Library
from knowledge.match import TokenMatch
from knowledge.quantize import encoder_graph
from knowledge.query import HistoryWeights
from knowledge.query_encoder import WeightedHistory
from knowledge.query_side import QuerySide
from knowledge.read_ahead import read_ahead
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf
from tests.knowledge.test_embed_onnx import SHAPE, tokenizer, weights
from tests.knowledge.test_match import passage


class CountingEncoder(OnnxEncoder):
    """A small drawn encoder that counts the texts it reads."""

    def __init__(self) -> None:
        super().__init__(encoder_graph(weights(), SHAPE))
        self.read = 0

    def tokens(self, ids: Sequence[int], asked: int | None = None) -> Vectors:
        self.read += 1
        return super().tokens(ids, asked)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def score(match: TokenMatch, *passages: Passage) -> None:
    match.scores(np.ones((1, 32), np.float32), passages)


def test_what_is_there_and_what_comes_is_read_once(engine: sa.Engine) -> None:
    shelf, encoder, closing = Shelf(engine, FakeEmbedder()), CountingEncoder(), threading.Event()
    match = TokenMatch(encoder, tokenizer())
    shelf.put("a", "one two three", "four five", header="six")
    reader = threading.Thread(target=read_ahead, args=(engine, match, closing), kwargs={"look_seconds": 0.02})
    reader.start()
    try:
        wait_until(lambda: encoder.read == 2)
        shelf.put("b", "seven eight")
        wait_until(lambda: encoder.read == 3)
    finally:
        closing.set()
        reader.join()
    score(match, passage("one two three", "six"), passage("seven eight"))
    assert encoder.read == 3
    score(match, passage("one two three", "seven"))
    assert encoder.read == 4


def test_a_library_reads_ahead_where_it_looks_twice_and_ends_with_it(engine: sa.Engine) -> None:
    Shelf(engine, FakeEmbedder()).put("a", "one two", "three four")
    encoder = CountingEncoder()
    side = QuerySide(
        encoder=WeightedHistory(embedder=FakeEmbedder(), weights=HistoryWeights()),
        match=TokenMatch(encoder, tokenizer()),
    )
    with Library.open(engine, FakeEmbedder(), None, query_side=side) as library:
        library.read_ahead()
        library.read_ahead()
        wait_until(lambda: encoder.read == 2)
    with Library.open(engine, FakeEmbedder(), None) as library:
        library.read_ahead()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
