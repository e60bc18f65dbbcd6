from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.database import open_engine, reading
from knowledge.tables import create_tables
from knowledge.words import question_words, search_words
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    engine = open_engine("sqlite://")
    create_tables(engine)
    shelf = Shelf(engine, FakeEmbedder())
    shelf.put("a", "Expenses are paid within thirty days.", "Ask Ada about the espresso machine.", header="Money")
    shelf.put("b", "The espresso machine is descaled every Friday.", "Fridays are quiet.", header="Kitchen")
    yield engine
    engine.dispose()


def found(engine: sa.Engine, text: str, limit: int | None = 10, rows: int = 4_000) -> list[int]:
    with reading(engine) as connection:
        return [int(found) for found in search_words(connection, text, limit, rows).ids]


def test_the_chunk_with_most_of_the_words_comes_first(engine: sa.Engine) -> None:
    assert found(engine, "When is the espresso machine descaled?") == [3, 2]


def test_word_forms_match(engine: sa.Engine) -> None:
    assert found(engine, "expense payments in 30 days") == [1]


def test_headers_are_searched_too(engine: sa.Engine) -> None:
    assert sorted(found(engine, "kitchen")) == [3, 4]


def test_the_limit_holds_and_none_means_all(engine: sa.Engine) -> None:
    assert len(found(engine, "espresso kitchen money", limit=2)) == 2
    assert sorted(found(engine, "espresso kitchen money", limit=None)) == [1, 2, 3, 4]


def test_stop_words_are_dropped_unless_they_are_all_there_is() -> None:
    assert question_words("What is the Kitchen for?") == ("kitchen",)
    assert question_words("who are we") == ("who", "are", "we")


def test_common_words_give_way_to_rare_ones(engine: sa.Engine) -> None:
    assert found(engine, "machine descaled espresso", rows=1) == [3]


def test_words_are_split_as_the_index_splits_them() -> None:
    assert question_words("foo_bar e-mail CAFÉ v2.1") == ("foo", "bar", "e", "mail", "café", "v2", "1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        '"',
        '"" OR ""',
        'espresso" OR header:*',
        "NEAR(a b, 3)",
        "-NOT AND OR *",
        "header : text ^x",
        "{a} + b",
        "\0\0",
        "\ud800",
        "' ; DROP TABLE chunk; --",
        "²③½ ॐ 漢字 🙂",
        "x" * 100_000,
        "word " * 20_000,
        " ".join(f"word{number}" for number in range(15_000)),
        '"' * 100_000,
    ],
)
def test_any_text_is_safe(engine: sa.Engine, text: str) -> None:
    assert isinstance(found(engine, text), list)


def test_hostile_marks_around_a_word_do_not_hide_it(engine: sa.Engine) -> None:
    assert found(engine, '"descaled*") OR (') == [3]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_no_text_is_a_syntax_error(engine: sa.Engine, text: str) -> None:
    assert isinstance(found(engine, text), list)
