"""Message text: typed text becomes Slack's mrkdwn and a rich_text block; mentions and links are found in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from bot.playground.workspace import JSON, User

_CONTROL = re.compile(r"<(?:@[UW][A-Z0-9]+(?:\|[^<>]*)?|#C[A-Z0-9]+(?:\|[^<>]*)?|!(?:here|channel|everyone))>")
_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,:;!?)\]'\"]")
_TOKEN = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")


def from_typed(text: str, users: Collection[User]) -> str:
    """Turn typed text into what Slack stores: names become mentions, addresses links, the rest is escaped."""
    text = _mention_names(text, users)
    pieces = []
    position = 0
    for match in _CONTROL.finditer(text):
        pieces += [_linked(text[position : match.start()]), match.group()]
        position = match.end()
    pieces.append(_linked(text[position:]))
    return "".join(pieces)


def mentions(text: str, user_id: str) -> bool:
    """Tell whether the text mentions this user."""
    return re.search(rf"<@{re.escape(user_id)}(?:\|[^<>]*)?>", text) is not None


def links(text: str) -> list[str]:
    """List the addresses that Slack would turn into links, with or without angle brackets."""
    return list(dict.fromkeys(unescape(url) for url in _URL.findall(text)))


def escape(text: str) -> str:
    """Escape the three control characters; what is escaped already stays."""
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def rich_text_of(text: str, block_id: str) -> JSON:
    """Give the rich_text block that Slack's own clients attach to a typed message."""
    return {
        "type": "rich_text",
        "block_id": block_id,
        "elements": [{"type": "rich_text_section", "elements": list(_elements(text))}],
    }


def _mention_names(text: str, users: Collection[User]) -> str:
    for user in users:
        names = "|".join(re.escape(name) for name in sorted({user.real_name, user.name}, key=len, reverse=True))
        text = re.sub(rf"(?<![\w<@])@(?:{names})\b", f"<@{user.id}>", text, flags=re.IGNORECASE)
    return text


def _linked(text: str) -> str:
    return _URL.sub(lambda match: f"<{match.group()}>", escape(text))


def _elements(text: str) -> Iterator[JSON]:
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() > position:
            yield {"type": "text", "text": unescape(text[position : match.start()])}
        yield _token(*match.groups())
        position = match.end()
    if position < len(text):
        yield {"type": "text", "text": unescape(text[position:])}


def _token(sign: str, value: str, label: str | None) -> JSON:
    if sign == "@":
        return {"type": "user", "user_id": value}
    if sign == "#":
        return {"type": "channel", "channel_id": value}
    if sign == "!":
        return {"type": "broadcast", "range": value}
    return {"type": "link", "url": unescape(value)} | ({"text": unescape(label)} if label else {})
