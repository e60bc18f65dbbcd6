"""Small talk: a greeting or a thank-you needs no search and no model."""

from __future__ import annotations

from typing import Literal

from bot.sentences import words

SmallTalk = Literal["greeting", "thanks", "help"]

_GREETINGS = frozenset(
    "hi hello hey hiya howdy yo morning afternoon evening greetings hola hallo moin good there".split()
)
_THANKS = frozenset(
    "thanks thank thx ty cheers great perfect awesome cool nice ok okay got it you so much very a lot".split()
)
_THANKS_CORE = frozenset("thanks thank thx ty cheers".split())
_GREETING_CORE = _GREETINGS - {"good", "there"}
_HELP = frozenset({"help", "help me", "what can you do", "who are you", "what are you", "how do you work"})


def small_talk(text: str) -> SmallTalk | None:
    """Tell which small talk a message is, None for anything that may be a question."""
    said = words(text)
    spoken = set(said)
    if " ".join(said) in _HELP:
        return "help"
    if not said or len(said) > 6:
        return None
    if spoken & _THANKS_CORE and spoken <= _THANKS:
        return "thanks"
    return "greeting" if spoken & _GREETING_CORE and spoken <= _GREETINGS else None
