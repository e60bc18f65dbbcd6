"""Socket Mode: each envelope goes to one open connection, which must acknowledge it; if not, it is sent again.

An event that nobody acknowledges in 3 seconds is sent again at once, after a minute and after five; interactions are
sent once, because the person who clicked is waiting for them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.playground.faults import Faults
from bot.playground.ledger import Ledger
from bot.playground.strict_json import read_json
from bot.playground.workspace import APP_ID, JSON

RETRY_SECONDS = (0.0, 60.0, 300.0)
MOST_CONNECTIONS = 10
FORGET_SECONDS = 60.0
APPROXIMATE_CONNECTION_SECONDS = 18_060


class Line(Protocol):
    """One open WebSocket."""

    async def send(self, text: str) -> None:
        """Send one message; raises OSError or RuntimeError where the line is gone."""

    async def close(self, *, abruptly: bool) -> None:
        """Close it, with or without saying so."""


@dataclass(eq=False, kw_only=True)
class Connection:
    """A connection of the app with the number it got."""

    line: Line
    number: int
    opened_at: float = field(default_factory=time.monotonic)
    retiring: bool = False


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """What the app said to an envelope, if it said anything in time."""

    received: bool
    payload: JSON | None = None


class SocketMode:
    """The app's connections; used from the server's loop only."""

    def __init__(self, *, ledger: Ledger, faults: Faults, ack_seconds: float, time_scale: float) -> None:
        self._ledger = ledger
        self._faults = faults
        self._default_ack_seconds = ack_seconds
        self._default_time_scale = time_scale
        self._connections: list[Connection] = []
        self._turn = itertools.count()
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[JSON | None]] = {}
        self._sent_at: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected = asyncio.Event()
        self._held: JSON | None = None

    @property
    def connected(self) -> bool:
        """Whether the app has a connection that takes events."""
        return any(not connection.retiring for connection in self._connections)

    @property
    def time_scale(self) -> float:
        """How much faster than Slack's the long clocks run."""
        return self._faults.settings.time_scale or self._default_time_scale

    @property
    def ack_seconds(self) -> float:
        """How long an acknowledgement may take."""
        return self._faults.settings.ack_seconds or self._default_ack_seconds

    async def open(self, line: Line) -> Connection:
        """Greet a new connection; the eleventh is told to leave."""
        connection = Connection(line=line, number=next(self._numbers))
        if len(self._connections) >= MOST_CONNECTIONS:
            await self._say_goodbye(connection, "too_many_websockets")
            return connection
        self._connections.append(connection)
        hello = {
            "type": "hello",
            "num_connections": len(self._connections),
            "connection_info": {"app_id": APP_ID},
            "debug_info": {
                "host": "playground",
                "build_number": 1,
                "approximate_connection_time": APPROXIMATE_CONNECTION_SECONDS,
            },
        }
        await line.send(json.dumps(hello))
        self._ledger.add("connection", "hello", "open", response=hello, connection=connection.number)
        self._connected.set()
        return connection

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._ledger.add("connection", "closed", "closed", connection=connection.number)
        if not self.connected:
            self._connected.clear()

    def receive(self, connection: Connection, text: str) -> None:
        """Take what the app sent: acknowledgements, nothing else."""
        try:
            message = read_json(text)
            envelope_id = message["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._ledger.add("connection", "unknown message", "ignored", request=text, connection=connection.number)
            return
        late = self._faults.take_ack_delay()
        if late > 0:
            asyncio.get_running_loop().call_later(late, self._acknowledge, connection, envelope_id, message)
        else:
            self._acknowledge(connection, envelope_id, message)

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

    async def disconnect(self, reason: str) -> int:
        """Tell every connection to leave, or cut it; returns how many there were."""
        connections = list(self._connections)
        for connection in connections:
            await self._say_goodbye(connection, reason)
        return len(connections)

    async def stop(self) -> None:
        """End all deliveries."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, payload: JSON, *, attempt: int) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(payload, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, payload: JSON, attempt: int) -> None:
        reason = ""
        for number, wait in enumerate((0.0, *RETRY_SECONDS), attempt):
            await self._pause(wait / self.time_scale, until_connected=reason == "connection_failed")
            had_connection = self.connected
            if (await self._attempt("events_api", payload, retry=(number, reason))).received:
                return
            reason = "timeout" if had_connection else "connection_failed"
        self._ledger.add("event", _name(payload), "lost", request=payload)

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

    async def _attempt(
        self, kind: str, payload: JSON, *, retry: tuple[int, str] | None = None, accepts_response: bool = False
    ) -> Acknowledgement:
        ledger_kind = "event" if kind == "events_api" else "interaction"
        connection = self._choose()
        if connection is None:
            self._ledger.add(ledger_kind, _name(payload), "no connection", request=payload)
            return Acknowledgement(received=False)
        envelope: JSON = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "accepts_response_payload": accepts_response,
            "payload": payload,
        }
        if retry is not None:
            envelope |= {"retry_attempt": retry[0], "retry_reason": retry[1]}
        return await self._send_and_wait(connection, envelope, ledger_kind)

    async def _send_and_wait(self, connection: Connection, envelope: JSON, ledger_kind: str) -> Acknowledgement:
        envelope_id = envelope["envelope_id"]
        waiting: asyncio.Future[JSON | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = waiting
        self._sent_at[envelope_id] = time.monotonic()
        self._ledger.add(
            ledger_kind,
            _name(envelope["payload"]),
            "sent",
            request=envelope,
            connection=connection.number,
            envelope_id=envelope_id,
            attempt=envelope.get("retry_attempt", 0),
        )
        try:
            if not self._faults.settings.silent:
                await connection.line.send(json.dumps(envelope))
            return Acknowledgement(received=True, payload=await asyncio.wait_for(waiting, self.ack_seconds))
        except (TimeoutError, OSError, RuntimeError):
            self._ledger.add(ledger_kind, _name(envelope["payload"]), "not acknowledged", envelope_id=envelope_id)
            return Acknowledgement(received=False)
        finally:
            del self._waiting[envelope_id]
            # A very late acknowledgement is noted without its time, so that lost ones do not pile up here.
            asyncio.get_running_loop().call_later(FORGET_SECONDS, self._sent_at.pop, envelope_id, None)

    def _choose(self) -> Connection | None:
        ready = [connection for connection in self._connections if not connection.retiring]
        return ready[next(self._turn) % len(ready)] if ready else None

    def _acknowledge(self, connection: Connection, envelope_id: str, message: JSON) -> None:
        waiting = self._waiting.get(envelope_id)
        sent_at = self._sent_at.pop(envelope_id, None)
        status = "late" if waiting is None or waiting.done() else "ok"
        ms = 0.0 if sent_at is None else (time.monotonic() - sent_at) * 1000
        self._ledger.add(
            "ack", "ack", status, ms=ms, request=message, connection=connection.number, envelope_id=envelope_id
        )
        if waiting is not None and not waiting.done():
            waiting.set_result(message.get("payload") or None)

    async def _say_goodbye(self, connection: Connection, reason: str) -> None:
        if reason != "abrupt":
            message: dict[str, Any] = {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}
            await connection.line.send(json.dumps(message))
        self._ledger.add("connection", "disconnect", reason, connection=connection.number)
        if reason == "warning":
            # Slack gives about ten seconds of warning, and sends nothing new on the old connection meanwhile.
            connection.retiring = True
            asyncio.get_running_loop().call_later(10 / self.time_scale, self._close_soon, connection)
        else:
            await connection.line.close(abruptly=reason == "abrupt")

    def _close_soon(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.line.close(abruptly=False))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _name(payload: JSON) -> str:
    if "command" in payload:
        return str(payload["command"])
    if payload.get("type") != "event_callback":
        return str(payload.get("type"))
    event = payload["event"]
    return f"{event['type']}/{event['subtype']}" if "subtype" in event else str(event["type"])
