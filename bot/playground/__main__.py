"""Runs a playground in this process and prints one JSON line with its address and tokens when it is ready."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from bot.errors import BotError, PortInUseError
from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.playground import Playground
from bot.playground.server import build_server


def main() -> int:
    """Read the command line, serve until stopped."""
    arguments = _parser().parse_args()
    options = PlaygroundOptions(
        host=arguments.host,
        port=arguments.port,
        state=arguments.state,
        documents=tuple(arguments.documents),
        allowed_hosts=tuple(arguments.allow_host),
        ack_seconds=arguments.ack_seconds,
        time_scale=arguments.time_scale,
        faults=json.loads(arguments.faults),
    )
    try:
        listener = listen(options)
        playground = Playground(options, Tokens.create(bot=arguments.bot_token, app=arguments.app_token))
    except BotError as error:
        _write({"error": str(error), "kind": type(error).__name__})
        return 1
    playground.url = address(options.host, listener)
    server = _Server(playground)
    if arguments.until_stdin_closes:
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    return 0


def listen(options: PlaygroundOptions) -> socket.socket:
    """Take the port; raises PortInUseError."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
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


class _Server(uvicorn.Server):
    def __init__(self, playground: Playground) -> None:
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
                timeout_graceful_shutdown=3,
            )
        )
        self._playground = playground

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        url, tokens = self._playground.url, self._playground.tokens
        _write(
            {
                "url": url,
                "api_url": f"{url}api/",
                "bot_token": tokens.bot,
                "app_token": tokens.app,
                "signing_secret": tokens.signing_secret,
            }
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot.playground", description="A local workspace that speaks Slack."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3939, help="port; 0 takes any free one")
    parser.add_argument("--state", type=Path, help="file that keeps the conversation over a restart")
    parser.add_argument("--documents", type=Path, action="append", default=[], help="folder whose files may be shown")
    parser.add_argument("--allow-host", action="append", default=[], help="another name browsers may use for it")
    parser.add_argument("--bot-token", help="fixed bot token, for tests")
    parser.add_argument("--app-token", help="fixed app-level token, for tests")
    parser.add_argument("--ack-seconds", type=float, default=3.0, help="time the app has for an acknowledgement")
    parser.add_argument("--time-scale", type=float, default=1.0, help="speed of long waits; 60 makes a minute a second")
    parser.add_argument("--faults", default="{}", help="JSON of switches for what goes wrong")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent process does")
    return parser


def _stop_with_parent(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


def _write(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
