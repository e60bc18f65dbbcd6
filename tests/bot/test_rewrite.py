"""A follow-up written out by the language model, as a second list beside the question as asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bot.answer import Answering, AnswerOptions
from bot.rewrite import both, rewrite
from bot.turn import Answer, Done
from knowledge.audience import Audience
from knowledge.document import HistoryTurn, Passage, Question
from knowledge.retrieve import Retrieved, RetrieveSeconds
from models.errors import GenerationError
from models.generator import ChatMessage
from tests.bot.answer_parts import BADGES, LEAVE, FixedLibrary, passage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

HISTORY = (
    HistoryTurn(role="user", text="Who issues badges?"),
    HistoryTurn(role="assistant", text="Badges are issued by Maria Lopez. [1]"),
)
FOLLOW_UP = Question(text="And what do lost ones cost?", history=HISTORY)
WRITTEN = "What do lost badges cost?"


class TwoShelves(FixedLibrary):
    """Finds leave for what was asked, and badges for what was written out; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__([], FakeEmbedder(dim=256))
        self.asked: list[Question] = []

    def retrieve(
        self, question: Question, audience: Audience, k: int, *, sources: frozenset[str] | None = None
    ) -> Retrieved:
        self.asked.append(question)
        found = (
            passage(BADGES, number=2, title="Badges") if "badges" in question.text else passage(LEAVE, title="Leave")
        )
        return FixedLibrary([found], self.embedder).retrieve(question, audience, k, sources=sources)


def writer(rewritten: str | Exception) -> Callable[[object], str]:
    """A model that writes questions out, and answers all others from its text."""

    def say(messages: object) -> str:
        assert isinstance(messages, list | tuple)
        if "Last question:" not in messages[-1].content:
            return "Lost badges cost 15 euros."
        if isinstance(rewritten, Exception):
            raise rewritten
        return rewritten

    return say


def ask(library: FixedLibrary, rewritten: str | Exception, seconds: float = 5.0) -> Answer:
    generator = ScriptedGenerator(writer(rewritten))
    parts = Answering(
        library=library, generator=generator, options=AnswerOptions(minimum_support=0.0, rewrite_seconds=seconds)
    )
    last = list(parts.answer(FOLLOW_UP, Audience.everyone()))[-1]
    assert isinstance(last, Done)
    return last.answer


def test_what_is_written_out_is_searched_as_well() -> None:
    library = TwoShelves()
    answer = ask(library, WRITTEN)
    assert [question.text for question in library.asked] == [FOLLOW_UP.text, WRITTEN]
    assert library.asked[0].history == HISTORY
    assert library.asked[1].history == ()
    assert {one.title for one in answer.passages} == {"Badges", "Leave"}
    assert "15 euros" in answer.text


@pytest.mark.parametrize(
    "rewritten", ["", "?!", "What do lost ones cost? And what?", "long " * 80, GenerationError("the model is broken")]
)
def test_what_is_of_no_use_is_passed_over(rewritten: str | Exception) -> None:
    library = TwoShelves()
    ask(library, rewritten)
    assert [question.text for question in library.asked] == [FOLLOW_UP.text]


def test_without_leave_or_history_the_model_is_not_asked() -> None:
    generator = ScriptedGenerator(WRITTEN)
    assert rewrite(FOLLOW_UP, generator, 0.0) == ""
    assert rewrite(Question(text=FOLLOW_UP.text), generator, 5.0) == ""
    assert generator.calls == []


def test_what_takes_too_long_is_not_waited_for() -> None:
    assert rewrite(FOLLOW_UP, ScriptedGenerator(WRITTEN, first_token_seconds=60.0), 0.05) == ""


def test_the_model_reads_the_conversation_as_data() -> None:
    generator = ScriptedGenerator(WRITTEN)
    assert rewrite(FOLLOW_UP, generator, 5.0) == WRITTEN
    (messages,) = generator.calls
    assert [one.role for one in messages if FOLLOW_UP.text in one.content] == ["user"]
    assert isinstance(messages[0], ChatMessage)


def retrieved(*numbers: int) -> Retrieved:
    nothing = RetrieveSeconds(embed=0.0, vectors=0.0, words=0.0, total=0.0)
    passages: tuple[Passage, ...] = tuple(passage(f"text {number}", number=number) for number in numbers)
    return Retrieved(passages=passages, query_vector=np.zeros(2, np.float32), seconds=nothing)


def test_ranks_of_both_lists_count() -> None:
    merged = both(retrieved(1, 2, 3), retrieved(4, 2, 1), 3)
    assert [one.id for one in merged.passages] == [1, 2, 4]
