"""Makes Markdown that is still being written harmless for Slack's streaming calls, which parse what they are given.

What is handed out is final: text can only be appended. So a word goes out when it is complete and a code span when it
is closed, and whatever might become a link, a mention, an image or a date is broken visibly. `altered` tells that the
text that went out differs from the text that came in: then the finished message is to be put in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.slack.inert import BROADCAST, DOTS, break_address, clean, linkish

# Scripts without spaces between their words: there, every sign is a word that is complete.
_SPACELESS = "\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3"
# Not right after a dot: the two signs behind it tell whether it is an address.
_SAME_WORD = f"(?!(?<=[^{DOTS}][{_SPACELESS}])(?=[{_SPACELESS}]))"
# A word, with complete code spans and escaped signs in it.
_PART = r"(?:[^\s`\\]|\\[^\s`]|\\$|`[^`\n]+`(?!`))"
_UNIT = re.compile(f"{_PART}(?:{_SAME_WORD}{_PART})*")
_WORD = re.compile(f"\\S(?:{_SAME_WORD}\\S)*")
_COMPLETE = re.compile(f"[ \\t\\n]|(?<=[^{DOTS}])[{_SPACELESS}](?=[{_SPACELESS}])")
_SPACE = re.compile(r"\s+")
_SPAN = re.compile(r"(`[^`\n]+`)")
_FENCE = re.compile(r" {0,3}(`{3,})([^`\n]*)")
_MAYBE_FENCE = re.compile(r" {0,3}`{0,2}")
_TILDES = re.compile(r"~{3,}")
# What opens a control sequence of Slack's, an autolink or a tag.
_OPENING = re.compile(r"<(?=[^\s=\-\d])")
_OPENING_IN_CODE = re.compile(r"<(?=[@#!]|[^\s<>]*[:|])")
_ENTITY = re.compile(r"&(?=[a-zA-Z#])")
_ENTITY_IN_CODE = re.compile(r"&(?=(?:lt|gt|amp);|#)")
_LINK = re.compile(r"\](?=[(:])")
_MARKS = re.compile(r"[*_~`\\|]")
_ADDRESS_IN_CODE = re.compile(r"[:\uff1a][/\\]|www\d?\.", re.IGNORECASE)
_LANGUAGE = re.compile(r"^\s+|[^\w+#-].*", re.DOTALL)
# A file or a host by its bare name, between punctuation: as code it is no link, and it reads well.
_NAME = re.compile(r"([(\"'“‘]*)(\w[\w/-]*(?:\.[\w/-]*\w)+)([.,;:!?)\"'”’]*)", re.ASCII)
# Longer than this no code span is waited for.
_LONGEST_SPAN = 400


class InertMarkdown:
    """Takes a growing text piece by piece and gives out what may be shown; belongs to one thread."""

    def __init__(self) -> None:
        self.altered = False
        self._rest = ""
        self._fence = ""
        self._line = ""
        self._unsure = False

    def feed(self, text: str, *, last: bool = False) -> str:
        """Take more of the text; returns what can be appended now, and with `last` all that is left."""
        searched = max(0, len(self._rest) - 1)
        self._rest += text
        ready = len(self._rest) if last else self._boundary(searched)
        whole, self._rest = self._rest[:ready], self._rest[ready:]
        cleaned = clean(whole)
        self.altered |= cleaned != whole.replace("\r\n", "\n")
        return self._consume(cleaned, last=last)

    def _boundary(self, start: int) -> int:
        # Cleaning looks at neighbours: only a complete word has all of them.
        ends = [match.end() for match in _COMPLETE.finditer(self._rest, start)]
        return ends[-1] if ends else 0

    def _consume(self, text: str, *, last: bool) -> str:
        done: list[str] = []
        position = 0
        while position < len(text):
            taken = self._take(text, position, last=last)
            if taken is None:
                break
            out, position, line = taken
            self._follow(line)
            done.append(out)
        self._rest = text[position:] + self._rest
        return "".join(done)

    def _take(self, text: str, start: int, *, last: bool) -> tuple[str, int, str] | None:
        """The next unit made harmless, where it ends, and how it stood in the text; None: wait for more of it."""
        if not self._line:
            end = text.find("\n", start)
            line = text[start : end if end >= 0 else len(text)]
            if end < 0 and not last and (_MAYBE_FENCE.fullmatch(line) or _FENCE.match(line)):
                return None
            if fence := _FENCE.match(line):
                return self._take_fence(fence, line, start)
        if space := _SPACE.match(text, start):
            # One line end at a time: a fence may follow each.
            end = text.find("\n", start, space.end())
            stop = end + 1 if end >= 0 else space.end()
            return text[start:stop], stop, text[start:stop]
        if self._fence:
            word = _word(text, start)
            return self._code(word, fenced=True), start + len(word), word
        unit = self._unit(text, start, last=last)
        return None if unit is None else (self._words(unit), start + len(unit), unit)

    def _take_fence(self, fence: re.Match[str], line: str, start: int) -> tuple[str, int, str]:
        marks, info = fence.group(1), fence.group(2)
        end = start + len(line)
        if not self._fence:
            if fence.end() == len(line) and not line.startswith(" "):
                self._fence, language = marks, _LANGUAGE.sub("", info)
                self.altered |= language != info.strip()
                return f"{marks}{language}", end, line
        elif len(marks) >= len(self._fence) and not line[fence.end(1) :].strip():
            self._fence = ""
            self._unsure = False
            return line, end, line
        # Readers of Markdown differ about such a line: for all of them it is no fence then.
        self.altered = True
        if not self._fence:
            self._unsure = True
        return self._code(line, fenced=True) if self._fence else self._words(line.replace("`", "ˋ")), end, line

    def _unit(self, text: str, start: int, *, last: bool) -> str | None:
        """A word with its complete code spans; None where a span may still be closed."""
        word = _word(text, start)
        if self._unsure:
            return word
        match = _UNIT.match(text, start)
        unit = match.group() if match else ""
        end = start + len(unit)
        if end == len(text) or text[end] not in "`\\":
            return unit
        line_is_complete = "\n" in text[end:] or last
        if (
            not line_is_complete
            and len(text) - end < _LONGEST_SPAN
            and text[end] == "`"
            and text[end : end + 2] != "``"
        ):
            return None
        self._unsure = True
        return word

    def _words(self, unit: str) -> str:
        if not self._unsure and "`" in unit:
            parts = _SPAN.split(unit)
            # A bar inside a span may end the cell of a table, and with it the span.
            codes = [n % 2 == 1 and "|" not in part for n, part in enumerate(parts)]
            safe = [
                self._code(p) if code else self._plain(p, alone=False) for p, code in zip(parts, codes, strict=True)
            ]
            # What stands around a span belongs together with it for some readers.
            apart = _is_span(unit) or not linkish(_MARKS.sub("", unit))
            return "".join(safe) if apart else self._break("".join(safe))
        return self._plain(unit, alone=not self._unsure)

    def _plain(self, word: str, *, alone: bool) -> str:
        safe = _TILDES.sub(lambda match: f"\\{match.group()}" if not self._line.strip() else match.group(), word)
        safe = _muted(safe)
        if linkish(word) or linkish(_MARKS.sub("", word)):
            named = _NAME.fullmatch(word) if alone else None
            if named and not word.lower().startswith("www"):
                # As the finished message shows it, but for a space that is missing between two sentences.
                self.altered |= re.fullmatch(r"\w+\.[A-Z][a-z']*", named.group(2)) is not None
                return f"{named.group(1)}`{named.group(2)}`{named.group(3)}"
            return self._break(safe)
        self.altered |= safe != word
        return safe

    def _code(self, code: str, *, fenced: bool = False) -> str:
        safe = _ENTITY_IN_CODE.sub("＆", _OPENING_IN_CODE.sub("‹", code))
        safe = BROADCAST.sub("[@]", safe)
        safe = safe.replace("```", "ˋˋˋ") if fenced else safe
        self.altered |= safe != code
        return self._break(safe) if _ADDRESS_IN_CODE.search(code) else safe

    def _break(self, word: str) -> str:
        self.altered = True
        return _muted(break_address(word))

    def _follow(self, raw: str) -> None:
        """Keep track of the line: what was taken is where the next unit stands."""
        self._line += raw
        if not raw.endswith("\n"):
            return
        if not self._line.strip():
            self._unsure = False
        self._line = ""


def split_at_line(text: str) -> tuple[str, str]:
    """Cut a text after its last complete line; all of it is the rest where it has none."""
    end = text.rfind("\n") + 1
    return text[:end], text[end:]


def blocks_of(text: str) -> int:
    """Estimate, rather too high, into how many blocks Slack expands Markdown."""
    return sum(1 for _ in _starts(text))


def _starts(text: str) -> Iterator[str]:
    before = ""
    for line in text.split("\n"):
        if line.strip() and (not before or line.lstrip()[:1] in "#>|`-*+" or line.lstrip()[:1].isdigit()):
            kind = line.lstrip()[:1]
            if not before or kind != before.lstrip()[:1] or kind == "#":
                yield line
        before = line.strip()


def _muted(word: str) -> str:
    """Break what opens a control sequence, a tag, an entity, a link's address, or calls everybody."""
    safe = _ENTITY.sub("＆", _OPENING.sub("‹", word))
    return BROADCAST.sub("[@]", _LINK.sub("] ", safe))


def _word(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    return match.group() if match else ""


def _is_span(unit: str) -> bool:
    """Whether nothing but punctuation stands around one code span."""
    return re.fullmatch(r"[(\"'“‘*_]*`[^`\n]+`[.,;:!?)\"'”’*_]*", unit) is not None
