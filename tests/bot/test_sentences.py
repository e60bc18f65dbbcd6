"""Cutting texts into what can support an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import asks_at_length, content_words, plain, split_sentences, stem


def test_abbreviations_and_initials_do_not_end_a_sentence() -> None:
    text = "Dr. Smith met J. Doe in St. Louis. He paid $3.5 million."
    assert split_sentences(text) == ["Dr. Smith met J. Doe in St. Louis.", "He paid $3.5 million."]


def test_list_items_and_table_rows_stand_alone_and_headings_are_left_out() -> None:
    text = "# Title\n\n- one item\n- two items\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert split_sentences(text) == ["one item; two items", "one item", "two items", "a: b", "1: 2"]


def test_a_list_stands_with_what_leads_to_it() -> None:
    text = "We cannot employ people in:\n\n- Cuba\n- Iran\n\nAsk People."
    assert split_sentences(text) == ["We cannot employ people in: Cuba; Iran", "Cuba", "Iran", "Ask People."]


def test_an_item_that_leads_to_others_stands_with_them() -> None:
    assert "Amounts: Phone: $75; Wellness: $100" in split_sentences("- Amounts:\n  - Phone: $75\n  - Wellness: $100")


def test_lines_of_one_paragraph_are_one_text() -> None:
    assert split_sentences("The office\nopens at nine.") == ["The office opens at nine."]


def test_code_and_names_with_underscores_stay_whole() -> None:
    assert plain("set `SLACK_BOT_TOKEN`, _please_, to **a_b_c**") == "set `SLACK_BOT_TOKEN`, please, to a_b_c"


def test_links_keep_their_words_and_lose_their_target() -> None:
    assert plain("see [the *page*](https://example.com/a_(b)) **now**") == "see the page now"


@pytest.mark.parametrize(
    ("word", "same"), [("deploys", "deployed"), ("policies", "policy"), ("issued", "issue"), ("uses", "use")]
)
def test_forms_of_a_word_share_a_stem(word: str, same: str) -> None:
    assert stem(word) == stem(same)


def test_stop_words_carry_no_meaning() -> None:
    assert content_words("What is the badge for?") == ["badg"]


@given(st.text())
def test_every_piece_of_any_text_says_something(text: str) -> None:
    assert all(piece.strip() for piece in split_sentences(text))


@pytest.mark.parametrize(
    ("question", "at_length"),
    [
        ("How do I ask for leave?", True),
        ("Hello, could you tell me: why was the launch delayed?", True),
        ("What led to the change of plan?", True),
        ("What are the rules for guests?", True),
        ("describe the review", True),
        ("How many days of leave do I have?", False),
        ("What is the deadline for expenses?", False),
        ("What's the name of our lead?", False),
        ("What year was it founded?", False),
        ("Who issues badges, and how?", False),
        ("Is there a car park?", False),
        ("Where do I park?", False),
        ("Can you tell me about the harbour project?", True),
        ("Can you tell me who leads it?", False),
        ("difference between paid and unpaid leave", True),
        ("badges", False),
    ],
)
def test_some_questions_ask_for_sentences_and_others_for_a_few_words(question: str, at_length: bool) -> None:
    assert asks_at_length(question) is at_length
