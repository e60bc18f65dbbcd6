from __future__ import annotations

import pytest

from knowledge.document import Passage
from knowledge.duplicates import Copies
from tests.bot.answer_parts import passage

RULE = (
    "Leave must be asked for in writing before the fifth of the month. "
    "Managers may refuse it within three days where too many people of a team would be away. "
    "Maria Lopez keeps the list of everybody who is away."
)
MORE = "Whoever returns early tells People Ops on the same day, so that the list stays right for all."


def kept(*texts: str | Passage) -> list[str]:
    copies = Copies()
    passages = [
        item if isinstance(item, Passage) else passage(item, number=number) for number, item in enumerate(texts)
    ]
    return [item.text for item in passages if copies.add(item)]


def test_spacing_case_marks_and_articles_make_no_difference() -> None:
    other = RULE.replace("the fifth", "**fifth**").replace("list", "List").replace(" within", "\n  within")
    assert kept(RULE, other) == [RULE]


def test_a_quoted_mail_says_nothing_that_the_reply_does_not() -> None:
    quoted = "\n".join(f"> {line}" for line in RULE.replace(". ", ".\n").splitlines())
    reply = f"Thanks, that settles it.\n\n{quoted}"
    assert kept(reply, RULE) == [reply]


def test_the_longer_text_is_kept_where_the_shorter_came_first() -> None:
    assert kept(RULE, f"{RULE} {MORE}") == [RULE, f"{RULE} {MORE}"]


def test_an_older_version_that_lacks_a_sentence_in_the_middle_is_a_copy() -> None:
    first, rest = RULE.split(". ", 1)
    newer = f"{first}. {MORE} {rest}"
    assert kept(newer, RULE) == [newer]


def test_a_version_cut_elsewhere_is_a_copy_of_both_pieces_of_the_page_found_before() -> None:
    first, second, third = RULE.split(". ")
    one = passage(f"{first}. {second}.", number=1)
    two = passage(f"{third} {MORE}", number=1)
    other = passage(f"{second}. {third}", number=2)
    assert kept(one, two, other) == [one.text, two.text]


def test_pieces_of_different_documents_do_not_add_up_to_a_copy() -> None:
    """ "It takes three days" means something else in each of them."""
    first, second, third = RULE.split(". ")
    texts = [f"{first}. {second}.", f"{third} {MORE}", f"{second}. {third}"]
    assert kept(*texts) == texts


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("three days", "four days"),
        ("before the fifth", "before the 5th"),
        ("may refuse", "may not refuse"),
        ("may refuse", "must refuse"),
        ("before the fifth", "after the fifth"),
        ("Maria Lopez", "Mario Lopez"),
        ("everybody", "nobody"),
    ],
)
def test_one_other_word_makes_another_text(said: str, instead: str) -> None:
    other = RULE.replace(said, instead)
    assert other != RULE
    assert kept(RULE, other) == [RULE, other]


def test_a_short_sentence_counts_only_with_what_stands_before_it() -> None:
    yes = (
        "May contractors who are paid by the hour ask for leave? No. May interns who are paid by the month? Yes. "
        + MORE
    )
    no = (
        "May contractors who are paid by the hour ask for leave? Yes. May interns who are paid by the month? No. "
        + MORE
    )
    assert kept(yes, no) == [yes, no]


def test_short_texts_are_copies_under_the_same_heading_only() -> None:
    android, ios = passage("Open the settings.", title="Android"), passage("Open the settings.", title="iOS")
    assert len(kept(android, ios, android)) == 2
