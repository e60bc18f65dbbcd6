"""What a page says of itself to robots: that it is another page, or none to be found. Looks for tags only."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Both stand in the head of a page; what follows is its content, which may quote them.
_HEAD_BYTES = 256 * 1024
_END = re.compile(r"<body\b|</head\s*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|noscript)\b.*?(?:</\1|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(link|meta)\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LINK_HEADER = re.compile(r"<([^<>]*)>([^<>]*)")


@dataclass(frozen=True, kw_only=True)
class Head:
    """What it says."""

    canonical: str = ""
    """The link to the page that it is, as written; empty where it says nothing."""
    noindex: bool = False
    nofollow: bool = False


def read_head(content: bytes, headers: Mapping[str, str], robot: str) -> Head:
    """Read the head of a page and its HTTP headers, for a robot of that name."""
    text = _COMMENT.sub("", content[:_HEAD_BYTES].decode("utf-8", "replace"))
    end = _END.search(text)
    canonical = ""
    rules = _header_rules(headers.get("x-robots-tag", ""), robot)
    for tag, inside in _TAG.findall(text[: end.start()] if end else text):
        told = {
            found[0].lower(): html.unescape(found[1] or found[2] or found[3]) for found in _ATTRIBUTE.findall(inside)
        }
        if tag.lower() == "link" and "canonical" in told.get("rel", "").lower().split():
            canonical = canonical or told.get("href", "").strip()
        elif tag.lower() == "meta" and told.get("name", "").strip().lower() in ("robots", robot.lower()):
            rules |= _words(told.get("content", ""))
    return Head(
        canonical=canonical or _header_canonical(headers.get("link", "")),
        noindex=bool(rules & {"noindex", "none"}),
        nofollow=bool(rules & {"nofollow", "none"}),
    )


def _header_rules(told: str, robot: str) -> set[str]:
    """The words of an X-Robots-Tag; a name before a colon says for whom those behind it are."""
    rules: set[str] = set()
    is_ours = True
    for part in told.lower().split(","):
        name, colon, rest = part.strip().partition(":")
        if colon and name.strip() not in ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"):
            is_ours, part = name.strip() in (robot.lower(), "*"), rest
        if is_ours:
            rules |= _words(part)
    return rules


def _header_canonical(told: str) -> str:
    for link, parameters in _LINK_HEADER.findall(told[:4000]):
        if re.search(r";\s*rel\s*=\s*\"?canonical\b", parameters, re.IGNORECASE):
            return str(link)
    return ""


def _words(told: str) -> set[str]:
    return set(re.split(r"[\s,]+", told.lower()))
