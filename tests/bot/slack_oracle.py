"""What a Slack client would make of a message: a second, independent reading of Slack's grammar, for tests.

Shares no code with the bot and errs on the strict side: what any client, mode or older behaviour might turn into a
link, a mention or an image counts as live. How to use: `read_message({"text": ..., "blocks": [...]})`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_CONTROL_SEQUENCE = re.compile(r"<([^<>]+)>")
_BARE_MENTION = re.compile(r"(?<!\w)@(channel|here|everyone|group)\b", re.IGNORECASE)
_LOOKALIKES = str.maketrans({"\u2236": ":", "\ua789": ":", "\u2044": "/", "\u2215": "/"})
# The full stop of Chinese and Japanese ends sentences; only between ASCII letters may it pass for a dot.
_IDEOGRAPHIC_DOT = re.compile(r"(?<=[a-z0-9-])[\u3002\uff61](?=[a-z0-9])", re.IGNORECASE)
# Four ways in which linkers find addresses in plain text: scheme with slashes, a scheme known to open something,
# a "www." in front, a host name with a top-level domain of letters.
_ADDRESSES = (
    re.compile(r"[a-z][a-z0-9+.-]{0,20}:[/\\]{1,2}\S+", re.IGNORECASE),
    re.compile(
        r"\b(?:mailto|tel|sms|slack|javascript|vbscript|data|file|skype|facetime|callto|intent):\S+", re.IGNORECASE
    ),
    re.compile(r"\bwww\d?\.\w\S*", re.IGNORECASE),
    re.compile(r"(?<![\w-])[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}\S*"),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b\S*"),
)
_MISSING_SPACE = re.compile(r"[^.:/@\\]+\.[A-Z][a-z']*")
_SILENT_KEYS = frozenset({"type", "style", "action_id", "block_id", "callback_id", "value", "private_metadata"})
_IMAGE_KEYS = frozenset({"image_url", "thumb_url", "video_url", "slack_file", "title_url", "provider_icon_url"})


@dataclass(slots=True)
class Reading:
    """Everything in a message that can act on its reader."""

    links: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Characters that nobody sees."""
    unknown: list[str] = field(default_factory=list)
    """Blocks and elements whose effect this oracle does not know."""


def read_message(payload: Mapping[str, Any]) -> Reading:
    """Read a whole message: its top-level text, and its blocks."""
    reading = Reading()
    _read_mrkdwn(str(payload.get("text", "")), reading, verbatim=False)
    for block in payload.get("blocks") or ():
        _read_block(block, reading)
    _sweep({"text": payload.get("text", ""), "blocks": payload.get("blocks") or []}, reading)
    for key in set(payload) - {"text", "blocks"}:
        reading.unknown.append(key)
    return reading


