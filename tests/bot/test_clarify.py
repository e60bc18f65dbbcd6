"""Asking back once where a request may mean several things, and understanding what people reply."""

from __future__ import annotations

from dataclasses import replace

from bot.answer import Answering, AnswerOptions
from bot.clarify import choices_of, clarification, clarifying_options, is_clarification, with_clarification
from bot.evidence import rank_evidence
from bot.slack.answer_menu import menu_blocks, parse_choice
from bot.turn import Answer, Done
from bot.words import CLARIFY, NOT_FOUND
from knowledge.audience import Audience, channel_audience
from knowledge.document import HistoryTurn, Passage, Question
from tests.bot.answer_parts import FixedLibrary, passage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

PASSWORD = passage("Open the portal to reset it. It takes a minute.", number=1, title="Reset your password")
ROUTER = passage("Hold the button to reset it. It takes a minute.", number=2, title="Reset the router")
MFA = passage("Call the desk to reset it. It takes a minute.", number=3, title="Reset MFA")
LEAVE = passage("Parental leave is 16 weeks at full pay.", number=4, title="Leave")
RESETS = [PASSWORD, ROUTER, MFA]
VAGUE = "How do I reset it?"
ALL = ("Reset your password", "Reset the router", "Reset MFA")


def options(text: str, passages: list[Passage], *history: HistoryTurn) -> tuple[str, ...]:
    """What we would ask back."""
    embedder = FakeEmbedder(dim=256)
    question = Question(text=text, history=history)
    evidence = rank_evidence(question, passages, embedder.embed([text], role="question")[0], embedder)
    return clarifying_options(question, passages, evidence)


def user(text: str) -> HistoryTurn:
    return HistoryTurn(role="user", text=text)


def bot(text: str) -> HistoryTurn:
    return HistoryTurn(role="assistant", text=text)


def ask(text: str, *history: HistoryTurn, passages: list[Passage] = RESETS, minimum_support: float = 0.9) -> Answer:
    parts = Answering(
        library=FixedLibrary(passages),
        generator=ScriptedGenerator("Hold the button to reset it."),
        options=AnswerOptions(minimum_support=minimum_support),
    )
    *_, last = parts.answer(Question(text=text, history=history), Audience.everyone())
    assert isinstance(last, Done)
    return last.answer


def test_what_can_be_meant_are_the_titles_of_passages_that_fit_alike() -> None:
    assert set(options(VAGUE, RESETS)) == set(ALL)


def test_a_request_that_says_enough_is_not_asked_back() -> None:
    assert options("How do I reset the router in the meeting room on floor two?", RESETS) == ()


def test_one_topic_is_not_asked_back() -> None:
    assert options(VAGUE, [ROUTER, LEAVE]) == ()
    assert options(VAGUE, [ROUTER, passage("Reset it twice.", number=9, title="Reset the router")]) == ()


def test_what_fits_clearly_better_is_meant() -> None:
    best = passage("How do I reset it? Reset it so: do I reset, how reset it.", number=8, title="Reset guide")
    weak = passage("Elephants, lions and zebras walk to a place to reset clocks there.", number=9, title="Animals")
    assert options(VAGUE, [best, weak]) == ()


def test_too_many_topics_are_not_listed() -> None:
    many = [passage("Reset it.", number=number, title=f"Reset thing{number}") for number in range(1, 8)]
    assert options(VAGUE, many) == ()


def test_an_antecedent_in_the_conversation_is_enough() -> None:
    assert options(VAGUE, RESETS, user("Where is the router?"), bot("In room 2. [1]")) == ()


def test_nothing_is_asked_back_twice() -> None:
    earlier = (user(VAGUE), bot(clarification(ALL)), user("the router"), bot(NOT_FOUND))
    assert options("reset", RESETS, *earlier) == ()


