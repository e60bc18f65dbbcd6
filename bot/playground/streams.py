"""Messages that grow while they are written: for five minutes at most, and until a person presses Stop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.playground.workspace import JSON, Channel, Stream

if TYPE_CHECKING:
    from bot.playground.playground import Playground

STREAM_SECONDS = 300.0


class Streams:
    """The open streams of the workspace; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._open = playground.workspace.streams

    def open(self, channel: Channel, message: JSON, stream: Stream) -> None:
        """Post a message that grows; it has no flags for previews, so its links are left alone."""
        self._open[channel.id, message["ts"]] = stream
        self._playground.post(channel, message, unfurl=False)
        self._end_later(channel, message["ts"])

    def resume(self) -> None:
        """Set the clocks of streams that were open before a restart."""
        for channel_id, ts in list(self._open):
            self._end_later(self._playground.workspace.channels[channel_id], ts)

    def find(self, channel: Channel, ts: str) -> Stream | None:
        """Find an open stream; one older than five minutes has ended by itself."""
        stream = self._open.get((channel.id, ts))
        if stream is None:
            return None
        age = self._playground.workspace.now() - stream.started_at
        if age > STREAM_SECONDS / self._playground.socket.time_scale:
            self.close(channel, stream)
            return None
        return stream

    def halt(self, channel: Channel, thread_ts: str) -> list[str]:
        """Halt what streams in a thread; gives the messages."""
        halted = []
        for (channel_id, ts), stream in self._open.items():
            message = channel.messages.get(ts, {})
            if channel_id == channel.id and message.get("thread_ts", ts) == thread_ts and not stream.halted:
                stream.halted = True
                halted.append(ts)
                self._playground.show_message(channel, message)
        return halted

    def close(self, channel: Channel, stream: Stream) -> None:
        """End the growing of a message."""
        self._open.pop((channel.id, stream.ts), None)
        if stream.ts in channel.messages:
            self._playground.show_message(channel, channel.messages[stream.ts])
        self._playground.changed()

    def _end_later(self, channel: Channel, ts: str) -> None:
        wait = STREAM_SECONDS / self._playground.socket.time_scale
        asyncio.get_running_loop().call_later(wait + 0.01, self.find, channel, ts)
