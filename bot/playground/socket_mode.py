"""Socket Mode: each envelope goes to one open connection of the app, which must acknowledge it."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.playground.delivery import Acknowledgement, Delivery, name_of
from bot.playground.faults import Faults
from bot.playground.ledger import Ledger
from bot.playground.strict_json import read_json
from bot.playground.workspace import APP_ID, JSON

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


class SocketMode(Delivery):
    """The app's connections; used from the server's loop only."""

    def __init__(self, *, ledger: Ledger, faults: Faults, ack_seconds: float, time_scale: float) -> None:
        super().__init__(ledger=ledger, faults=faults, ack_seconds=ack_seconds, time_scale=time_scale)
        self._connections: list[Connection] = []
        self._turn = itertools.count()
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[JSON | None]] = {}
        self._sent_at: dict[str, float] = {}

    @property
    def connected(self) -> bool:
        """Whether the app has a connection that takes events."""
        return any(not connection.retiring for connection in self._connections)

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

    async def disconnect(self, reason: str) -> int:
        """Tell every connection to leave, or cut it; returns how many there were."""
        connections = list(self._connections)
        for connection in connections:
            await self._say_goodbye(connection, reason)
        return len(connections)

    async def _attempt(
        self, kind: str, payload: JSON, *, retry: tuple[int, str] | None = None, accepts_response: bool = False
    ) -> Acknowledgement:
        ledger_kind = "event" if kind == "events_api" else "interaction"
        connection = self._choose()
        if connection is None:
            self._ledger.add(ledger_kind, name_of(payload), "no connection", request=payload)
            return Acknowledgement(received=False, reason="connection_failed")
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
            name_of(envelope["payload"]),
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
            self._ledger.add(ledger_kind, name_of(envelope["payload"]), "not acknowledged", envelope_id=envelope_id)
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
        self._in_background(connection.line.close(abruptly=False))
