"""Short messages are read for what they mean, and nothing is read into the others."""

from __future__ import annotations

import pytest

from bot.slack.said import is_leave, is_stop, looks_like_question


@pytest.mark.parametrize(
    "text",
    [
        "leave",
        "Leave.",
        "leave this thread",
        "Go away!",
        "That's all, thank you.",
        "thanks, that’s all",
        "please leave",
    ],
)
def test_words_to_leave(text: str) -> None:
    assert is_leave(text)
    assert not is_stop(text)


@pytest.mark.parametrize(
    "text", ["how much leave do I have?", "parental leave", "that's all wrong", "did it go away?", "thanks", "stop", ""]
)
def test_what_only_sounds_like_leaving(text: str) -> None:
    assert not is_leave(text)


@pytest.mark.parametrize(
    "text",
    [
        "Where is the expense form?",
        "Hi all! Who approves travel to Berlin? Asking for Ben.",
        "does anyone know the wifi password",
        "How do I reset my badge",
        "Wie beantrage ich Urlaub?",
        "経費の申請はどこですか？",
    ],
)
def test_questions_to_nobody_in_particular(text: str) -> None:
    assert looks_like_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "lunch?",
        "really??",
        "The build is green again.",
        "see https://wiki.example/page?id=7&view=full for the whole story",
        "> where is the form?\nI put it into the wiki now",
        "```SELECT name FROM users WHERE id = ? ```",
        "What a day",
        "I wrote a long report. " * 40 + "What do you think of it?",
        "",
    ],
)
def test_talk_that_is_no_question(text: str) -> None:
    assert not looks_like_question(text)
