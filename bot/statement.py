"""What a sentence states: its words, and the values among them (numbers, amounts, dates, durations, names).

Two sentences of the same words state different things where exactly one value differs. Meant to miss much and to be
right: likeness alone cannot tell a contradiction from a statement about something else. Knows no documents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.sentences import STOP_WORDS, stem

Kind = Literal["date", "time", "money", "percent", "duration", "weekday", "number", "name"]

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = r"(?:" + "|".join(f"{month}|{month[:3]}\\.?" for month in _MONTHS) + r")"
_NUMBER_WORDS = dict(
    zip(
        "two three four five six seven eight nine ten eleven twelve fourteen fifteen twenty thirty forty fifty sixty "
        "ninety hundred".split(),
        (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 20, 30, 40, 50, 60, 90, 100),
        strict=True,
    )
)
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_COUNT = rf"(?:{_NUMBER}|{'|'.join(_NUMBER_WORDS)})"
_SCALE = r"(?:\s?(?:million|billion|thousand|k|m|bn)\b)?"
_CURRENCY = r"(?:€|\$|£|¥|euros?|eur|dollars?|usd|pounds?|gbp|francs?|chf)"
_DAYS_OF = {
    "second": 1 / 86_400,
    "minute": 1 / 1_440,
    "hour": 1 / 24,
    "day": 1.0,
    "week": 7.0,
    "month": 30.4,
    "year": 365.0,
}
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_EDGE, _END = r"(?<![\w.,/:#-])", r"(?![\w/]|[.,:-]\d)"
_VALUES: dict[str, str] = {
    "date": rf"\d{{4}}-\d\d-\d\d|\d{{1,2}}(?:st|nd|rd|th)?\.?\s(?:of\s)?{_MONTH}(?:,?\s\d{{4}})?|"
    rf"{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?|{_MONTH}\s\d{{4}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}}",
    "time": r"\d{1,2}:\d\d(?:\s?[ap]\.?m\b)?|\d{1,2}\s?[ap]\.?m\b",
    "money": rf"{_CURRENCY}\s?{_NUMBER}{_SCALE}|{_NUMBER}{_SCALE}\s?{_CURRENCY}",
    "percent": rf"{_COUNT}\s?(?:%|percent\b|per\scent\b)",
    "duration": rf"{_COUNT}[\s-](?:{'|'.join(_DAYS_OF)})s?",
    "weekday": rf"(?:{'|'.join(_WEEKDAYS)})s?",
    "number": _COUNT,
}
_VALUE = re.compile("|".join(f"{_EDGE}(?P<{kind}>{pattern}){_END}" for kind, pattern in _VALUES.items()), re.IGNORECASE)
# A capital letter that no sentence begins with.
_NAME = re.compile(r"(?<=[\w,;:)] )[A-ZÀ-Þ][\w'’.-]*\w(?: [A-ZÀ-Þ][\w'’.-]*\w)*")
_TOKEN = re.compile(r"<(\d+)>|\w+(?:[.'’/-]\w+)*|[#§%$€£]")
_DIGITS = re.compile(_NUMBER)
# "Step 3", "version 2", "page 12": a label and not a quantity.
_LABELS = frozenset(
    """step version release rule section chapter page figure table level phase part item number no article appendix
    tier type class grade option example question line row port model issue ticket room floor pep rfc kep""".split()
)
_UNSAID = frozenset("a an the of to for in on at by and we our you your their this that there it its as".split())
_UNSAID_BESIDE = frozenset("currently now exactly total please is are be".split())
# Without what stands before it, such a sentence does not say whom it is about.
_POINTING = frozenset("he she it they this these those his her its their such both here there then".split())
# In a list or a table too much differs at once.
_MOST_VALUES = 4
_LEAST_CONTENT = 2
_LEAST_DIFFERENCE = 0.03


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value as it is written, and what it comes to."""

    kind: Kind
    text: str
    amount: tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A sentence as its words, with a place for each value, and its values in order."""

    words: Counter[str]
    values: tuple[Value, ...]
    content: frozenset[str]
    """Stems that carry meaning, without the values."""


def read_statement(sentence: str) -> Statement | None:
    """Read what a sentence states; None where it holds no value, too many, or does not say what it is about."""
    first = next(iter(re.findall(r"\w+", sentence.lower())), "")
    if first in _POINTING or sentence.rstrip().endswith(("?", ":")):
        return None
    values, text = _take_values(sentence)
    if not 1 <= len(values) <= _MOST_VALUES:
        return None
    said = [word for word in _words(text, values) if word not in _UNSAID]
    content = frozenset(stem(word) for word in said if word not in STOP_WORDS and not word.startswith("<"))
    if len(content) < _LEAST_CONTENT:
        return None
    words = Counter(word if word.startswith("<") else stem(word) for word in said if word not in _UNSAID_BESIDE)
    return Statement(words=words, values=tuple(values), content=content)


def differing_values(one: Statement, other: Statement) -> tuple[Value, Value] | None:
    """The one value that two statements of the same words disagree about; None where they do not, or in more."""
    if one.words != other.words or [value.kind for value in one.values] != [value.kind for value in other.values]:
        return None
    pairs = [pair for pair in zip(one.values, other.values, strict=True) if not _is_same(*pair)]
    return pairs[0] if len(pairs) == 1 else None


def _take_values(sentence: str) -> tuple[list[Value], str]:
    """The values of a sentence, and the sentence with their places marked; what begins it is what it is about."""
    found: list[tuple[int, int, Value]] = []
    for match in _VALUE.finditer(sentence):
        kind, text = match.lastgroup or "", match.group()
        if match.start() and not _is_label(kind, sentence[: match.start()]):
            found.append((match.start(), match.end(), _value(kind, text)))
    for match in _NAME.finditer(sentence):
        if not any(start < match.end() and match.start() < end for start, end, _ in found):
            name = match.group()
            found.append((match.start(), match.end(), Value(kind="name", text=name, amount=(name.lower(),))))
    found.sort(key=lambda one: one[0])
    text, last = "", 0
    for number, (start, end, _) in enumerate(found):
        text += f"{sentence[last:start]} <{number}> "
        last = end
    return [value for _, _, value in found], text + sentence[last:]


def _is_label(kind: str, before: str) -> bool:
    """Whether a number names something instead of counting it: after a label, a sign, or a name."""
    if kind != "number":
        return False
    previous = re.search(r"([\w§#]+)\W*$", before)
    if previous is None:
        return True
    word = previous.group(1)
    return word.lower().rstrip("s") in _LABELS or word[0].isupper() or word[0] in "§#"


def _words(text: str, values: list[Value]) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        yield f"<{values[int(match.group(1))].kind}>" if match.group(1) else match.group().lower()


def _value(kind: str, text: str) -> Value:
    low = text.lower()
    figure = _DIGITS.search(low)
    word = next((number for name, number in _NUMBER_WORDS.items() if name in low), 0)
    amount = float(figure.group().replace(",", "")) if figure else float(word)
    match kind:
        case "duration":
            unit = next(unit for unit in _DAYS_OF if re.search(rf"{unit}s?$", low))
            return Value(kind="duration", text=text, amount=(amount * _DAYS_OF[unit],))
        case "money":
            scale = next((10**power for sign, power in _SCALES if re.search(rf"\d\s?{sign}\b", low)), 1)
            return Value(kind="money", text=text, amount=(_currency(low), amount * scale))
        case "percent":
            return Value(kind="percent", text=text, amount=(amount,))
        case "date":
            return Value(kind="date", text=text, amount=_date(low))
        case "time":
            hour, _, minutes = low.partition(":")
            shift = 12 if re.search(r"p\.?m", low) and int(re.findall(r"\d+", hour)[0]) < 12 else 0
            minute = re.match(r"\d\d", minutes)
            at = (int(re.findall(r"\d+", hour)[0]) + shift) * 60 + (int(minute.group()) if minute else 0)
            return Value(kind="time", text=text, amount=(at,))
        case "weekday":
            return Value(kind="weekday", text=text, amount=(low.rstrip("s"),))
        case _:
            return Value(kind="number", text=text, amount=(amount,))


_SCALES = (("billion", 9), ("bn", 9), ("million", 6), ("m", 6), ("thousand", 3), ("k", 3))


def _currency(text: str) -> str:
    signs = {
        "€": "eur",
        "eur": "eur",
        "$": "usd",
        "usd": "usd",
        "dollar": "usd",
        "£": "gbp",
        "pound": "gbp",
        "gbp": "gbp",
    }
    return next((name for sign, name in signs.items() if sign in text), "other")


def _date(text: str) -> tuple[object, ...]:
    """Year, month and day, None for what is not said."""
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text):
        return tuple(int(part) for part in match.groups())
    if match := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        # Day and month change places between countries.
        return (int(match.group(3)), *sorted((int(match.group(1)), int(match.group(2)))))
    month = next((number for number, name in enumerate(_MONTHS, 1) if name[:3] in text), None)
    year = re.search(r"\d{4}", text)
    day = re.search(r"(?<!\d)\d{1,2}(?!\d)", text)
    return (int(year.group()) if year else None, month, int(day.group()) if day else None)


def _is_same(one: Value, other: Value) -> bool:
    """Whether two values of one kind may be the same: written otherwise, rounded, or one of them said in part."""
    return len(one.amount) == len(other.amount) and all(map(_agrees, one.amount, other.amount))


def _agrees(one: object, other: object) -> bool:
    if one is None or other is None:
        return True
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _LEAST_DIFFERENCE * max(abs(one), abs(other)) and not (
            one.is_integer() and other.is_integer() and max(one, other) < 100 and one != other
        )
    return one == other
