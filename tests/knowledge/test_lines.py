"""Where a citation opens: at the page, the heading or the words, and nowhere that does not exist."""

from __future__ import annotations

import pytest

from knowledge.lines import at_passage

SAID = "Expense reports are due on the fifth working day of the month, at noon."


def _address(uri: str, header: str = "Money > Expenses", quote: str = SAID, at: str | None = None) -> str:
    return at_passage(at or uri, uri=uri, line=12, header=header, quote=quote)


@pytest.mark.parametrize(
    ("uri", "header", "expected"),
    [
        ("https://w.example/rules.pdf", "Rules > Page 7", "https://w.example/rules.pdf#page=7"),
        ("file:///srv/Rules.PDF", "Rules > Page 7", "file:///srv/Rules.PDF#page=7"),
        ("https://w.example/rules.pdf", "Rules", "https://w.example/rules.pdf"),
        (
            "https://github.com/t/h/blob/main/a.md",
            "Guide > What's *new* in 2.0 – soon",
            "https://github.com/t/h/blob/main/a.md#whats-new-in-20--soon",
        ),
        ("https://github.com/t/h/blob/main/a.md", "Guide", "https://github.com/t/h/blob/main/a.md"),
        (
            "https://github.com/t/h/blob/main/a.md",
            "Guide > A heading that was…",
            "https://github.com/t/h/blob/main/a.md",
        ),
        ("https://github.com/t/h/blob/main/a.rst", "Guide > New", "https://github.com/t/h/blob/main/a.rst"),
        ("https://github.com/t/h/blob/main/a.py", "a.py > run", "https://github.com/t/h/blob/main/a.py#L12"),
        ("file:///srv/handbook.md", "Money > Expenses", "file:///srv/handbook.md"),
        ("https://t.slack.com/archives/C1/p1", "#help", "https://t.slack.com/archives/C1/p1"),
        ("https://t.atlassian.net/wiki/x/1", "Money", "https://t.atlassian.net/wiki/x/1"),
        ("https://w.example/a#b", "Money", "https://w.example/a#b"),
    ],
)
def test_an_address_leads_to_the_page_or_the_heading(uri: str, header: str, expected: str) -> None:
    assert _address(uri, header) == expected


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        (SAID, "Expense%20reports%20are%20due%20on%20the%20fifth%20working"),
        (
            "- **Two-factor** login, [see here](https://e.example/x), is needed.",
            "Two%2Dfactor%20login%2C%20see%20here%2C%20is%20needed",
        ),
        ("_Set_ `answer.cache_days` to 9", "Set%20answer.cache_days%20to%209"),
        ("1. Open the door & wait", "Open%20the%20door%20%26%20wait"),
        ("| Berlin office | 12 |", "Berlin%20office"),
        ("Opens at noon\non Mondays", "Opens%20at%20noon"),
        ("It opens when the …", "It%20opens%20when%20the"),
    ],
)
def test_a_web_page_opens_at_the_words(quote: str, words: str) -> None:
    assert _address("https://w.example/a?b=c", quote=quote) == f"https://w.example/a?b=c#:~:text={words}"


@pytest.mark.parametrize("quote", ["", "No.", "| 12 |", "-"])
def test_words_that_stand_everywhere_are_not_looked_for(quote: str) -> None:
    assert _address("https://w.example/a", quote=quote) == "https://w.example/a"


def test_whoever_shows_files_is_told_the_words() -> None:
    shown = "http://127.0.0.1:3939/document?uri=file%3A%2F%2F%2Fsrv%2Fa.md"
    address = _address("file:///srv/a.md", at=shown)
    assert address == f"{shown}&quote=Expense+reports+are+due+on+the+fifth+working#quote"


def test_code_that_is_shown_opens_at_its_line() -> None:
    shown = "http://127.0.0.1:3939/document?uri=file%3A%2F%2F%2Fsrv%2Fa.py"
    assert _address("file:///srv/a.py", at=shown) == f"{shown}#L12"