def over_limits(payload: Mapping[str, Any]) -> list[str]:
    """List which of Slack's limits a message breaks."""
    blocks: Sequence[Mapping[str, Any]] = payload.get("blocks") or ()
    texts = [text for block in blocks for text in _texts(block)]
    broken = {
        "text longer than chat.update takes": len(payload["text"].encode("utf-16-le")) // 2 > 4_000,
        "no text": not payload["text"],
        "more than 50 blocks": len(blocks) > 50,
        "msg_blocks_too_long": sum(len(text.encode("utf-16-le")) // 2 for text in texts) > 13_200,
        "empty text element": any(text == "" for text in texts),
        "more than 10 context elements": any(len(b["elements"]) > 10 for b in blocks if b["type"] == "context"),
        "long text object": any(len(text) > 3_000 for b in blocks if b["type"] == "context" for text in _texts(b)),
    }
    return [name for name, is_broken in broken.items() if is_broken]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _read_block(block: Mapping[str, Any], reading: Reading) -> None:
    match block.get("type"):
        case "rich_text":
            for element in block["elements"]:
                _read_rich(element, reading)
        case "section":
            for text in [block.get("text"), *block.get("fields", [])]:
                _read_text_object(text, reading)
        case "context":
            for element in block["elements"]:
                _read_text_object(element, reading)
        case "header":
            _read_text_object(block.get("text"), reading)
        case "actions" | "context_actions" | "divider" | "input":
            pass  # our own buttons; the sweep looks for addresses in them
        case kind:
            reading.unknown.append(f"block {kind}")


def _read_text_object(text: object, reading: Reading) -> None:
    if not isinstance(text, Mapping):
        return
    match text.get("type"):
        case "plain_text":
            pass
        case "mrkdwn":
            _read_mrkdwn(text["text"], reading, verbatim=bool(text.get("verbatim")))
        case kind:
            reading.unknown.append(f"text object {kind}")


def _read_rich(element: Mapping[str, Any], reading: Reading) -> None:
    match element.get("type"):
        case "rich_text_list":
            for section in element["elements"]:
                _read_rich(section, reading)
        case "rich_text_section" | "rich_text_quote":
            _read_runs(element["elements"], reading)
        case "rich_text_preformatted":
            # Code is shown as it stands; anything but text in it is live, though.
            for run in element["elements"]:
                if run["type"] != "text":
                    _read_runs([run], reading)
        case kind:
            reading.unknown.append(f"rich text {kind}")


def _read_runs(runs: Sequence[Mapping[str, Any]], reading: Reading) -> None:
    spoken = ""
    for run in runs:
        style = run.get("style") or {}
        match run["type"]:
            case "text":
                # Neighbours are read as one text: an address may be spread over several of them.
                spoken += " " if style.get("code") else run["text"]
            case "link":
                reading.links.append(run["url"])
                spoken += " "
            case "user" | "usergroup" | "channel" | "team" | "broadcast":
                reading.mentions.append(str(run))
            case "date":
                reading.dates.append(str(run))
            case "emoji":
                spoken += " "
            case kind:
                reading.unknown.append(f"rich text {kind}")
    reading.links += [found for found in _addresses(spoken) if not _MISSING_SPACE.fullmatch(found)]


def _read_mrkdwn(text: str, reading: Reading, *, verbatim: bool) -> None:
    for match in _CONTROL_SEQUENCE.finditer(text):
        target = match.group(1).partition("|")[0]
        if target.startswith("!date^"):
            reading.dates.append(target)
        elif target[:1] in "@#!":
            reading.mentions.append(target)
        else:
            reading.links.append(target.replace("&amp;", "&"))
    rest = _CONTROL_SEQUENCE.sub(" ", text)
    rest = rest.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if not verbatim:
        reading.mentions += _BARE_MENTION.findall(_folded(rest))
    reading.links += _addresses(rest)


def _addresses(text: str) -> list[str]:
    folded = _folded(text)
    return [match.group().rstrip(".,;:!?)]}\"'”’»*_~`>…-—") for rule in _ADDRESSES for match in rule.finditer(folded)]


def _folded(text: str) -> str:
    dotted = _IDEOGRAPHIC_DOT.sub(".", text)
    folded = unicodedata.normalize("NFKC", dotted).translate(_LOOKALIKES)
    return "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")


def _sweep(value: object, reading: Reading, key: str = "") -> None:
    """Look at every key and string, whatever the block: nothing may hide in a field that the rules above skip."""
    if isinstance(value, Mapping):
        for inner_key, inner in value.items():
            if inner_key in _IMAGE_KEYS or inner == "image":
                reading.images.append(f"{inner_key}: {inner}")
            if inner_key == "url" and value.get("type") != "link":
                reading.links.append(str(inner))
            _sweep(inner, reading, inner_key)
    elif isinstance(value, list):
        for inner in value:
            _sweep(inner, reading, key)
    elif isinstance(value, str) and key not in _SILENT_KEYS:
        reading.hidden += [f"U+{ord(sign):04X}" for sign in value if _is_hidden(sign)]


def _is_hidden(sign: str) -> bool:
    # Joiners belong to scripts and emoji; Arabic number signs and their like are written around what follows.
    if sign in "\n\t\u200c\u200d\u06dd\u070f\u08e2\U000110bd\U000110cd" or "\u0600" <= sign <= "\u0605":
        return False
    if "\u0890" <= sign <= "\u0891":
        return False
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") or 0xE0000 <= ord(sign) <= 0xEFFFF
