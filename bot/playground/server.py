"""The HTTP and WebSocket surface: routes, the page's socket, Socket Mode's socket, response addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.playground import file_transfer, oauth_page, web_api
from bot.playground.actions import ACTIONS, NEEDS_INTERACTIVITY, NEEDS_THE_APP
from bot.playground.documents import show_document
from bot.playground.errors import ApiError
from bot.playground.guard import Guard
from bot.playground.playground import Playground
from bot.playground.response_url import answer_response_url
from bot.playground.snapshot import snapshot
from bot.playground.strict_json import read_json
from bot.playground.workspace import JSON

logger = logging.getLogger(__name__)
PAGE_FOLDER = Path(__file__).parent / "page"


def build_server(playground: Playground) -> ASGIApp:
    """Build the ASGI application of one playground."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        playground.begin()
        yield
        await playground.stop()

    surface = _Surface(playground)
    routes = [
        Route("/", surface.page),
        Route("/archives/{channel}/{message}", surface.page),
        Mount("/static", StaticFiles(directory=PAGE_FOLDER, check_dir=False)),
        Route("/document", surface.document),
        Route("/api/{method:path}", surface.method, methods=["GET", "POST"]),
        Route("/oauth/v2/authorize", surface.authorize, methods=["GET"]),
        Route("/files-pri/{team_and_file}/{name:path}", surface.download, methods=["GET"]),
        Route("/upload/v1/{key}", surface.upload, methods=["POST"]),
        Route("/playground/file/{file}", surface.file, methods=["GET"]),
        Route("/actions/{team}/{key}", surface.response_url, methods=["POST"]),
        Route("/playground/api/ledger", surface.ledger, methods=["GET"]),
        Route("/playground/api/{action}", surface.action, methods=["POST"]),
        WebSocketRoute("/playground/socket", surface.page_socket),
        WebSocketRoute("/link/", surface.socket_mode),
    ]
    hosts = (playground.options.host, *playground.options.allowed_hosts)
    # Outermost, so that it holds the server's own `send`, and that nothing answers before it.
    return Guard(Starlette(routes=routes, lifespan=lifespan), hosts)


class _Surface:
    """The endpoints."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground

    async def page(self, request: Request) -> Response:
        del request
        return FileResponse(PAGE_FOLDER / "index.html")

    async def document(self, request: Request) -> Response:
        asked = request.query_params
        return await asyncio.to_thread(
            show_document,
            asked.get("uri", ""),
            self._playground.documents,
            asked.get("quote", ""),
            whole="whole" in asked,
        )

    async def method(self, request: Request) -> Response:
        return await web_api.call(request, self._playground)

    async def response_url(self, request: Request) -> Response:
        return await answer_response_url(request, self._playground)

    async def authorize(self, request: Request) -> Response:
        return await oauth_page.authorize(request, self._playground)

    async def download(self, request: Request) -> Response:
        return await file_transfer.download(request, self._playground)

    async def upload(self, request: Request) -> Response:
        return await file_transfer.upload(request, self._playground)

    async def file(self, request: Request) -> Response:
        return await file_transfer.show(request, self._playground)

    async def ledger(self, request: Request) -> Response:
        since = request.query_params.get("since", "0")
        entries = self._playground.ledger.entries(
            since=int(since) if since.isdecimal() else 0, kind=request.query_params.get("kind")
        )
        return JSONResponse({"ok": True, "entries": entries})

    async def action(self, request: Request) -> Response:
        act = ACTIONS.get(request.path_params["action"])
        if act is None:
            return JSONResponse({"ok": False, "error": "unknown_action"}, status_code=404)
        # Only a page of this origin can send this type without the browser asking first.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"ok": False, "error": "invalid_post_type"}, status_code=415)
        try:
            body = read_json(await request.body())
            if not isinstance(body, dict):
                raise ApiError("json_not_object")
            if act in NEEDS_THE_APP and not self._playground.installation.is_there:
                raise ApiError("app_not_installed")
            if act in NEEDS_INTERACTIVITY and not self._playground.app.is_interactive:
                raise ApiError("app_not_interactive")
            return JSONResponse({"ok": True, **await act(self._playground, body)})
        except ValueError:
            return JSONResponse({"ok": False, "error": "invalid_json"}, status_code=400)
        except ApiError as refusal:
            return JSONResponse(refusal.body())

    async def page_socket(self, websocket: WebSocket) -> None:
        user = websocket.query_params.get("user", "")
        known = self._playground.workspace.users.get(user)
        if known is None or known.is_bot:
            await websocket.close(1008, "unknown user")
            return
        await websocket.accept()
        page = self._playground.pages.open(user)
        page.queue.put_nowait(snapshot(self._playground, user))
        sender = asyncio.create_task(_send_all(websocket, page.queue))
        try:
            await _read_until_closed(websocket, lambda _: None)
        finally:
            sender.cancel()
            self._playground.pages.close(page)

    async def socket_mode(self, websocket: WebSocket) -> None:
        until = self._playground.tickets.pop(websocket.query_params.get("ticket", ""), 0.0)
        if until < self._playground.workspace.now():
            await websocket.close(1008, "unknown ticket")
            return
        await websocket.accept()
        socket = self._playground.socket
        connection = await socket.open(_WebSocketLine(websocket))
        self._playground.bot_connection_changed()
        try:
            await _read_until_closed(websocket, lambda text: socket.receive(connection, text))
        finally:
            socket.closed(connection)
            self._playground.bot_connection_changed()


class _WebSocketLine:
    """A `Line` over a WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, text: str) -> None:
        """Send one message."""
        try:
            await self._websocket.send_text(text)
        except WebSocketDisconnect as error:
            raise ConnectionError("the app's connection is gone") from error

    async def close(self, *, abruptly: bool) -> None:
        """Close it, with or without saying so."""
        if abruptly:
            await self._websocket.scope["playground.cut"]()
            return
        with contextlib.suppress(RuntimeError):
            await self._websocket.close()


async def _read_until_closed(websocket: WebSocket, take: Callable[[str], None]) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            take(await websocket.receive_text())


async def _send_all(websocket: WebSocket, queue: asyncio.Queue[JSON]) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.send_json(await queue.get())
