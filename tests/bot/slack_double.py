"""A tiny real web server in Slack's place, for the few calls that need no workspace behind them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class SlackDouble:
    """Answers each method with a fixed reply, of its own for a token where there is one ("auth.test xoxb-1"), and
    keeps who asked what."""

    replies: Mapping[str, Mapping[str, Any]]
    scopes: str = ""
    url: str = ""
    date: str = ""
    """What Slack's clock says; the real time where it is empty."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, token and body of each call."""


@contextmanager
def slack_double(replies: Mapping[str, Mapping[str, Any]], scopes: str = "") -> Iterator[SlackDouble]:
    """Serve these replies by method name while the block runs."""
    double = SlackDouble(replies=replies, scopes=scopes)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            method = self.path.removeprefix("/api/")
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            double.asked.append((method, token))
            double.sent.append((method, token, content))
            reply = double.replies.get(f"{method} {token}") or double.replies.get(method)
            body = json.dumps(reply or {"ok": False, "error": "unknown_method"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if double.scopes:
                self.send_header("x-oauth-scopes", double.scopes)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return double.date or super().date_time_string(timestamp)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}/api/"
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
