"""Delivers events and interactions to the app: an event that is not acknowledged is sent again.

An event that nobody acknowledges in 3 seconds is sent again at once, after a minute and after five; interactions are
sent once, because the person who clicked is waiting for them. How things get to the app, a subclass knows.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from bot.playground.faults import Faults
from bot.playground.ledger import Ledger
from bot.playground.workspace import JSON

RETRY_SECONDS = (0.0, 60.0, 300.0)


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """What the app said to a delivery, if it said anything in time."""

    received: bool
    payload: JSON | None = None
    reason: str = "timeout"
    """Why it was not received, in the words of Slack's next attempt."""
    is_final: bool = False
    """The app asked not to be told again."""


class Delivery(ABC):
    """A way to the app; used from the server's loop only."""

    def __init__(self, *, ledger: Ledger, faults: Faults, ack_seconds: float, time_scale: float) -> None:
        self._ledger = ledger
        self._faults = faults
        self._default_ack_seconds = ack_seconds
        self._default_time_scale = time_scale
        self._tasks: set[asyncio.Task[None]] = set()
        self._unconfirmed: dict[asyncio.Task[None], JSON] = {}
        self._connected = asyncio.Event()
        self._held: JSON | None = None

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the app can be told of events."""

    @property
    def time_scale(self) -> float:
        """How much faster than Slack's the long clocks run."""
        return self._faults.settings.time_scale or self._default_time_scale

    @property
    def ack_seconds(self) -> float:
        """How long an acknowledgement may take."""
        return self._faults.settings.ack_seconds or self._default_ack_seconds

    def send_event(self, payload: JSON) -> None:
        """Deliver an event in the background, with retries."""
        if self._faults.take_reordered() and self._held is None:
            self._held = payload
            return
        self._start(payload, attempt=0)
        if self._faults.take_duplicate():
            self._start(payload, attempt=0)
        if self._held is not None:
            held, self._held = self._held, None
            self._start(held, attempt=0)

    async def send_interaction(self, payload: JSON, *, accepts_response: bool) -> Acknowledgement:
        """Deliver an interaction once and wait for its acknowledgement."""
        return await self._attempt("interactive", payload, accepts_response=accepts_response)

    async def send_command(self, payload: JSON) -> Acknowledgement:
        """Deliver a slash command once and wait for its acknowledgement, which may be the answer."""
        return await self._attempt("slash_commands", payload, accepts_response=True)

    def give_up(self) -> int:
        """Give up what nobody has confirmed yet, as Slack does after its last try; returns how many that are."""
        given_up = {task: payload for task, payload in self._unconfirmed.items() if task.cancel()}
        for payload in given_up.values():
            self._ledger.add("event", name_of(payload), "lost", request=payload)
        self._held = None
        return len(given_up)

    async def stop(self) -> None:
        """End all deliveries."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _start(self, payload: JSON, *, attempt: int) -> None:
        task = self._in_background(self._deliver(payload, attempt))
        self._unconfirmed[task] = payload
        task.add_done_callback(self._unconfirmed.pop)

    async def _deliver(self, payload: JSON, attempt: int) -> None:
        reason = ""
        for number, wait in enumerate((0.0, *RETRY_SECONDS), attempt):
            await self._pause(wait / self.time_scale, until_connected=reason == "connection_failed")
            answer = await self._attempt("events_api", payload, retry=(number, reason))
            if answer.received:
                return
            reason = answer.reason
            if answer.is_final:
                break
        self._ledger.add("event", name_of(payload), "lost", request=payload)

    async def _pause(self, seconds: float, *, until_connected: bool) -> None:
        if seconds == 0:
            return
        if not until_connected:
            await asyncio.sleep(seconds)
            return
        # Slack would let the whole minute pass. Somebody who asks before the bot is up should not wait that long.
        try:
            await asyncio.wait_for(self._connected.wait(), seconds)
        except TimeoutError:
            return

    @abstractmethod
    async def _attempt(
        self, kind: str, payload: JSON, *, retry: tuple[int, str] | None = None, accepts_response: bool = False
    ) -> Acknowledgement:
        """Deliver once: `events_api`, `interactive` or `slash_commands`."""


def name_of(payload: JSON) -> str:
    """Name a delivery in the ledger."""
    if "command" in payload:
        return str(payload["command"])
    if payload.get("type") != "event_callback":
        return str(payload.get("type"))
    event = payload["event"]
    return f"{event['type']}/{event['subtype']}" if "subtype" in event else str(event["type"])
