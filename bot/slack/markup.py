"""Slack's own markup of messages, turned into the words that a person reads."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"<([^<>]*)>")


def plain_text(slack_text: str, bot_user_id: str) -> str:
    """Turn Slack's markup into the words that a person reads, without the mention of the bot."""
    mention = rf"<@{re.escape(bot_user_id)}(?:\|[^<>]*)?>"
    # "@Lorekeeper, how ..." and "hey @Lorekeeper how ...": the name goes, and what only belonged to it.
    spoken = re.sub(rf"^\s*{mention}[,:;]?\s*| ?{mention}", "", slack_text)
    text = _unescape(_SEQUENCE.sub(lambda match: _readable(match.group(1)), spoken))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


def _unescape(text: str) -> str:
    """Undo Slack's three escapes, and no others."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _readable(sequence: str) -> str:
    target, _, label = sequence.partition("|")
    match target[:1]:
        case "@":
            return f"@{label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return label or f"@{target[1:].split('^')[0]}"
        case _:
            shown = target.removeprefix("mailto:").removeprefix("tel:")
            return f"{label} ({target})" if label and label not in (shown, target) and label not in shown else shown
