"""One answer as it grows in Slack: in Slack's own stream where there is one, else by updating a posted message.

Knows Slack's calls and the text, not what is stored: which messages an answer has is kept by `Messages`, and is told
before and after each call that cannot be repeated. `show` belongs to one thread, `finish` comes after it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from bot.errors import BotError, SlackBusyError, SlackRefusedError, SlackSilentError
from bot.inbox import LeaseLostError, WithdrawnError
from bot.slack.deliver import Delivery, Mark, Place, Recipient
from bot.slack.limits import MESSAGE_TEXT, length, text_of_blocks
from bot.slack.live import Pace
from bot.slack.render import RenderedMessage, render_status, render_streaming
from bot.slack.stream_text import InertMarkdown, blocks_of, split_at_line
from knowledge.errors import DatabaseError

logger = logging.getLogger(__name__)

# Slack ends a stream after about five minutes, and a message has room for 12,000 characters and 50 blocks.
ROLL_SECONDS = 255.0
# From then on the end of a paragraph is a good place to go on in the next message.
_ROLL_GENTLY = 0.8
ROLL_CHARACTERS = 9_500
# Slack's own count is known from others' measurements only.
_MARGIN = 200
# The first word is not kept waiting.
_OPEN_SECONDS = 0.05
ROLL_BLOCKS = 40
_FENCE = re.compile(r"(`{3,})([\w+#-]*)")
_TABLE_RULE = re.compile(r"[\s|:-]*-[\s|:-]*")

Way = Literal["message", "stream"]


class Messages(Protocol):
    """Which messages an answer has: written down before and after each of them is opened."""

    def intend(self, part: int, way: Way) -> None:
        """Note that a message is about to be opened."""

    def stands(self, part: int, ts: str) -> None:
        """Note where it stands."""

    def find(self, part: int) -> str | None:
        """Look for a message whose opening nobody answered."""

    def post(self, part: int, message: RenderedMessage) -> str:
        """Post a message, exactly once, and note both."""

    def mark(self, part: int) -> Mark:
        """What tells this message from others."""


class AnswerStream:
    """Shows a growing text; whatever goes wrong on the way, the finished message can still be put in its place."""

    def __init__(
        self,
        delivery: Delivery,
        pace: Pace,
        messages: Messages,
        place: Place,
        recipient: Recipient,
        *,
        halt: Callable[[], None],
        message_ts: str | None,
        roll_seconds: float = ROLL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delivery = delivery
        self._pace = pace
        self._messages = messages
        self.place = place
        self._recipient = recipient
        self._halt = halt
        self._roll_seconds = roll_seconds
        self._monotonic = monotonic
        self._way: Literal["unopened", "stream", "update", "halted"] = "update" if message_ts else "unopened"
        self._ts = message_ts or ""
        self._part = 0
        self._inert = InertMarkdown()
        self._fed = ""
        self._buffer = ""
        self._sent = ""
        self._opened_at = 0.0
        self._from = 0
        self._whole = True
        self.status = ""
        self.error: Exception | None = None
        """What makes it impossible to go on: raised to whoever works on the question."""

    @property
    def pause(self) -> float:
        """Least seconds before the text is shown again."""
        if self._way == "unopened":
            return _OPEN_SECONDS
        return self._pace.append_seconds if self._way == "stream" else self._pace.seconds

    @property
    def is_open(self) -> bool:
        """Whether a message of this answer stands."""
        return bool(self._ts)

    def begin_again(self) -> None:
        """Expect the text from its start once more: what stands is replaced when it is finished."""
        self._inert, self._fed, self._buffer = InertMarkdown(), "", ""
        self._whole = False
        if self._way == "stream":
            self._way = "update"

    def show_status(self, text: str) -> None:
        """Say what is happening, where a message of ours stands already."""
        self.status = text
        if self._way == "update" and not self._fed:
            self._delivery.try_update(self.place.channel, self._ts, render_status(text))

    def show(self, text: str) -> None:
        """Show all of the text that was written so far."""
        if self.error is not None or self._way == "halted":
            return
        try:
            self._show(text)
        except (BotError, LeaseLostError, WithdrawnError, DatabaseError) as error:
            # The spine hears of it where it can act: nothing more is shown here.
            self.error = error
            self._halt()

    def finish(self, message: RenderedMessage, source: str) -> bool:
        """End the stream; True when what stands there is the finished message, False when it must be put there."""
        if self._way != "stream" or self.error is not None:
            return False
        more = _rest_of(source, self._fed)
        rest = self._buffer + self._inert.feed(more or "", last=True)
        whole = self._whole and not self._inert.altered and more is not None
        text = self._sent + rest
        fits = not message.overflow and length(text) + text_of_blocks(message.blocks[1:]) < MESSAGE_TEXT - _MARGIN
        fits = fits and length(text) <= ROLL_CHARACTERS and blocks_of(text) + len(message.blocks) <= ROLL_BLOCKS
        try:
            if whole and fits and message.blocks:
                mark = self._messages.mark(0)
                below = message.blocks[1:]
                self._delivery.stop_stream(self.place.channel, self._ts, text=rest, blocks=below, mark=mark)
                # All is there now; where citations have addresses, their numbers become links with the update.
                return not _has_links(message.blocks[0])
            self._delivery.stop_stream(self.place.channel, self._ts)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.info("the stream %s in %s was not stopped: %s", self._ts, self.place.channel, error)
        return False

    def _show(self, text: str) -> None:
        self._buffer += self._inert.feed(text[len(self._fed) :])
        self._fed = text
        if self._way == "update":
            self._delivery.try_update(self.place.channel, self._ts, render_streaming(text[self._from :]))
        elif self._way == "stream":
            self._flush()
        elif self._buffer.strip():
            self._open()

    def _open(self) -> None:
        """Open the message: as a stream if that is possible now."""
        may_stream = self._delivery.streams.works and self._pace.take_start(goes_on=self._part > 0)
        if not may_stream or not self._start():
            self._ts = self._messages.post(self._part, render_streaming(self._fed[self._from :]))
            self._way = "update"

    def _start(self) -> bool:
        """Open a stream with what is there; False when that has certainly not happened."""
        text, rest = _cut(self._buffer, ROLL_CHARACTERS)
        self._messages.intend(self._part, "stream")
        try:
            self._ts = self._delivery.start_stream(self.place, text, self._recipient)
        except (SlackBusyError, SlackRefusedError) as error:
            logger.info("no stream in %s: %s", self.place.channel, error)
            return False
        except SlackSilentError:
            found = self._messages.find(self._part)
            if found is None:
                return False
            self._ts = found
        self._messages.stands(self._part, self._ts)
        self._way = "stream"
        self._opened_at = self._monotonic()
        self._sent, self._buffer = text, rest
        return True

    def _flush(self) -> None:
        if not self._buffer:
            return
        if self._is_time_to_roll():
            self._roll()
            return
        room = ROLL_CHARACTERS - len(self._sent)
        text, rest = _cut(self._buffer, room)
        try:
            self._delivery.append_stream(self.place.channel, self._ts, text)
        except SlackBusyError:
            return
        except (SlackRefusedError, SlackSilentError) as error:
            self._recover(error)
            return
        self._sent, self._buffer = self._sent + text, rest

    def _is_time_to_roll(self) -> bool:
        age = self._monotonic() - self._opened_at
        if age > self._roll_seconds or len(self._sent) + len(self._buffer) > ROLL_CHARACTERS:
            return True
        if blocks_of(self._sent + self._buffer) > ROLL_BLOCKS:
            return True
        return age > self._roll_seconds * _ROLL_GENTLY and "\n\n" in self._buffer and not _open_fence(self._sent)

    def _roll(self) -> None:
        """Go on in the next message: this one ends at a line, in good order."""
        room = max(0, ROLL_CHARACTERS - len(self._sent))
        head, tail = split_at_line(self._buffer[:room])
        tail += self._buffer[room:]
        shown = self._sent + head
        fence = _open_fence(shown)
        closing = f"{_line_end(shown)}{_marks(fence)}" if fence else ""
        try:
            self._delivery.call(
                "chat.stopStream",
                wait_seconds=0.0,
                channel=self.place.channel,
                ts=self._ts,
                **({"markdown_text": head + closing} if head + closing else {}),
            )
        except SlackBusyError:
            return
        except (SlackRefusedError, SlackSilentError) as error:
            self._recover(error)
            return
        self._whole = False
        self._from = max(0, len(self._fed) - len(tail))
        self._part += 1
        self._buffer = f"{fence}\n{tail}" if fence else _table_header(shown) + tail
        self._sent = ""
        self._way = "unopened"
        if self._buffer.strip():
            self._open()

    def _recover(self, error: SlackRefusedError | SlackSilentError) -> None:
        """The stream has ended, or nobody knows what of it arrived: go on by updating its message."""
        self._whole = False
        if isinstance(error, SlackRefusedError) and error.code == "stopped_by_user":
            self._way = "halted"
            self._halt()
            return
        logger.info("the stream %s in %s goes on by updates: %s", self._ts, self.place.channel, error)
        self._way = "update"
        self._delivery.try_update(self.place.channel, self._ts, render_streaming(self._fed[self._from :]))


def _rest_of(source: str, shown: str) -> str | None:
    """What of the source was not shown yet; None where something else was shown."""
    shown = shown.lstrip()
    if source.startswith(shown):
        return source[len(shown) :]
    return "" if shown.rstrip() == source.strip() else None


def _cut(text: str, room: int) -> tuple[str, str]:
    """Cut a text that is too long for one call, after a line or a word where there is one."""
    if len(text) <= room:
        return text, ""
    end = max(text.rfind("\n", 0, room), text.rfind(" ", 0, room)) + 1
    return text[: end or room], text[end or room :]


def _open_fence(text: str) -> str:
    """The line that opens the code block in which a text ends; empty where it ends outside of one."""
    opened = ""
    for line in text.split("\n"):
        if match := _FENCE.fullmatch(line.strip() if opened else line):
            if not opened:
                opened = line
            elif not match.group(2) and len(match.group(1)) >= len(_marks(opened)):
                opened = ""
    return opened


def _line_end(text: str) -> str:
    return "" if text.endswith("\n") else "\n"


def _marks(fence: str) -> str:
    return fence[: len(fence) - len(fence.lstrip("`"))]


def _table_header(text: str) -> str:
    """The first two lines of the table in which a text ends, at the start of a row."""
    if not text.endswith("\n"):
        return ""
    rows: list[str] = []
    for line in reversed(text[:-1].split("\n")):
        if not line.lstrip().startswith("|"):
            break
        rows.insert(0, line)
    is_table = len(rows) >= 2 and _TABLE_RULE.fullmatch(rows[1]) is not None
    return f"{rows[0]}\n{rows[1]}\n" if is_table else ""


def _has_links(part: object) -> bool:
    """Tell whether a block holds a link; a stream's text never does."""
    if isinstance(part, Mapping):
        return part.get("type") == "link" or any(_has_links(inner) for inner in part.values())
    return isinstance(part, list | tuple) and any(_has_links(inner) for inner in part)
