"""Which sentences state something different, and which only look as if they did."""

from __future__ import annotations

import pytest

from bot.statement import differing_values, read_statement


def differing(one: str, other: str) -> tuple[str, str] | None:
    read = read_statement(one), read_statement(other)
    if read[0] is None or read[1] is None:
        return None
    values = differing_values(read[0], read[1])
    assert differing_values(read[1], read[0]) == (values and values[::-1])
    return None if values is None else (values[0].text, values[1].text)


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("Parental leave is 16 weeks.", "Parental leave is 12 weeks.", ("16 weeks", "12 weeks")),
        ("The travel budget is €1,000.", "The travel budget is 1,500 euros.", ("€1,000", "1,500 euros")),
        ("A lost badge costs 15 euros.", "A lost badge costs 20 euros.", ("15 euros", "20 euros")),
        ("Reports are due on 3 May 2026.", "The reports are due on May 4, 2026.", ("3 May 2026", "May 4, 2026")),
        ("The front door closes at 6 pm.", "The front door closes at 19:00.", ("6 pm", "19:00")),
        ("We refund 80 % of the ticket.", "We refund 50% of the ticket.", ("80 %", "50%")),
        ("The kitchen is cleaned on Mondays.", "The kitchen is cleaned on Fridays.", ("Mondays", "Fridays")),
        ("Badges are issued by Maria Lopez.", "Badges are issued by Ben Cole.", ("Maria Lopez", "Ben Cole")),
        ("The queue holds up to 100 jobs.", "The queue holds up to 250 jobs.", ("100", "250")),
        ("The office opens at nine minutes past.", "The office opens at 9 minutes past.", None),
    ],
)
def test_a_value_that_differs_in_the_same_words_is_found(one: str, other: str, values: tuple[str, str] | None) -> None:
    assert differing(one, other) == values


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Parental leave is 14 days.", "Parental leave is two weeks."),
        ("Parental leave is 12 months.", "Parental leave is 1 year."),
        ("The office closes at 6 pm.", "The office closes at 18:00."),
        ("Reports are due on 3 May 2026.", "Reports are due on 3 May."),
        ("Revenue grew to 1.20 million users.", "Revenue grew to 1.21 million users."),
        ("Senior staff get 30 days of leave.", "Junior staff get 25 days of leave."),
        ("Staff get at least 30 days of leave.", "Staff get at most 40 days of leave."),
        ("Staff get 30 days of leave.", "Staff do not get 25 days of leave."),
        ("Parental leave was 12 weeks.", "Parental leave is 16 weeks."),
        ("It takes 12 weeks of training time.", "It takes 16 weeks of training time."),
        ("Rule 12 covers contractors abroad.", "Rule 13 covers contractors abroad."),
        ("Berlin closes at 6 pm on holidays.", "Paris closes at 6 pm on holidays."),
        ("In 2019 the summit took place in Berlin.", "In 2020 the summit took place in Paris."),
        ("It runs on Python 3.11 and later.", "It runs on Python 3.12 and later."),
        ("The fee is 15 euros.", "The fee is 20 euros."),
        ("Does a lost badge cost 15 euros?", "Does a lost badge cost 20 euros?"),
        ("Follow step 3 of the guide.", "Follow step 4 of the guide."),
    ],
)
def test_what_only_looks_alike_is_left_alone(one: str, other: str) -> None:
    assert differing(one, other) is None
