"""Runs a playground in this process and prints one JSON line with its address and tokens when it is ready."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
import threading
from pathlib import Path

from bot.errors import BotError
from bot.playground.errors import ApiError
from bot.playground.installed_app import read_manifest
from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.playground import Playground
from bot.playground.serving import PlaygroundServer, address, listen


def main() -> int:
    """Read the command line, serve until stopped."""
    arguments = _parser().parse_args()
    try:
        playground, listener = _prepare(arguments)
    except BotError as error:
        _write({"error": str(error), "kind": type(error).__name__})
        return 1
    except ApiError as error:
        said = f"A switch for faults or features is not one: {'; '.join(error.messages)}"
        _write({"error": said, "kind": "SettingsError"})
        return 1
    server = PlaygroundServer(playground, lambda: _announce(playground))
    if arguments.until_stdin_closes:
        threading.Thread(target=_follow_parent, args=(playground, server), daemon=True).start()
    # The server stops in order on Ctrl-C, and then raises it again.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0


def _prepare(arguments: argparse.Namespace) -> tuple[Playground, socket.socket]:
    options = PlaygroundOptions(
        host=arguments.host,
        port=arguments.port,
        state=arguments.state,
        documents=tuple(arguments.documents),
        allowed_hosts=tuple(arguments.allow_host),
        ack_seconds=arguments.ack_seconds,
        time_scale=arguments.time_scale,
        faults=json.loads(arguments.faults),
        features=json.loads(arguments.features),
        surface=arguments.surface,
        events_url=arguments.events_url,
        manifest=read_manifest(arguments.manifest) if arguments.manifest else None,
    )
    listener = listen(options)
    playground = Playground(options, Tokens.create(bot=arguments.bot_token, app=arguments.app_token))
    playground.url = address(options.host, listener)
    return playground, listener


def _announce(playground: Playground) -> None:
    _write(
        {
            "url": playground.url,
            "api_url": f"{playground.url}api/",
            "bot_token": playground.tokens.bot,
            "app_token": playground.tokens.app,
            "signing_secret": playground.tokens.signing_secret,
            "client_id": playground.tokens.client_id,
            "client_secret": playground.tokens.client_secret,
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
    parser.add_argument("--features", default="{}", help="JSON of switches for what the workspace lacks")
    parser.add_argument("--surface", choices=("agent", "assistant"), help="the bot's messages tab")
    parser.add_argument("--events-url", help="POST events here instead of using Socket Mode")
    parser.add_argument("--manifest", type=Path, help="JSON manifest of the app; without one, all is allowed")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent process does")
    return parser


def _follow_parent(playground: Playground, server: PlaygroundServer) -> None:
    """Each line of the parent names the folders whose files may be shown from now on; its end is ours."""
    # Not through `sys.stdin`, whose lock a thread must not hold while the interpreter ends.
    unfinished = b""
    while said := os.read(0, 65536):
        *lines, unfinished = (unfinished + said).split(b"\n")
        for line in lines:
            playground.documents = tuple(map(Path, json.loads(line)))
    server.should_exit = True


def _write(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
