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
        ("hi, can you help me", "help"),
        ("Are you a real person?", "help"),
        ("What kinds of questions can I ask you?", "help"),
        ("How are you doing today?", "greeting"),
        ("No, thank you for your help.", "thanks"),
        ("I really appreciate it", "thanks"),
        ("That will be all. Thank you!", "goodbye"),
        ("all right, see ya", "goodbye"),
        ("Thanks, have a great day!", "goodbye"),
        ("ok", "noted"),
        ("omg.", "noted"),
        ("Never mind", "noted"),
    ],
)
def test_small_talk_is_recognised(text: str, kind: str) -> None:
    assert small_talk(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "yes",
        "no",
        "2",
        "the first one",
        "hi, how do I get a badge?",
        "good practice",
        "who thanks whom",
        "help desk hours",
        "Thanks, and what about the router?",
        "Thank you. I also need the phone number.",
        "That's all I need to know about the train, what about the bus?",
        "How is the bonus going to be paid?",
        "can you help me with my badge",
        "what can you do about lost badges",
        "who are you allowed to invite",
        "ok, diversified is good",
        "is this a bot account",
        "thanks for letting me know, is there a deadline",
    ],
)
def test_possible_questions_are_not(text: str) -> None:
    assert small_talk(text) is None
