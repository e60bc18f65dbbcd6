"""Texts as they are learned from: cleaned, without secrets, and questions that documents ask."""

from __future__ import annotations

import random

import pytest

from bot.chart import Bars, draw_bars
from bot.learn.balance import weigh
from bot.learn.clean import answer_problem, normalised, question_problem
from bot.learn.questions import question_of_definition, question_of_heading
from bot.learn.scan import as_python, find_secrets, without_people
from tests.benchmarks.secret_scan import kinds, planted
from tests.bot.test_learn_split import row


def test_every_kind_of_planted_secret_is_found() -> None:
    missed = {kind for kind, text in planted(7, 3) if not find_secrets(text)}
    assert missed == set()
    assert len(kinds(random.Random(7))) > 20


@pytest.mark.parametrize(
    "text",
    [
        "How do I reset my password? It is too short, and the reset is slow.",
        "The password is required to have 12 characters.",
        "Build 20240512.3 went out at 10:45, ticket OPS-12345, commit 3f2c1a9e8b7d6c5f4e3d2c1b0a9f8e7d6c5b4a39.",
        "See https://wiki.example.org/spaces/HR/pages/123456789/Parental+leave?focus=section-2",
        "Room 4, floor 12, from 9:00 to 17:30, costs 1,250.00 euros for 3 people.",
        "Set `knowledge.embedder_precision` to `full`, then run lorekeeper sync --rebuild.",
    ],
)
def test_ordinary_chat_holds_no_secret(text: str) -> None:
    assert find_secrets(text) == ()


def test_a_secret_does_not_show_where_a_find_is_printed() -> None:
    (found, *_) = find_secrets("the wifi password is sesame99!")
    assert "sesame" not in repr(found)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("(?i)abc", "(?i)abc"),
        (r"\b(p8e-(?i)[a-z]{3})(?:x|$)", r"\b(p8e-(?i:[a-z]{3}))(?:x|$)"),
        (r"dp\.pt\.(?i)[a-z]{4}", r"dp\.pt\.(?i:[a-z]{4})"),
        (r"[(](?i)x", r"[(](?i:x)"),
    ],
)
def test_gos_patterns_are_written_for_python(theirs: str, ours: str) -> None:
    assert as_python(theirs) == ours


def test_the_same_person_gets_the_same_stand_in_in_prompt_and_answer() -> None:
    prompt, answer = without_people("Write to eva@corp.example or call +49 30 1234567.", "eva@corp.example [1]")
    assert prompt == "Write to person1@example.org or call +1 202-555-0100."
    assert answer == "person1@example.org [1]"


@pytest.mark.parametrize("text", ["On 2024-05-12 at 10:45", "Version 1.2.3.4567", "It costs 12345678.90", "ISO 27001"])
def test_dates_versions_and_amounts_are_no_telephone_numbers(text: str) -> None:
    assert without_people(text) == (text,)


def test_a_question_is_normalised() -> None:
    assert normalised(" <@U0BEN|ben>\u200b what  is\n<#C1|help> @U0ABCDEFG :wave: ") == "ben what is help @someone"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("?!", "empty"),
        ("thanks a lot!", "small_talk"),
        ("/deploy staging now", "command"),
        ("kubectl get pods -n web", "command"),
        ('{"a": [1, 2], "b": {"c": "<x>"}}', "command"),
        ("why " * 500, "too_long"),
        ("Git says that it cannot push, why?", None),
        ("Who issues badges?", None),
    ],
)
def test_what_is_no_question_is_left_out(text: str, reason: str | None) -> None:
    assert question_problem(text) == reason


def test_a_thank_you_is_no_better_answer() -> None:
    assert answer_problem("ok thanks, that is all") == "small_talk"
    assert answer_problem("8:30 in the morning.") is None


@pytest.mark.parametrize(
    ("heading", "question"),
    [
        ("Who can see my question?", "Who can see my question?"),
        ("How to reset a badge", "How do I reset a badge?"),
        ("Install the client", "How do I install the client?"),
        ("Overview", ""),
        ("Why?", ""),
    ],
)
def test_headings_ask(heading: str, question: str) -> None:
    assert question_of_heading(heading) == question


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Lorekeeper is a Slack assistant.", "What is Lorekeeper?"),
        ("The merge queue is the place where changes wait.", "What is the merge queue?"),
        ("SLO stands for a service level objective.", "What does SLO stand for?"),
        ("This is a long story.", ""),
        ("On first start its file is the one that is read.", ""),
        ("The question is stored before anything else.", ""),
    ],
)
def test_definitions_ask(sentence: str, question: str) -> None:
    assert question_of_definition(sentence) == question


def test_what_is_lopsided_is_said() -> None:
    rows = [row(f"How do I order a {n} laptop?", person="U1", order=n) for n in range(1, 9)]
    balance = weigh([*rows, row("Where is the printer?", person="U2", order=9)], 0.1)
    assert balance.people[0].name == "person 1"
    assert any("One person's judgement is in 89%" in warning for warning in balance.warnings)
    assert any("0% of the rows say" in warning for warning in balance.warnings)


def test_counts_are_drawn() -> None:
    long_name = "a very long name of a document that cannot fit into the margin"
    assert draw_bars([Bars(title="topics", values=[(long_name, 3), ("b", 0)])]).startswith(b"\x89PNG")
    assert draw_bars([]).startswith(b"\x89PNG")
