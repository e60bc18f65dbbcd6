"""Small talk is answered without a search; anything that may be a question is not small talk."""

from __future__ import annotations

import pytest

from bot.greeting import small_talk


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hi", "greeting"),
        ("Hello there!", "greeting"),
        ("Good morning", "greeting"),
        ("thanks", "thanks"),
        ("Thank you so much!", "thanks"),
        ("ok cool, thanks", "thanks"),
        ("help", "help"),
        ("What can you do?", "help"),
    ],
)
def test_small_talk_is_recognised(text: str, kind: str) -> None:
    assert small_talk(text) == kind


@pytest.mark.parametrize(
    "text", ["", "hi, how do I get a badge?", "good practice", "ok", "who thanks whom", "help desk hours", "?"]
)
def test_possible_questions_are_not(text: str) -> None:
    assert small_talk(text) is None
