"""Makes text harmless for Slack: strips invisible characters, finds what may become a link, and breaks it.

Knows Slack's control sequences and what linkers look for; knows nothing of answers or blocks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Characters that steer or hide: controls, zero-width, bidi, fillers, tags, variation selectors (they can
# smuggle bytes). Emoji need U+FE0E/F, and joiners stay where a script or an emoji needs them (see _JOINER).
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000effff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAK = re.compile("\r\n?|[\x85\u2028\u2029]")
_EMOJI = "\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff"
_JOINED_SCRIPT = "\u0600-\u0dff\u1000-\u109f\u1780-\u17ff"
_JOINER = re.compile(
    f"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])|(?<=[{_JOINED_SCRIPT}])[\u200c\u200d](?=[{_JOINED_SCRIPT}])|([\u200c\u200d])"
)

# Linkers fold look-alikes of these three before they decide, so we do as well.
DOTS = ".\u2024\u3002\ufe52\uff0e\uff61"
_COLON = ":\ua789\ufe13\ufe55\uff1a\u2236"
_SLASH = "/\\\\\u2044\u2215\uff0f\uff3c\ufe68"
_SCHEMES = (
    "https?|ftps?|file|mailto|tel|sms|callto|facetime|data|javascript|vbscript|slack|skype|zoommtg|msteams|tg|intent|"
    "market|whatsapp|magnet|ssh|git|vnc|ms-[a-z]+|itms-[a-z]+|blob|about|view-source"
)
_LINKISH = re.compile(
    rf"\w[{_COLON}][{_SLASH}]"
    rf"|(?:^|[^\w])(?:{_SCHEMES})[{_COLON}]\S"
    rf"|www\d{{0,3}}[{DOTS}]\w"
    r"|[\w-]\.[^\W\d_]{2}"
    rf"|[a-z0-9-][{DOTS}][a-z]{{2}}"
    rf"|\d[{DOTS}]\d{{1,3}}[{DOTS}]\d{{1,3}}[{DOTS}]\d"
    rf"|[{_SLASH}]{{2}}\w[\w-]*[{DOTS}]",
    re.IGNORECASE,
)
# "end.Next" is a missing space, not a host; in rich text it is inert either way and need not look like code.
_MISSING_SPACE = re.compile(rf"[^{DOTS}{_COLON}{_SLASH}@]+\.[A-Z][a-z']*")
_TOKEN = re.compile(r"\S+")
_OPENERS = "([{<\"'“‘«*_~`—–-"
_CLOSERS = ")]}>\"'”’».,;:!?…*_~`—–-"

_BREAKABLE = re.compile(rf"(?<=\S)[{DOTS}](?=\S)|[{_COLON}](?=\S)")
_MARKUP = re.compile(r"[`~<>&\[\]()!@#|*_\\]")
# An underscore ends the word as well: it may be a mark around it.
BROADCAST = re.compile(r"[@\uff20\ufe6b](?=(?:channel|here|everyone|group)(?![^\W_]))", re.IGNORECASE)
_CITABLE_URL = re.compile(r"https?://[^\s<>|\"`\\^{}\x00-\x20\x7f-\x9f\u2000-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")
_LONGEST_URL = 3_000


def clean(text: str) -> str:
    """Remove invisible characters; every kind of line break becomes a newline."""
    text = _LINE_BREAK.sub("\n", text)
    text = _SURROGATE.sub("\ufffd", text)
    text = _INVISIBLE.sub("", text)
    return _JOINER.sub(lambda match: "" if match.group(1) else match.group(), text)


def link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Find every stretch that some client might make a link of, without the punctuation around it."""
    for token in _TOKEN.finditer(text):
        word = token.group()
        if not linkish(word):
            continue
        bare = word.lstrip(_OPENERS)
        start = token.start() + len(word) - len(bare)
        bare = bare.rstrip(_CLOSERS)
        if bare and not _MISSING_SPACE.fullmatch(bare):
            yield start, start + len(bare)


def inert(text: str) -> str:
    """Rewrite plain text for a field that Slack parses: no link, mention or date is left in it."""
    return escape(BROADCAST.sub("[@]", _TOKEN.sub(_break, clean(text))))


def escape(text: str) -> str:
    """Escape Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def citable_url(url: str) -> str | None:
    """Return the URL unchanged where it may be a link of ours: http(s), nothing that ends a link early."""
    return url if len(url) <= _LONGEST_URL and _CITABLE_URL.fullmatch(url) else None


def linkish(word: str) -> bool:
    """Tell whether some client might make a link of something in this word."""
    if _LINKISH.search(word):
        return True
    return not word.isascii() and _LINKISH.search(unicodedata.normalize("NFKC", word)) is not None


def _break(token: re.Match[str]) -> str:
    word = token.group()
    return break_address(word) if linkish(word) else word


def break_address(word: str) -> str:
    """Break every place of a word that makes an address of it."""
    if not word.isascii():
        word = "".join(map(_folded, word))
    # The usual way to write a dangerous address: https[:]//evil[.]example. Readable, and inert everywhere.
    return _BREAKABLE.sub(lambda match: f"[{match.group()}]", word)


def _folded(sign: str) -> str:
    """What a linker takes a sign for; never one that marks something up."""
    folded = unicodedata.normalize("NFKC", sign)
    return sign if _MARKUP.search(folded) else folded
