"""Takes a port and runs the server on it; used by the command and, in a thread, by tests."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from bot.errors import PortInUseError
from bot.playground.options import PlaygroundOptions
from bot.playground.playground import Playground
from bot.playground.server import build_server


def listen(options: PlaygroundOptions) -> socket.socket:
    """Take the port; raises PortInUseError."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm; else every answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"The playground cannot listen on {options.host}:{options.port} ({error.strerror}). Stop the program that "
            "does, or set playground.port to another port (0 takes any free one)."
        ) from error
    return listener


def address(host: str, listener: socket.socket) -> str:
    """Give the address for a browser on this machine."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/"


class PlaygroundServer(uvicorn.Server):
    """The server of one playground; `run(sockets=[listener])` blocks until `should_exit` is set."""

    def __init__(self, playground: Playground, when_ready: Callable[[], None]) -> None:
        # The sans-I/O WebSocket implementation is the one that does not stand on deprecated parts of `websockets`.
        super().__init__(
            uvicorn.Config(
                build_server(playground),
                http="h11",
                ws="websockets-sansio",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._when_ready()
