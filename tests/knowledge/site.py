"""A web site on a real local server, whose pages a test changes and whose requests it can read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPES = {"md": "text/markdown", "txt": "text/plain", "xml": "application/xml", "pdf": "application/pdf"}


@dataclass(kw_only=True)
class Reply:
    """What the server says of one path."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    has_etag: bool = True


@dataclass(kw_only=True)
class Site:
    """What is served, and what was asked."""

    server: ThreadingHTTPServer
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Path and status, in order."""
    agents: set[str | None] = field(default_factory=set)
    wants: str = ""
    """The authorization that opens it; empty: none."""
    stop: Callable[[], None] = field(default=lambda: None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def put(self, path: str, text: str | bytes = b"", *, status: int = 200, etag: bool = True, **headers: str) -> str:
        """Serve something at a path; returns its address."""
        kind = TYPES.get(path.rpartition("/")[2].partition(".")[2], "text/html; charset=utf-8")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = text.encode() if isinstance(text, str) else text
        self.replies[path] = Reply(
            content=content, status=status, headers={"Content-Type": kind, **named}, has_etag=etag
        )
        return self.url + path

    def list_pages(self, *paths: str, lastmod: str = "", at: str = "/sitemap.xml") -> None:
        """Serve a sitemap of these paths or addresses."""
        day = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
        rows = (f"<url><loc>{escape(path if '://' in path else self.url + path)}</loc>{day}</url>" for path in paths)
        self.put(at, f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{"".join(rows)}</urlset>')

    def asked_pages(self) -> list[tuple[str, int]]:
        """What was asked since the last call, without robots.txt and the sitemaps."""
        found = [one for one in self.asked if not one[0].startswith(("/robots.txt", "/sitemap"))]
        self.asked.clear()
        return found


@contextmanager
def served_site() -> Iterator[Site]:
    """Serve a site that is empty at first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = site.replies.get(self.path, Reply(status=404))
            etag = f'"{hashlib.sha256(reply.content).hexdigest()[:12]}"' if reply.has_etag else ""
            told, since = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
            same = (told and told == etag) or (since and since == reply.headers.get("Last-Modified"))
            if site.wants and self.headers.get("Authorization") != site.wants:
                reply, same = Reply(status=401), False
            status = 304 if reply.status == 200 and same else reply.status
            site.asked.append((self.path, status))
            site.agents.add(self.headers.get("User-Agent"))
            content = b"" if status == 304 else reply.content
            self.send_response(status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if etag and status in (200, 304):
                self.send_header("ETag", etag)
            if status != 304:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(10)

    site = Site(server=server, stop=stop)
    try:
        yield site
    finally:
        stop()
