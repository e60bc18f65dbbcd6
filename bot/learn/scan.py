"""What must not be learned: secrets, for which a row is left out, and addresses and numbers of people, replaced.

The patterns of tokens are those of gitleaks, its file copied unchanged (MIT, see gitleaks.LICENSE beside it), so that a
newer one can take its place; chat adds ways of its own to give a password away. Why not detect-secrets, and what both
find: tests/benchmarks/README.md, "Secrets". Knows texts only.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_FILE = "gitleaks.toml"
_CASELESS = "(?i)"
_SIGNS_OF_GO = (("\\z", "\\Z"), ("[[:alnum:]]", "[A-Za-z0-9]"), ("[:alnum:]", "A-Za-z0-9"), ("[:word:]", "\\w"))


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Something that looks like a secret; its text is nobody's business."""

    rule: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Allowed:
    """What only looks like a secret."""

    patterns: tuple[re.Pattern[str], ...]
    words: tuple[str, ...]
    of_match: bool
    needs_all: bool

    def covers(self, secret: str, match: str) -> bool:
        target = match if self.of_match else secret
        tests = []
        if self.patterns:
            tests.append(any(pattern.search(target) for pattern in self.patterns))
        if self.words:
            tests.append(any(word in secret.lower() for word in self.words))
        return bool(tests) and (all(tests) if self.needs_all else any(tests))


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One kind of secret."""

    id: str
    pattern: re.Pattern[str]
    keywords: tuple[str, ...]
    """One of them stands beside every secret of this kind; none: it is looked for in every text."""
    entropy: float = 0.0
    group: int = 0
    allowed: tuple[_Allowed, ...] = ()
    holds: Callable[[str], bool] = lambda _text: True
    """What its signs must add up to."""

    def find(self, text: str, lower: str) -> Iterator[str]:
        if self.keywords and not any(word in lower for word in self.keywords):
            return
        for match in self.pattern.finditer(text):
            secret = match.group(self.group) if self.group else next(filter(None, match.groups()), match.group())
            if _entropy(secret) < self.entropy or not self.holds(secret):
                continue
            if not any(one.covers(secret, match.group()) for one in self.allowed):
                yield secret


def find_secrets(text: str) -> tuple[Secret, ...]:
    """Find what looks like a password, a key or an account number."""
    lower = text.lower()
    return tuple(Secret(rule=rule.id, text=secret) for rule in _rules() for secret in rule.find(text, lower))


def without_people(*texts: str) -> tuple[str, ...]:
    """Put stand-ins in the place of mail addresses and telephone numbers, the same one everywhere in these texts.

    They look like what they stand for and can belong to nobody, so that copying from a passage is still learned.
    """
    mails: dict[str, str] = {}
    numbers: dict[str, str] = {}

    def mail(match: re.Match[str]) -> str:
        return mails.setdefault(match.group(), f"person{len(mails) + 1}@example.org")

    def number(match: re.Match[str]) -> str:
        found = match.group()
        return numbers.setdefault(found, f"+1 202-555-01{len(numbers) % 100:02d}") if _is_phone(found) else found

    # Addresses under example.org are reserved (RFC 2606), numbers at 555-01 are set aside for fiction.
    return tuple(_PHONE.sub(number, _EMAIL.sub(mail, text)) for text in texts)


_EMAIL = re.compile(r"\b[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,}\b")
_PHONE = re.compile(r"(?<![\w.,:/#-])(?:\+|00)?\(?\d[\d()/ .-]{6,18}\d(?![\w]|[.,:]\d)")


def _is_phone(text: str) -> bool:
    """Tell telephone numbers from other figures: dates, amounts and versions have fewer digits or other signs."""
    digits = re.sub(r"\D", "", text)
    if not 8 <= len(digits) <= 15 or re.fullmatch(r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?.*", text.strip()):
        return False
    parts = [part for part in re.split(r"\D+", text) if part]
    spoken = text.lstrip().startswith(("+", "00", "(", "0"))
    # "10 20 30 40" are figures: without a sign of a telephone number there are three parts or so, the last one long.
    return spoken or (2 <= len(parts) <= 4 and len(parts[-1]) >= 4 and "." not in text)


def _luhn(text: str) -> bool:
    digits = [int(sign) for sign in text if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 3:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(text: str) -> bool:
    compact = "".join(text.split()).upper()
    if not 15 <= len(compact) <= 34:
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def _is_mixed(text: str) -> bool:
    """Whether signs are mixed as in keys and hardly in words, names or addresses."""
    kinds = (any(map(str.isupper, text)), any(map(str.islower, text)), sum(map(str.isdigit, text)) >= 2)
    return all(kinds) and not re.search(r"[a-z]{8,}", text)


_OUR_RULES = (
    _Rule(
        id="said-password",
        pattern=re.compile(
            r"(?i)\b(?:password|passwort|passphrase|passcode|passwd|pwd|pw|pin)\b['\"`*]*"
            r"(?:\s+(?:for|of|to)\s+(?:\S+\s+){1,4}?)?\s*(?::|=|\bis\b|\bwas\b|->)+\s*['\"`*]*"
            r"([^\s'\"`*]{4,64})"
        ),
        keywords=("pass", "pwd", "pw", "pin"),
        # "is required", "is wrong" and what stands for a password: a word without a figure or a sign in it.
        holds=lambda text: (
            bool(re.search(r"\d", text) or re.search(r"\w[!#$%&@^+=]+\w|[!#$%&@^]$", text))
            and not re.fullmatch(r"[<\[{$%].*|\d+[.)]|\d+-?(?:characters?|days?|months?|signs|times)\W?", text)
            and len(text.strip(".,;:!?)")) >= 4
        ),
    ),
    _Rule(
        id="address-with-password",
        pattern=re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,64}:([^\s:/@]{3,128})@[\w.-]+", re.IGNORECASE),
        keywords=("://",),
        holds=lambda text: not re.fullmatch(r"[<\[{$%*.].*|x+|password|pass|secret|pw", text, re.IGNORECASE),
    ),
    _Rule(
        # The file's rule of this kind wants a word sign at the value's start. Looked ahead for, as a value may be a
        # name with a value again.
        id="named-value",
        pattern=re.compile(
            r"(?i)(?:secret|token|api[_-]?key|access[_-]?key|credential)"
            r"(?=[\w-]{0,20}['\"`]?\s{0,3}[:=]\s{0,3}['\"`]?([A-Za-z0-9+/=_.-]{16,}))"
        ),
        keywords=("secret", "token", "key", "credential"),
        entropy=3.5,
        holds=lambda text: any(map(str.isdigit, text)) and "//" not in text[:2],
    ),
    _Rule(
        # The rule of the file wants an assignment beside it.
        id="telegram-token",
        pattern=re.compile(r"(?<!\d)\d{8,10}:A[\w-]{34}(?![\w-])"),
        keywords=(":a",),
    ),
    _Rule(
        id="payment-card",
        pattern=re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])"),
        keywords=(),
        holds=_luhn,
    ),
    _Rule(
        id="bank-account",
        pattern=re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
        keywords=(),
        holds=_iban,
    ),
    _Rule(
        id="unnamed-key",
        pattern=re.compile(r"(?<![\w/+=.-])[A-Za-z0-9_+/-]{24,}={0,2}(?![\w/+=-])"),
        keywords=(),
        entropy=4.0,
        holds=lambda text: _is_mixed(text) and "//" not in text and text.count("/") < 3,
    ),
)


@cache
def _rules() -> tuple[_Rule, ...]:
    content = tomllib.loads(files(__package__).joinpath(_FILE).read_text(encoding="utf-8"))
    everywhere = _allowed(content.get("allowlist", {}))
    # A rule without a pattern is about names of files.
    theirs = [_rule(row, everywhere) for row in content["rules"] if "regex" in row and "path" not in row]
    return (*theirs, *_OUR_RULES)


def _rule(row: Mapping[str, Any], everywhere: Iterable[_Allowed]) -> _Rule:
    own = [allowed for one in row.get("allowlists", ()) for allowed in _allowed(one)]
    return _Rule(
        id=row["id"],
        pattern=re.compile(as_python(row["regex"])),
        keywords=tuple(word.lower() for word in row.get("keywords", ())),
        entropy=float(row.get("entropy", 0.0)),
        group=int(row.get("secretGroup", 0)),
        allowed=(*everywhere, *own),
    )


def _allowed(row: Mapping[str, Any]) -> tuple[_Allowed, ...]:
    found = _Allowed(
        patterns=tuple(re.compile(as_python(one)) for one in row.get("regexes", ())),
        words=tuple(word.lower() for word in row.get("stopwords", ())),
        of_match=row.get("regexTarget", "secret") != "secret",
        needs_all=row.get("condition", "OR").upper() == "AND",
    )
    return (found,) if found.patterns or found.words else ()


def as_python(pattern: str) -> str:
    """Write a pattern of Go's for Python: there, "from here on any case" may stand anywhere within a group."""
    for theirs, ours in _SIGNS_OF_GO:
        pattern = pattern.replace(theirs, ours)
    written: list[str] = []
    opened = [0]
    in_class = False
    place = 0
    while place < len(pattern):
        sign = pattern[place]
        if sign == "\\":
            written.append(pattern[place : place + 2])
            place += 2
            continue
        if not in_class and pattern.startswith(_CASELESS, place) and place:
            written.append("(?i:")
            opened[-1] += 1
            place += len(_CASELESS)
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
            if pattern[place + 1 : place + 2] == "]":
                written.append("[\\]")
                place += 2
                continue
        elif sign == "(":
            # A flag for the whole pattern at its start opens no group.
            opened += [0] if not pattern.startswith(_CASELESS, place) else []
            if pattern.startswith(_CASELESS, place):
                written.append(_CASELESS)
                place += len(_CASELESS)
                continue
        elif sign == ")":
            written.append(")" * opened.pop())
        written.append(sign)
        place += 1
    written.append(")" * opened[0])
    return "".join(written)


def _entropy(text: str) -> float:
    """Shannon's, in bits a sign."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values()) if total else 0.0
