"""HTTP mode: Slack calls us. One address takes events, interactions and commands, signed by Slack or refused.

Knows HTTP and signatures; who answers for a team is the desk's business. The handlers are small and hand over to
threads at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.errors import PortInUseError
from bot.slack.manifest import EVENTS_PATH
from bot.slack.signature import Verifier

logger = logging.getLogger(__name__)

# Slack's own bodies stay far below; a stranger's may not fill the memory or hold a connection for ever.
MOST_BYTES = 2 * 1024 * 1024
_BODY_SECONDS = 10.0
_MOST_FIELDS = 200
_MOST_HEADER_BYTES = 32 * 1024
# Beyond these, callers are told to come again.
_MOST_CONNECTIONS = 256
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What Slack is told: 200 means taken in, and anything else that it should try again."""

    status: int = 200
    body: str | Mapping[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Desk(Protocol):
    """Where verified requests go; called from several threads."""

    def receive(self, payload: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """Take one request in; it is kept before this returns."""

    @property
    def ready(self) -> bool:
        """Whether requests can be taken in now."""


def build_web(desk: Desk, verifier: Verifier, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The web application: Slack's one address, a health check, and what else is given (installation)."""

    async def take(request: Request) -> Response:
        body = await _read(request)
        if isinstance(body, Response):
            return body
        timestamp = request.headers.get("x-slack-request-timestamp")
        if not verifier.accepts(timestamp, request.headers.get("x-slack-signature"), body):
            logger.warning("a request without a good signature was refused")
            return PlainTextResponse("not signed by Slack", 401)
        try:
            payload = parse_body(body, request.headers.get("content-type", ""))
        except ValueError as error:
            logger.warning("a signed request could not be read: %s", error)
            return PlainTextResponse("not readable", 400, {"x-slack-no-retry": "1"})
        if payload.get("type") == "url_verification":
            return PlainTextResponse(str(payload.get("challenge", "")))
        if payload.get("ssl_check"):
            return Response()
        return await _hand_over(desk, payload, dict(request.headers))

    async def health(_request: Request) -> Response:
        ready = desk.ready
        return JSONResponse({"ok": ready}, 200 if ready else 503)

    own = [Route(EVENTS_PATH, take, methods=["POST"]), Route("/healthz", health, methods=["GET"])]
    return Starlette(routes=[*own, *routes])


def parse_body(body: bytes, content_type: str) -> dict[str, Any]:
    """Read an event (JSON), an interaction (JSON in a form) or a command (a form); raises ValueError."""
    text = body.decode()
    if content_type.split(";")[0].strip().lower() == "application/json":
        return _mapping(text)
    form = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    if "payload" in form:
        return _mapping(form["payload"][0])
    if "command" not in form and "ssl_check" not in form:
        raise ValueError("neither an event nor an interaction nor a command")
    return {key: values[0] for key, values in form.items()}


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where an object belongs")
    return value


async def _read(request: Request) -> bytes | Response:
    """The body, or the refusal of one that is too large or too slow."""
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and len(stated) < 20 and int(stated) > MOST_BYTES:
        return PlainTextResponse("too large", 413)
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    return PlainTextResponse("too large", 413)
                parts.append(part)
    except TimeoutError:
        return PlainTextResponse("too slow", 408)
    except ClientDisconnect:
        return PlainTextResponse("gone", 400)
    return b"".join(parts)


async def _hand_over(desk: Desk, payload: dict[str, Any], headers: dict[str, str]) -> Response:
    if number := headers.get("x-slack-retry-num"):
        logger.info("Slack brings something again (%s: %s)", number[:4], headers.get("x-slack-retry-reason", "")[:40])
    try:
        reply = await run_in_threadpool(desk.receive, payload, headers)
    except Exception:
        logger.exception("a request could not be taken in; Slack will bring it again")
        return PlainTextResponse("not now", 503)
    if isinstance(reply.body, str):
        return PlainTextResponse(reply.body, reply.status, dict(reply.headers))
    return JSONResponse(dict(reply.body), reply.status, dict(reply.headers))


class HttpServer:
    """Serves a web application in a thread; a context manager."""

    def __init__(self, web: Starlette, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self._server = uvicorn.Server(
            uvicorn.Config(
                web,
                http="h11",
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                # Nothing here depends on who calls, so no header may claim it.
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
                timeout_graceful_shutdown=round(_STOP_SECONDS) - 1,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        deadline = _START_SECONDS
        while not self._server.started and deadline > 0 and self._thread.is_alive():
            self._thread.join(0.02)
            deadline -= 0.02

    def stop(self) -> None:
        """Finish what is under way and stop listening."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"Nothing can listen on {host}:{port} ({error.strerror}). Stop the program that does, or set slack.port "
            "or --port to another one."
        ) from error
    return listener
