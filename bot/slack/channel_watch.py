"""What events tell of channels that are sources, taken in before they are acknowledged: what was deleted goes at once.

Everything else is noted and read again soon. Other channels cost one look into the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot.channel_ledger import note_closed, note_deleted_file, note_message
from bot.slack.channel_source import LOOK_BACK
from bot.slack.channel_text import ts_of

# The bot is no longer in the channel, or another organisation is now. That a channel is archived is said by a message.
_CLOSED = frozenset({"channel_left", "group_left", "channel_shared"})
_ARCHIVED = frozenset({"channel_archive", "group_archive"})


@dataclass(frozen=True, kw_only=True)
class ChannelWatch:
    """Watches for one team's bot; may be used from several threads."""

    engine: sa.Engine
    team: str
    bot_user_id: str

    def heed(self, event: Mapping[str, Any]) -> None:
        """Take one event; when this returns, what it deletes is found by no question any more."""
        kind, channel = event.get("type"), _text(event, "channel")
        if kind == "message":
            self._message(event, channel)
        elif kind == "file_deleted":
            note_deleted_file(self.engine, _text(event, "file_id"))
        elif kind in _CLOSED or (kind == "member_left_channel" and event.get("user") == self.bot_user_id):
            note_closed(self.engine, channel)

    def _message(self, event: Mapping[str, Any], channel: str) -> None:
        match event.get("subtype"):
            case "message_deleted":
                old = _mapping(event, "previous_message")
                self._note(channel, _text(event, "deleted_ts"), _text(old, "thread_ts"), gone=True)
            case "message_changed":
                new, old = _mapping(event, "message"), _mapping(event, "previous_message")
                gone = new.get("subtype") == "tombstone"
                if not self._is_own(old) and (gone or _words(new) != _words(old)):
                    self._note(channel, _text(new, "ts"), _text(new, "thread_ts"), gone=gone)
            case subtype if subtype in _ARCHIVED:
                note_closed(self.engine, channel)
            case _:
                thread_ts = _text(event, "thread_ts")
                # Nobody looks back at a thread that began long ago; younger ones are read with the next run.
                if thread_ts and thread_ts < ts_of(datetime.now(UTC) - LOOK_BACK) and not self._is_own(event):
                    self._note(channel, thread_ts, thread_ts, gone=False)

    def _note(self, channel: str, ts: str, thread_ts: str, *, gone: bool) -> None:
        if channel and ts:
            note_message(self.engine, channel, ts, team=self.team, thread_ts=thread_ts, gone=gone)

    def _is_own(self, message: Mapping[str, Any]) -> bool:
        return bool(message.get("bot_id")) or message.get("user") == self.bot_user_id


def _words(message: Mapping[str, Any]) -> tuple[object, tuple[object, ...]]:
    """What counts of a message: previews and reactions do not."""
    listed = message.get("files")
    files = [file for file in (listed if isinstance(listed, list) else ()) if isinstance(file, Mapping)]
    return message.get("text"), tuple((file.get("id"), file.get("mode")) for file in files)


def _mapping(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = event.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""
