"""robots.txt as RFC 9309 reads it: the rules for one robot, the longest of those that match wins.

The standard library's parser knows neither wildcards nor that order. It reads text only; who asks for it is in `site`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes, urlsplit

# The least that a reader must take of a file, by the RFC; no site's rules are longer.
MAX_BYTES = 500 * 1024
# As in an address: these stand for themselves, whether written out or as %xx.
_SAFE = "/?&=:@!$'()*+,;~-._%"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a site asks of one robot."""

    rules: tuple[tuple[bool, str], ...] = ()
    """Whether it is allowed, and the pattern of paths."""
    delay_seconds: float = 0.0
    sitemaps: tuple[str, ...] = field(default=())

    def allows(self, url: str) -> bool:
        """Whether an address may be read."""
        parts = urlsplit(url)
        path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        matching = [(len(pattern), allowed) for allowed, pattern in self.rules if _matches(pattern, path)]
        # Of two that are equally long the one that allows.
        return max(matching, default=(0, True))[1]


def read_rules(text: str, robot: str) -> Rules:
    """The rules of the groups that name a robot; of those for all robots where none does."""
    groups: dict[str, list[tuple[str, str]]] = {}
    sitemaps: list[str] = []
    named: list[str] = []
    in_rules = False
    for line in text[:MAX_BYTES].splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            # One that follows a rule begins the next group.
            named = [] if in_rules else named
            in_rules = False
            found = re.match(r"[a-zA-Z_-]+|\*", value)
            named.append(found.group().lower() if found else "")
            groups.setdefault(named[-1], [])
        elif key == "sitemap":
            sitemaps.append(value)
        elif key in ("allow", "disallow", "crawl-delay"):
            in_rules = True
            for name in named:
                groups[name].append((key, value))
    own = groups.get(robot.lower(), groups.get("*", []))
    return Rules(
        rules=tuple((key == "allow", _normal(value)) for key, value in own if key != "crawl-delay" and value),
        delay_seconds=max([_seconds(value) for key, value in own if key == "crawl-delay"], default=0.0),
        sitemaps=tuple(sitemaps),
    )


def _matches(pattern: str, path: str) -> bool:
    """Whether a path begins as a pattern says; `*` stands for anything, a `$` at the end for the end of the path.

    Piece by piece and never back: a hostile pattern costs no more than its length times the path's.
    """
    whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return len(path) == len(first) or not whole
    at = len(first)
    for piece in rest[:-1]:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if whole:
        return len(path) - len(rest[-1]) >= at and path.endswith(rest[-1])
    return path.find(rest[-1], at) >= 0


def _normal(path: str) -> str:
    """A path in one spelling: octets outside ASCII as %XX, others of which no meaning hangs as themselves."""
    pieces = re.split(r"(%[0-9A-Fa-f]{2})", path)
    return "".join(_octet(one) if number % 2 else quote(one, safe=_SAFE) for number, one in enumerate(pieces))


def _octet(escape: str) -> str:
    character = unquote_to_bytes(escape).decode("latin-1")
    return character if character.isascii() and (character.isalnum() or character in "-._~") else escape.upper()


def _seconds(value: str) -> float:
    try:
        return max(0.0, float(value)) if len(value) < 20 else 0.0
    except ValueError:
        return 0.0
