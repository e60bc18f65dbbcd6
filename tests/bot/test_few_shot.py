"""Examples in the prompt: far from each other, kept in the data folder, and in front of every question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.database import open_database
from bot.errors import MisuseError
from bot.evidence import Evidence
from bot.learn.few_shot import as_exchanges, choose_examples, keep_examples, load_examples
from bot.learn.targets import UNKNOWN
from bot.learn.tombstones import bury
from bot.prompt import EXAMPLE, Budget, Manner, prompt_from_sentences
from knowledge.database import writing
from knowledge.document import Question
from models.example import Example, Kind
from models.generator import ChatMessage
from tests.knowledge.fake_embedder import FakeEmbedder


def row(question: str, answer: str = "Yes. [1]", text: str = "A text.", kind: Kind = "supervised") -> Example:
    asked = ChatMessage(role="user", content=f"Text: [1] {text}\n\nQuestion: {question}")
    return Example(
        kind=kind, lane="corrections", origin=f"feedback:{question}", group=question, messages=(asked,), answer=answer
    )


ROWS = [
    row("When is the office open on Monday?"),
    row("When is the office open on Tuesday?"),
    row("Who repairs the printer in the cellar?"),
    row("How do I book a bicycle for lunch?"),
    row("What does the director earn?", answer=UNKNOWN),
    row("A vote", kind="vote"),
    row("Long", text="word " * 400),
]


def test_examples_are_far_apart_and_one_has_no_answer() -> None:
    chosen = choose_examples(ROWS, 3, FakeEmbedder())
    assert len(chosen) == 3
    assert [one.answer == UNKNOWN for one in chosen] == [False, False, True]
    offices = [one for one in chosen if "office" in one.messages[-1].content]
    assert len(offices) <= 1


def test_votes_and_long_rows_and_follow_ups_are_no_examples() -> None:
    follow_up = row("And then?")
    spoken = ChatMessage(role="user", content=f"Earlier:\nQuestion: x\n\n{follow_up.messages[0].content}")
    rows = [*ROWS[-2:], Example(**{**vars(follow_up), "messages": (spoken,)})]
    assert choose_examples(rows, 3, FakeEmbedder()) == ()


def test_more_than_there_are_gives_all() -> None:
    assert len(choose_examples(ROWS, 8, FakeEmbedder())) == 5


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def test_what_is_kept_is_loaded_as_exchanges(engine: sa.Engine, tmp_path: Path) -> None:
    chosen = choose_examples(ROWS, 3, FakeEmbedder())
    keep_examples(tmp_path, chosen)
    assert load_examples(engine, tmp_path, 2) == as_exchanges(chosen[:2])
    assert [message.role for message in load_examples(engine, tmp_path, 2)] == ["user", "assistant"] * 2
    assert load_examples(engine, tmp_path / "none", 0) == ()
    with pytest.raises(MisuseError, match="lorekeeper dataset examples"):
        load_examples(engine, tmp_path / "none", 2)


def test_what_was_withdrawn_since_is_not_shown_any_more(engine: sa.Engine, tmp_path: Path) -> None:
    chosen = choose_examples(ROWS, 3, FakeEmbedder())
    keep_examples(tmp_path, chosen)
    with writing(engine) as connection:
        bury(connection, [chosen[0].origin], "T1", "withdrawn")
    assert load_examples(engine, tmp_path, 3) == as_exchanges(chosen[1:])


def test_messages_of_people_are_no_examples() -> None:
    theirs = [Example(**{**vars(one), "lane": "messages"}) for one in ROWS]
    assert choose_examples(theirs, 3, FakeEmbedder()) == ()


def test_examples_stand_in_front_of_the_question_instead_of_ours() -> None:
    evidence = [Evidence(text="Badges are blue.", passage=4, position=0, score=1.0, cosine=1.0, word_share=1.0)]
    budget = Budget(context_size=2000, answer_tokens=100, count_tokens=len)
    shown = as_exchanges(ROWS[:1])
    prompt = prompt_from_sentences(Question(text="Colour?"), evidence, Manner(tuned=True, examples=shown), budget)
    assert prompt.messages[1:3] == shown
    assert EXAMPLE[0] not in prompt.messages
    assert "[1] Badges are blue." in prompt.messages[-1].content
