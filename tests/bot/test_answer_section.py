"""An answer may stand just outside of what was found: it is read there, and cited where it stands."""

from __future__ import annotations

from dataclasses import replace

from bot.answer import AnswerOptions
from knowledge.document import Passage, Question
from tests.bot.answer_parts import LEAVE, FixedLibrary, passage
from tests.bot.test_answer import answering, ask
from tests.fakes import ScriptedGenerator

ISSUED = "Badges are issued by Maria Lopez at the front desk."
COST = "A lost badge costs 15 euros."
COSTS = Question(text="What does a lost badge cost?")


def found() -> Passage:
    """The first piece of a page whose second piece was not found."""
    page = replace(passage(ISSUED, number=1, title="Badges"), ordinal=0)
    return replace(page, beside=(replace(page, id=11, ordinal=1, text=COST, text_hash="hash11", score=0.0),))


def test_a_sentence_beside_a_passage_is_cited_where_it_stands() -> None:
    answer = ask(answering("A lost badge costs 15 euros.", library=FixedLibrary([found()])), COSTS)
    assert answer.text == "A lost badge costs 15 euros. [1]"
    (citation,) = answer.citations
    assert (citation.chunk_id, citation.text_hash, citation.uri) == (11, "hash11", "file:///handbook/1.md")


def test_what_is_cited_from_beside_counts_among_the_passages() -> None:
    """So that whoever asks why sees it, and a deletion of it is noticed."""
    answer = ask(answering("A lost badge costs 15 euros.", library=FixedLibrary([found()])), COSTS)
    assert [one.id for one in answer.passages] == [1, 11]


def test_what_is_not_cited_from_beside_is_no_passage() -> None:
    answer = ask(answering("Badges are issued by Maria Lopez.", library=FixedLibrary([found()])))
    assert [one.id for one in answer.passages] == [1]


def test_whole_passages_come_with_their_sections() -> None:
    model = ScriptedGenerator("A lost badge costs 15 euros.")
    library = FixedLibrary([found(), passage(LEAVE, number=2, title="Leave")])
    options = AnswerOptions(minimum_support=0.0, evidence_sentences=0)
    ask(answering(model, options=options, library=library), COSTS)
    prompt = model.calls[0][-1].content
    assert f"[1] Badges\n{ISSUED}\n\n{COST}" in prompt
    assert f"[2] Leave\n{LEAVE}" in prompt
