"""Texts as they are learned from, or why one is left out: empty, too long, a command, small talk.

Knows texts only: not whose they are, and not whether they may be used.
"""

from __future__ import annotations

import re
import unicodedata

from bot.greeting import small_talk
from bot.learn.policy import LeftOut
from bot.sentences import words

_MENTION = re.compile(r"<[@!#][^>\s]*?(?:\|([^>]+))?>")
_ID = re.compile(r"(?<!\w)@[UW][A-Z0-9]{6,}\b")
_EMOJI_NAME = re.compile(r"(?<!\S):[a-z0-9_+-]{2,40}:(?!\S)")
_CONTROL = re.compile(r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u2060\ufeff]")
_COMMAND = re.compile(
    r"^\s*(?:[/!$#>]\s?[a-z][\w-]*|(?:sudo|curl|git|kubectl|docker|pip|npm|cd|ls|SELECT|DELETE|INSERT)\s)(?!.*\?\s*$)"
)
_SIGNS_OF_CODE = frozenset("{}[]<>|\\;=`$")
# A question with so many of these signs is a log or code that was pasted.
_MOST_CODE = 0.08
# So long a question is a pasted document; the prompt cuts it at 1,500 in any case.
LONGEST_QUESTION = 1_500
LONGEST_ANSWER = 1_500


def normalised(text: str) -> str:
    """The same words with one kind of white space, without mentions' ids, invisible signs and emoji names."""
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    plain = _CONTROL.sub("", composed)
    plain = _MENTION.sub(lambda match: match.group(1) or "@someone", plain)
    plain = _ID.sub("@someone", plain)
    plain = _EMOJI_NAME.sub("", plain)
    return " ".join(plain.split())


def question_problem(text: str) -> LeftOut | None:
    """Why a question is not learned from; None where it may be."""
    if not words(text):
        return "empty"
    if len(text) > LONGEST_QUESTION:
        return "too_long"
    if small_talk(text):
        return "small_talk"
    signs = sum(sign in _SIGNS_OF_CODE for sign in text)
    if _COMMAND.match(text) or signs > max(3, _MOST_CODE * len(text)):
        return "command"
    return None


def answer_problem(text: str) -> LeftOut | None:
    """Why an answer is not learned from; None where it may be."""
    if not words(text):
        return "empty"
    if len(text) > LONGEST_ANSWER:
        return "too_long"
    # "Thanks, that is all" as a better answer would be learned as one.
    return "small_talk" if small_talk(text) else None
