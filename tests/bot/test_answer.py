"""ANSWER from the outside: what people get for a question, with a scripted model."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from bot.answer import Answering, AnswerOptions, without_abstentions
from bot.errors import QuestionError
from bot.evidence import rank_evidence
from bot.turn import Answer, Brief, Delta, Done, Status, Style
from bot.words import NOT_FOUND, QUOTING
from knowledge.audience import Audience, channel_audience
from knowledge.document import HistoryTurn, Question
from models.errors import GenerationError
from models.generator import GenerationOptions
from tests.bot.answer_parts import BADGES, LEAVE, FixedLibrary, passage
from tests.fakes import ScriptedGenerator

WHO = Question(text="Who issues badges?")


def answering(
    reply: str | ScriptedGenerator, *, options: AnswerOptions | None = None, library: FixedLibrary | None = None
) -> Answering:
    """Passages about badges and leave, and a model that says `reply`."""
    generator = reply if isinstance(reply, ScriptedGenerator) else ScriptedGenerator(reply)
    shelf = library or FixedLibrary(
        [passage(BADGES, number=1, title="Badges"), passage(LEAVE, number=2, title="Leave")]
    )
    return Answering(library=shelf, generator=generator, options=options or AnswerOptions(minimum_support=0.0))


def ask(parts: Answering, question: Question = WHO, audience: Audience | None = None) -> Answer:
    """The finished answer."""
    events = list(parts.answer(question, audience or Audience.everyone()))
    assert isinstance(events[-1], Done)
    return events[-1].answer


def test_a_supported_sentence_is_cited_to_its_passage() -> None:
    answer = ask(answering("Badges are issued by Maria Lopez."))
    assert answer.text == "Badges are issued by Maria Lopez. [1]"
    assert [(item.n, item.uri, item.title) for item in answer.citations] == [(1, "file:///handbook/1.md", "Badges")]
    assert answer.citations[0].quote == "Badges are issued by Maria Lopez at the front desk."
    assert not answer.abstained


def test_citations_are_numbered_in_the_order_of_the_text() -> None:
    question = Question(text="How long is parental leave, and what do lost badges cost?")
    answer = ask(answering("Parental leave is 16 weeks at full pay. Lost badges cost 15 euros."), question)
    assert answer.text == "Parental leave is 16 weeks at full pay. [1] Lost badges cost 15 euros. [2]"
    assert [item.title for item in answer.citations] == ["Leave", "Badges"]


def test_what_no_passage_holds_is_left_out() -> None:
    answer = ask(answering("Badges are issued by Maria Lopez. Elephants migrate across Botswana every winter."))
    assert "Elephants" not in answer.text
    assert answer.text.startswith("Badges are issued")


def test_a_true_sentence_that_answers_something_else_gives_way_to_the_sources() -> None:
    answer = ask(answering("Parental leave is 16 weeks at full pay."))
    assert "leave" not in answer.text
    assert "Badges are issued by Maria Lopez" in answer.text


def test_a_question_back_is_no_answer() -> None:
    assert "Who issues badges at the front desk?" not in ask(answering("Who issues badges at the front desk?")).text


def test_a_changed_number_is_left_out() -> None:
    answer = ask(answering("Lost badges cost 95 euros."), Question(text="What do lost badges cost?"))
    assert "95" not in answer.text


def test_where_nothing_written_is_supported_the_sources_are_quoted() -> None:
    answer = ask(answering("Elephants migrate across Botswana."))
    assert answer.text == "The sources say: “Badges are issued by Maria Lopez at the front desk.” [1]"
    assert len(answer.citations) == 1


def test_the_models_own_citation_marks_are_not_trusted() -> None:
    answer = ask(answering("Badges are issued by Maria Lopez [7]."))
    assert "[7]" not in answer.text
    assert "[1]" in answer.text


def test_unsupported_sentences_are_kept_where_the_operator_wants_them() -> None:
    options = AnswerOptions(minimum_support=0.0, unsupported="keep")
    answer = ask(answering("Elephants migrate across Botswana.", options=options))
    assert answer.text == "Elephants migrate across Botswana."
    assert answer.citations == ()


def test_too_little_support_is_an_honest_no_with_the_nearest_sources() -> None:
    generator = ScriptedGenerator("Badges are issued by Maria Lopez.")
    answer = ask(answering(generator, options=AnswerOptions(minimum_support=1.0)))
    assert answer.abstained
    assert answer.text == NOT_FOUND
    assert [item.title for item in answer.nearest] == ["Badges", "Leave"]
    assert answer.citations == ()
    assert generator.calls == []


def test_a_model_that_says_the_text_does_not_say_is_believed_where_retrieval_doubts() -> None:
    answer = ask(answering("The text does not say."), Question(text="Who repairs broken bicycles downtown?"))
    assert answer.abstained
    assert answer.nearest


@pytest.mark.parametrize(("tuned", "is_believed"), [(False, True), (True, False)])
def test_a_tuned_models_own_doubt_is_not_believed_where_it_is_asked(tuned: bool, is_believed: bool) -> None:
    generator = ScriptedGenerator("I don't know.", tuned=tuned)
    for asked, least in (("Which desk issues badges at front?", 0.6), ("Are badges issued to guests?", 0.45)):
        answer = ask(answering(generator), Question(text=asked))
        assert least < answer.support < least + 0.1
        assert answer.abstained == is_believed
        assert answer.text.startswith(QUOTING) != is_believed


def test_a_model_that_says_so_of_a_text_that_plainly_answers_is_not() -> None:
    answer = ask(answering("The text does not say."), Question(text="Who are badges issued by at the front desk?"))
    assert answer.text == "The sources say: “Badges are issued by Maria Lopez at the front desk.” [1]"


def test_our_own_not_found_does_not_pull_the_next_search() -> None:
    history = (HistoryTurn(role="user", text="Who?"), HistoryTurn(role="assistant", text=NOT_FOUND))
    assert without_abstentions(Question(text="And badges?", history=history)).history == history[:1]


def test_an_empty_library_abstains() -> None:
    answer = ask(answering("Anything.", library=FixedLibrary([])))
    assert answer.abstained
    assert answer.nearest == ()


def test_statuses_come_first_then_text_then_the_end() -> None:
    events = list(answering("Badges are issued by Maria Lopez.").answer(WHO, Audience.everyone()))
    assert [type(event) for event in events] == [Status, Status, Delta, Done]


def test_the_streamed_text_is_the_final_text() -> None:
    events = list(
        answering("Parental leave is 16 weeks at full pay. Lost badges cost 15 euros.").answer(WHO, Audience.everyone())
    )
    streamed = "".join(event.text for event in events if isinstance(event, Delta))
    assert isinstance(events[-1], Done)
    assert streamed.strip() == events[-1].answer.text


def test_passages_that_the_audience_may_not_read_stay_out() -> None:
    secret = passage("Badges are issued by the secret vault team.", number=3, audience=channel_audience("C9"))
    library = FixedLibrary([secret])
    generator = ScriptedGenerator("Badges are issued by the secret vault team.")
    assert ask(answering(generator, library=library)).abstained
    assert generator.calls == []
    assert not ask(answering(generator, library=library), audience=Audience.of_channel("C9")).abstained


def test_stopping_keeps_what_was_written() -> None:
    generator = ScriptedGenerator(
        "Badges are issued by Maria Lopez. Parental leave is 16 weeks at full pay.", seconds_per_token=0.01
    )
    cancel = threading.Event()
    events = []
    for event in answering(generator).answer(WHO, Audience.everyone(), cancel=cancel):
        events.append(event)
        if isinstance(event, Delta):
            cancel.set()
    assert isinstance(events[-1], Done)
    assert events[-1].answer.stopped
    assert events[-1].answer.text == "Badges are issued by Maria Lopez. [1]"


def test_a_repeating_model_is_heard_once() -> None:
    looping = answering("Lost badges cost 15 euros. Lost badges cost 15 euros. Lost badges cost 15 euros.")
    answer = ask(looping, Question(text="What do lost badges cost?"))
    assert answer.text == "Lost badges cost 15 euros. [1]"


def test_the_last_answer_is_not_said_again() -> None:
    history = (
        HistoryTurn(role="user", text="Who issues badges?"),
        HistoryTurn(role="assistant", text="Badges are issued by Maria Lopez. [1]"),
    )
    parts = answering("Badges are issued by Maria Lopez.")
    answer = ask(parts, Question(text="And what do lost badges cost?", history=history))
    assert "15 euros" in answer.text


def test_the_last_exchange_is_in_the_prompt_and_older_turns_are_not() -> None:
    generator = ScriptedGenerator("Lost badges cost 15 euros.")
    history = (
        HistoryTurn(role="user", text="an ancient question"),
        HistoryTurn(role="assistant", text="an ancient answer"),
        HistoryTurn(role="user", text="Who issues badges?"),
        HistoryTurn(role="assistant", text="Maria Lopez. [1]"),
    )
    ask(answering(generator), Question(text="And what if it is lost?", history=history))
    prompt = generator.calls[0][-1].content
    assert "Maria Lopez." in prompt
    assert "ancient" not in prompt


def test_a_prompt_never_exceeds_the_context() -> None:
    generator = ScriptedGenerator("Badges are issued by Maria Lopez.", context_size=260)
    long = passage("Badges are issued by Maria Lopez. " + "Filler words make this badge passage long. " * 200)
    options = AnswerOptions(minimum_support=0.0, evidence_sentences=50, generation=GenerationOptions(max_tokens=50))
    answer = ask(answering(generator, options=options, library=FixedLibrary([long])))
    assert answer.tokens.prompt + 50 <= 260


def test_whole_passages_go_to_models_that_read_them() -> None:
    generator = ScriptedGenerator("Badges are issued by Maria Lopez.")
    ask(answering(generator, options=AnswerOptions(minimum_support=0.0, evidence_sentences=0)))
    assert LEAVE in generator.calls[0][-1].content


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_question_is_refused_kindly(text: str) -> None:
    with pytest.raises(QuestionError, match="What would you like to know"):
        ask(answering("x"), Question(text=text))


def test_a_huge_question_is_refused_with_its_size() -> None:
    with pytest.raises(QuestionError, match="100,000 characters"):
        ask(answering("x"), Question(text="a" * 100_000))


def test_small_talk_needs_neither_search_nor_model() -> None:
    generator = ScriptedGenerator("x")
    answer = ask(answering(generator), Question(text="Hello!"))
    assert answer.text.startswith("Hello!")
    assert generator.calls == []


def test_a_failing_model_is_the_callers_to_handle() -> None:
    def fail(_messages: object) -> str:
        raise GenerationError("the model died")

    with pytest.raises(GenerationError):
        ask(answering(ScriptedGenerator(fail)))


def test_timings_and_tokens_are_counted() -> None:
    answer = ask(answering("Badges are issued by Maria Lopez."))
    assert answer.tokens.completion > 0
    assert answer.tokens.prompt > 50
    assert 0 <= answer.seconds.retrieve <= answer.seconds.first_token <= answer.seconds.total
    assert answer.version == "scripted-1"


def test_a_tuned_models_word_is_shown_with_the_sentence_that_it_stands_in() -> None:
    question = Question(text="Who issues badges?")
    parts = answering("Maria Lopez [1]", library=FixedLibrary([passage(BADGES)]))
    tuned = replace(parts, generator=ScriptedGenerator("Maria Lopez [1]", tuned=True))
    assert ask(tuned, question).text == "Maria Lopez: “Badges are issued by Maria Lopez at the front desk.” [1]"
    assert ask(parts, question).text == "Maria Lopez [1]"
    short = [*tuned.answer(question, Audience.everyone(), brief=Brief(style=Style(length="short")))]
    assert next(event.answer.text for event in short if isinstance(event, Done)) == "Maria Lopez [1]"


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("The bot does not remember your conversations.", "The bot remembers your conversations in a thread."),
        ("Visitors may park in the yard.", "Visitors may not park in the yard."),
    ],
)
def test_a_sentence_that_turns_its_source_round_is_not_said(written: str, source: str) -> None:
    question = Question(text="May visitors park, and does the bot remember conversations?")
    answer = ask(answering(written, library=FixedLibrary([passage(source)])), question)
    assert written not in answer.text
    assert source in answer.text


def test_a_sentence_under_a_heading_is_found_by_the_heading() -> None:
    text = "## Lunch\n\nIt is at noon.\n\n## What happens when I delete a question?\n\nIts answer goes along with it."
    question = Question(text="What happens when I delete a question?")
    library = FixedLibrary([passage(text)])
    retrieved = library.retrieve(question, Audience.everyone(), 1)
    best = rank_evidence(question, retrieved.passages, retrieved.query_vector, library.embedder)[0]
    assert best.text == "Its answer goes along with it."


def test_what_a_newer_version_says_anew_is_not_read_from_the_older() -> None:
    newer = passage(BADGES.replace("15 euros", "20 euros"), number=1, title="Badges")
    older = replace(passage(f"{BADGES} Keys are kept by Omar.", number=2, title="Badges"), newer_version=1)
    library = FixedLibrary([newer, older])
    written = "Lost badges cost 15 euros."
    answer = ask(answering(written, library=library), Question(text="What do lost badges cost?"))
    assert "20 euros" in answer.text
    assert "15 euros" not in answer.text
    # What only the older version says is still read.
    assert "Omar" in ask(answering("Keys are kept by Omar.", library=library), Question(text="Who keeps keys?")).text


def test_a_line_that_only_names_what_was_asked_about_is_no_evidence() -> None:
    library = FixedLibrary([passage("San Francisco.\n\nRooms are booked at the front desk.")])
    answer = ask(answering("San Francisco.", library=library), Question(text="How do I book? San Francisco"))
    assert "front desk" in answer.text
    # A short sentence that says something of it is.
    library = FixedLibrary([passage("Badges are free.")])
    assert "Badges are free" in ask(answering("", library=library), Question(text="Are badges free?")).text


def test_who_asks_for_a_number_gets_one_where_the_sources_have_it() -> None:
    written = "The leave begins on the day that the parent chooses."
    shelf = FixedLibrary([passage(f"Parental leave is 16 weeks at full pay. {written}")])
    answer = ask(answering(written, library=shelf), Question(text="How many weeks is parental leave?"))
    assert "16 weeks" in answer.text


def test_code_that_shares_a_word_with_the_source_is_not_said() -> None:
    answer = ask(answering("badges = []"))
    assert "=" not in answer.text
    assert "Badges are issued by Maria Lopez" in answer.text
