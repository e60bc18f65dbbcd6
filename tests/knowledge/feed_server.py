"""A site with a news feed, served over HTTP for tests; it counts who asks for what."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RSS = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>News</title>{}</channel></rss>'


@dataclass(kw_only=True)
class Site:
    """What the server answers; the feed is at /feed.xml."""

    url: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    """The last part of an entry's link -> its HTML; the newest last."""
    feed: bytes | None = None
    """The feed as it is, instead of the entries."""
    media_type: str = "application/rss+xml"
    moved: dict[str, str] = field(default_factory=dict)
    """Path -> where it is now."""
    status: int = 200
    with_tag: bool = True
    pause: threading.Event | None = None
    """Waited for in the middle of an answer."""
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""
    answered: list[int] = field(default_factory=list)

    @property
    def location(self) -> str:
        """The address of the feed."""
        return f"{self.url}/feed.xml"

    def body(self) -> bytes:
        """The feed, the newest entry first."""
        if self.feed is not None:
            return self.feed
        items = (
            f"<item><title>{escape(name)}</title><link>{self.url}/{name}</link><guid>{self.url}/{name}</guid>"
            f"<description>{escape(text)}</description></item>"
            for name, text in reversed(self.entries.items())
        )
        return RSS.format("".join(items)).encode()


@contextmanager
def feed_served() -> Iterator[Site]:
    """Serve a site whose feed is empty at first."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers)))
            body = site.body()
            tag = f'"{hashlib.sha256(body).hexdigest()}"'
            if self.path in site.moved:
                self._answer(302, {"Location": site.moved[self.path]}, b"")
            elif site.status == 200 and site.with_tag and self.headers.get("If-None-Match") == tag:
                self._answer(304, {}, b"")
            else:
                tags = {"ETag": tag, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"} if site.with_tag else {}
                self._answer(site.status, {"Content-Type": site.media_type, **tags}, body)

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            site.answered.append(status)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            half = len(body) // 2
            with suppress(OSError):  # who asked may have given up
                self.wfile.write(body[:half])
                self.wfile.flush()
                if site.pause is not None:
                    site.pause.wait(10)
                self.wfile.write(body[half:])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join(10)
