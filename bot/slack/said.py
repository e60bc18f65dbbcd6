"""What a short message between people and the bot means: stop, leave, or a question that nobody put to the bot.

Pure rules over plain text, on purpose few and careful: a wrong "leave" is silence, a wrong question is butting in.
"""

from __future__ import annotations

import re

_STOP_WORDS = frozenset({"stop", "stop please", "please stop", "stop it", "stop it please", "please stop it"})
_LEAVE_WORDS = frozenset(
    {
        "leave",
        "leave please",
        "please leave",
        "leave us",
        "leave us alone",
        "please leave us alone",
        "leave this thread",
        "please leave this thread",
        "leave this thread please",
        "leave the thread",
        "please leave the thread",
        "leave this conversation",
        "go away",
        "please go away",
        "go away please",
        "thats all",
        "thats all thanks",
        "thats all thank you",
        "thanks thats all",
        "thank you thats all",
        "that is all thanks",
        "that is all thank you",
        "that will be all",
        "that will be all thank you",
        "thatll be all thanks",
        "thatll be all thank you",
        "we can take it from here",
        "we can take it from here thanks",
        "well take it from here thanks",
    }
)
_OPENINGS = (
    "how do i ",
    "how do we ",
    "how can i ",
    "how can we ",
    "how does one ",
    "where do i ",
    "where can i ",
    "where do we ",
    "who do i ",
    "does anyone know ",
    "does anybody know ",
    "does someone know ",
    "anyone know ",
    "anybody know ",
    "can anyone ",
    "can anybody ",
    "can someone ",
)
_APOSTROPHES = re.compile(r"['’ʼ]")
_NOT_WORDS = re.compile(r"[^\w\s]+")
# A question mark that ends something, and not one inside an address.
_QUESTION_MARK = re.compile(r"(?<=\S)[?？؟](?=$|[\s)\]\"'”»?!])")
_CODE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.DOTALL)
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)
_FEWEST_WORDS, _MOST_CHARACTERS = 3, 600
_FEWEST_CHARACTERS_WITHOUT_SPACES = 6


def is_stop(text: str) -> bool:
    """Tell whether somebody wants the answer that is being written to stop."""
    return _normal(text) in _STOP_WORDS


def is_leave(text: str) -> bool:
    """Tell whether somebody wants the bot to be silent in this thread from now on."""
    return _normal(text) in _LEAVE_WORDS


def looks_like_question(text: str) -> bool:
    """Tell whether a message that nobody put to the bot asks something: three words and a question mark, or an opening
    such as "does anyone know". Code and quoted lines do not count, nor does a long report with a question in it."""
    own = _QUOTED_LINE.sub("", _CODE.sub(" ", text)).strip()
    if len(own) > _MOST_CHARACTERS:
        return False
    normal = _normal(own)
    enough = len(normal.split()) >= _FEWEST_WORDS or (
        not normal.isascii() and len(normal) >= _FEWEST_CHARACTERS_WITHOUT_SPACES
    )
    return enough and (_QUESTION_MARK.search(own) is not None or normal.startswith(_OPENINGS))


def _normal(text: str) -> str:
    return " ".join(_NOT_WORDS.sub(" ", _APOSTROPHES.sub("", text.lower())).split())
