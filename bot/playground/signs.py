"""What the app shows beside its messages: the status line of a thread, and suggestions of what to ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.playground.workspace import JSON, Channel

if TYPE_CHECKING:
    from bot.playground.playground import Playground

STATUS_SECONDS = 120.0


class Signs:
    """All status lines and suggestions; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._statuses: dict[tuple[str, str], JSON] = {}
        self._prompts: dict[tuple[str, str], JSON] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def set_status(self, channel: Channel, thread_ts: str, status: str, loading_messages: list[str]) -> None:
        """Show what the bot does; it goes by itself after two minutes, or when the bot posts there."""
        key = (channel.id, thread_ts)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if not status and key not in self._statuses:
            return
        item = {
            "type": "status",
            "channel": channel.id,
            "thread_ts": thread_ts,
            "status": status,
            "loading_messages": loading_messages,
        }
        if status:
            self._statuses[key] = item
            seconds = STATUS_SECONDS / self._playground.socket.time_scale
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(seconds, self.set_status, channel, thread_ts, "", [])
        else:
            self._statuses.pop(key, None)
        self._playground.pages.to_channel(channel, item)

    def set_prompts(self, channel: Channel, thread_ts: str | None, title: str, prompts: list[JSON]) -> None:
        """Suggest what to ask."""
        item = {"type": "prompts", "channel": channel.id, "thread_ts": thread_ts, "title": title, "prompts": prompts}
        self._prompts[channel.id, thread_ts or ""] = item
        self._playground.pages.to_channel(channel, item)

    def statuses_in(self, channels: set[str]) -> list[JSON]:
        """List the status lines of these channels."""
        return [item for (channel, _), item in self._statuses.items() if channel in channels]

    def prompts_in(self, channels: set[str]) -> list[JSON]:
        """List the suggestions of these channels."""
        return [item for (channel, _), item in self._prompts.items() if channel in channels]

    def stop(self) -> None:
        """Stop the clocks of status lines."""
        for timer in self._timers.values():
            timer.cancel()
