"""Who answers for a Markdown file, as the lines in front of it say: `owner:` or, where there is none, `author:`.

Only one-line values between two `---` are read, and only the beginning of the file: nothing is parsed that could hurt.
"""

from __future__ import annotations

import json
import re
import unicodedata

_MARKDOWN = "text/markdown"
# Longer fronts are no fronts.
_MOST_BYTES = 8_192
_LONGEST = 80
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^(owner|author):[ \t]*(\S.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_COMMENT = re.compile(r"(?:^|[ \t])#.*$")
# What begins so is no plain text in YAML: lists, maps, references, block texts.
_NOT_TEXT = tuple("[{&*!|>%@`")


def owner_of(content: bytes, media_type: str) -> str:
    """Read who answers for a file; empty where it is no Markdown, or does not say."""
    if media_type != _MARKDOWN:
        return ""
    front = _FRONT.match(content[:_MOST_BYTES].decode("utf-8", "replace"))
    if front is None:
        return ""
    found: dict[str, str] = {}
    for named in _LINE.finditer(front.group(1)):
        found.setdefault(named.group(1).lower(), _text_of(named.group(2)))
    return found.get("owner") or found.get("author") or ""


def _text_of(value: str) -> str:
    if value[:1] in ("'", '"'):
        end = value.rfind(value[0])
        value = _unquoted(value[: end + 1]) if end > 0 else ""
    elif value.startswith(_NOT_TEXT):
        return ""
    else:
        value = _COMMENT.sub("", value)
    shown = "".join(one for one in value if unicodedata.category(one) not in ("Cc", "Cf", "Cs"))
    return " ".join(shown.split())[:_LONGEST]


def _unquoted(value: str) -> str:
    if value[0] == "'":
        return value[1:-1].replace("''", "'")
    try:
        return str(json.loads(value))
    except ValueError:
        return value[1:-1]
