"""Stands before everything: refuses requests that a foreign web page caused, and says what our pages may load.

A page elsewhere can make a browser send requests to a port on this machine, even under a name that resolves to
127.0.0.1 (DNS rebinding). So the Host must be a name of ours, and an Origin, where there is one, the same as the Host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = _LOCAL | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        elif refusal:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)
        else:
            scope["playground.cut"] = lambda: _cut(send)
            await self._app(scope, receive, send if scope["type"] == "websocket" else _with_headers(send))

    def _refusal(self, headers: Headers) -> str:
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return f"Unknown host {host!r}: open the playground as http://127.0.0.1, or start it with --allow-host."
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return f"Requests from {origin!r} are refused."
        return ""


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", PAGE_POLICY)
            headers.setdefault("Cache-Control", "no-cache")
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        await send(message)

    return send_with_headers


async def _cut(send: Send) -> None:
    """Cut a connection as a failing network would. ASGI has no word for that, so the server's own transport is used."""
    owner = getattr(send, "__self__")  # noqa: B009 (a bound method's owner, which the type does not promise)
    owner.transport.abort()
    # The server hears of the loss in its next turn; a reply before that would be written into nothing.
    await asyncio.sleep(0.05)