def test_the_section_is_named_where_it_speaks_of_what_was_asked() -> None:
    inside = [
        Passage(**{**vars(one), "title": "Handbook", "header": f"Handbook > {one.title}"}) for one in (PASSWORD, ROUTER)
    ]
    assert set(options(VAGUE, inside)) == {"Reset your password", "Reset the router"}


def test_options_are_plain_and_on_one_line() -> None:
    odd = passage("Reset it now.", number=7, title="**Reset**\nthe <em>door</em> &amp; [lock](https://x.example)")
    assert "Reset the door & lock" in options(VAGUE, [odd, ROUTER])


def test_an_underspecified_question_is_answered_by_one_question_back() -> None:
    answer = ask(VAGUE)
    assert answer.asks_back
    assert answer.abstained
    assert answer.text.startswith(CLARIFY)
    assert all(option in answer.text for option in ALL)
    assert answer.nearest == ()
    assert set(choices_of(answer)) == set(ALL)


def test_an_answer_with_a_numbered_list_offers_no_choice() -> None:
    assert choices_of(replace(ask("the router", user(VAGUE), minimum_support=0.0), text="1. Hold it.\n2. Wait.")) == ()


def test_options_come_from_what_the_audience_may_read() -> None:
    secret = passage("Reset it.", number=5, title="Reset the secret vault", audience=channel_audience("C9"))
    assert "secret" not in ask(VAGUE, passages=[*RESETS, secret]).text


def test_where_everything_is_to_be_answered_nothing_is_asked_back() -> None:
    assert not ask(VAGUE, minimum_support=0.0).asks_back


def test_a_reply_is_understood_together_with_the_first_question() -> None:
    answer = ask("the router", user(VAGUE), bot(clarification(ALL)), minimum_support=0.0)
    assert not answer.asks_back
    assert "Hold the button to reset it." in answer.text
    assert answer.citations[0].title == "Reset the router"
    assert answer.understood == f"{VAGUE} the router"


def reply(text: str) -> Question:
    return with_clarification(Question(text=text, history=(user(VAGUE), bot(clarification(ALL)))))


def test_a_number_stands_for_its_option() -> None:
    for said in ("2", "2.", "Number 2, please", "the second one", "option two", "two", "I mean the 2nd"):
        assert reply(said).text == f"{VAGUE} Reset the router", said
    assert reply("one").text == f"{VAGUE} Reset your password"


def test_words_are_taken_as_they_are() -> None:
    assert reply("the router").text == f"{VAGUE} the router"
    assert reply("the one for 2 routers").text == f"{VAGUE} the one for 2 routers"
    assert reply("9").text == f"{VAGUE} 9"


def test_a_whole_new_question_stands_alone() -> None:
    assert reply("When does the cafeteria open on Fridays?").text == "When does the cafeteria open on Fridays?"


def test_our_list_of_options_never_stays_in_the_history() -> None:
    assert reply("2").history == ()
    later = (user(VAGUE), bot(clarification(ALL)), user("2"), bot("Hold the button. [1]"))
    kept = with_clarification(Question(text="For how long?", history=later)).history
    assert not any(map(is_clarification, kept))
    assert [turn.text for turn in kept] == [VAGUE, "2", "Hold the button. [1]"]


def test_questions_without_history_stay_as_they_are() -> None:
    question = Question(text=VAGUE)
    assert with_clarification(question) == question


def test_each_choice_has_a_button_that_says_which_it_is() -> None:
    (block,) = menu_blocks(7, "thread", ("Reset the router", "x" * 100))
    first, second, menu = block["elements"]
    assert first["text"]["text"] == "1. Reset the router"
    assert parse_choice(first["action_id"], first["value"]) == (7, 1)
    assert parse_choice(second["action_id"], second["value"]) == (7, 2)
    assert len(second["text"]["text"]) == 75
    assert parse_choice(menu["action_id"], "7") is None
    assert parse_choice(first["action_id"], "seven") is None
