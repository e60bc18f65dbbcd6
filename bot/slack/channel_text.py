"""What was said in a channel, as documents: which messages belong together, and how they are written down.

A thread is a document. So is a run of messages outside threads: those that follow each other within ten minutes, on one
day (UTC), at most forty. The cuts depend on the messages alone, so that every reading finds the same ones. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.slack.inert import BROADCAST, clean
from bot.slack.limits import shorten
from bot.slack.markup import plain_text

GAP_SECONDS = 600.0
MOST_IN_A_RUN = 40
MEDIA_TYPE = "text/plain"
"""No words of people are taken for Markdown: a line of theirs is no heading, and no comment hides what follows."""
_MICROSECOND = 1_000_000
_TITLE_CHARACTERS, _TITLE_WORDS = 80, 12
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_SPECIAL = re.compile(r"<!(here|channel|everyone)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!subteam\^[^<>|]*(?:\|@?([^<>]*))?>")
_EVERYBODY = {"here": "everybody here", "channel": "everybody in the channel", "everyone": "everybody"}
# What stands in front of each message; in what people write it must not look the same.
_ATTRIBUTION = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d)\):")


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file that somebody put into a channel."""

    id: str
    name: str
    mimetype: str
    size: int
    url: str = field(repr=False)
    permalink: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of a person."""

    ts: str
    user: str
    name: str
    text: str = field(repr=False)
    """As people read it; empty where there are only files."""
    files: tuple[SharedFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a unit says, ready to be a document."""

    title: str
    text: str = field(repr=False)
    owner: str
    modified_at: datetime


def after(ts: str) -> str:
    """The ts next to this one."""
    return _shifted(ts, 1)


def before(ts: str) -> str:
    """The ts just in front of this one."""
    return _shifted(ts, -1)


def ts_of(moment: datetime) -> str:
    """A moment as Slack writes it."""
    return _as_ts(int(moment.timestamp() * _MICROSECOND))


def moment_of(ts: str) -> datetime:
    """When a message was written."""
    return datetime.fromtimestamp(float(ts), UTC)


def belong_together(older: str, newer: str) -> bool:
    """Whether two messages that follow each other outside threads are of one run."""
    near = float(newer) - float(older) <= GAP_SECONDS
    return near and moment_of(older).date() == moment_of(newer).date()


def split_runs(newest_first: Sequence[str], bottom: str, *, ended: bool) -> tuple[list[list[str]], list[str]]:
    """Cut messages outside threads into whole runs, each oldest first, and those of one that may go on further down.

    `bottom` is the oldest ts that was read, of any message; `ended`: there is nothing below it.
    """
    runs: list[list[str]] = []
    for ts in newest_first:
        if runs and belong_together(ts, runs[-1][-1]):
            runs[-1].append(ts)
        else:
            runs.append([ts])
    is_open = bool(runs) and not ended and belong_together(bottom, runs[-1][-1])
    rest = runs.pop() if is_open else []
    return [part for run in runs for part in _parts(run[::-1])], rest


def _parts(run: list[str]) -> list[list[str]]:
    """Counted from the oldest: what is said later moves no cut. The newest part comes first, as runs do."""
    return [run[start : start + MOST_IN_A_RUN] for start in range(0, len(run), MOST_IN_A_RUN)][::-1]


def readable(raw: str, name_of: Callable[[str], str], bot_user_id: str) -> str:
    """A message as people read it: names for ids, words for special mentions, addresses for links; nobody is pinged."""

    def name(found: re.Match[str]) -> str:
        return found[0] if found[1] == bot_user_id else _escaped(name_of(found[1]))

    named = _MENTION.sub(name, raw)
    special = _SPECIAL.sub(lambda found: _EVERYBODY[found[1]], named)
    plain = plain_text(_GROUP.sub(lambda found: found[1] or "a group", special), bot_user_id)
    return _ATTRIBUTION.sub(r"[\1]:", BROADCAST.sub("", clean(plain))).strip()


def write_down(said: Sequence[Said], channel_name: str) -> Written | None:
    """Write messages, oldest first, as one document; None where nobody said a word."""
    worded = [one for one in said if one.text]
    if not worded:
        return None
    lines = []
    for one in worded:
        moment = moment_of(one.ts).strftime("%Y-%m-%d %H:%M")
        files = "".join(f" [file: {one_line(file.name)}]" for file in one.files)
        lines.append(f"{one.name} ({moment}): {one.text}{files}")
    return Written(
        title=f"{_first_words(worded[0].text)} (#{channel_name})",
        text="\n\n".join(lines) + "\n",
        owner=worded[0].name,
        modified_at=moment_of(worded[-1].ts),
    )


def shared_files(message: Mapping[str, Any]) -> tuple[SharedFile, ...]:
    """The files of a message that are kept at Slack: those elsewhere, removed or hidden have no content here."""
    listed = message.get("files")
    found = []
    for file in listed if isinstance(listed, list) else ():
        if not isinstance(file, Mapping) or not file.get("id") or file.get("is_external"):
            continue
        if file.get("mode") in ("tombstone", "hidden_by_limit", "external"):
            continue
        size = file.get("size")
        found.append(
            SharedFile(
                id=str(file["id"]),
                name=str(file.get("name") or file.get("title") or file["id"]),
                mimetype=str(file.get("mimetype") or ""),
                size=size if isinstance(size, int) else 0,
                url=str(file.get("url_private") or file.get("url_private_download") or ""),
                permalink=str(file.get("permalink") or ""),
            )
        )
    return tuple(found)


def one_line(text: str) -> str:
    """A name without anything that steers or breaks lines."""
    return " ".join(clean(text).split())


def _first_words(text: str) -> str:
    words = one_line(text).split()
    shown = " ".join(words[:_TITLE_WORDS])
    return shorten(f"{shown} …" if len(words) > _TITLE_WORDS else shown, _TITLE_CHARACTERS)


def _escaped(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shifted(ts: str, microseconds: int) -> str:
    seconds, _, fraction = ts.partition(".")
    return _as_ts(max(0, int(seconds) * _MICROSECOND + int(fraction.ljust(6, "0")[:6] or 0) + microseconds))


def _as_ts(microseconds: int) -> str:
    # Ten digits, so that the order of texts is the order of time.
    return f"{microseconds // _MICROSECOND:010d}.{microseconds % _MICROSECOND:06d}"
