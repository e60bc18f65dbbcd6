"""Notion for tests: the part of the API that a source asks, with the shapes of the version that the client speaks."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ntn_hidden_token"
ADA = "00000000-0000-4000-8000-00000000000a"
LONG_AGO = "2026-01-02T03:04:00.000Z"


def id_of(name: str) -> str:
    """The id of a thing, from its name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def text(content: str, *, href: str | None = None, **looks: bool) -> dict[str, Any]:
    """A piece of rich text."""
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": href} if href else None},
        "annotations": {"bold": False, "italic": False, "code": False, "strikethrough": False, **looks},
        "plain_text": content,
        "href": href,
    }


def block(kind: str, said: str | list[dict[str, Any]] = "", *below: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A block with those below it, which the server gives out one level at a time."""
    rich_text = [text(said)] if isinstance(said, str) and said else said or []
    return {"type": kind, "content": {"rich_text": rich_text, "color": "default", **more}, "below": list(below)}


@dataclass(kw_only=True)
class Page:
    """A page, or a row of a database."""

    title: str
    parent: dict[str, str]
    blocks: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    edited: str = LONG_AGO
    in_trash: bool = False
    shared: bool = True
    listed: bool = True
    """Whether the index knows it."""
    refused: tuple[int, str] | None = None
    """What is answered when its blocks are asked for."""
    url: str = ""


@dataclass(kw_only=True)
class Notion:
    """What the server answers."""

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    """By id."""
    databases: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=lambda: {ADA: "Ada Lovelace"})
    tells_users: bool = True
    page_size: int = 100
    status: int = 200
    token: str = TOKEN
    trouble: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    """Answers that come before the right ones: status, headers and Notion's code."""
    asked: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def location(self, name: str = "") -> str:
        """A place, read from this server; without a name the workspace."""
        page = f"acme/{name}-{id_of(name).replace('-', '')}?pvs=4" if name else ""
        return f"https://www.notion.so/{page}#api={self.url}"

    def put(self, name: str, *blocks: dict[str, Any], above: str = "", database: str = "", **more: Any) -> str:
        """Put or replace a page, in the workspace, below another or in a database; returns its address."""
        parent = {"type": "workspace", "workspace": "true"}
        if above:
            parent = {"type": "page_id", "page_id": id_of(above)}
        if database:
            source = id_of(f"{database} source")
            parent = {"type": "data_source_id", "data_source_id": source, "database_id": id_of(database)}
        self.pages[id_of(name)] = Page(title=name, parent=parent, blocks=list(blocks), **more)
        return self.address(name)

    def put_database(self, name: str, *, above: str = "") -> None:
        """Put a database with one data source."""
        parent = {"type": "page_id", "page_id": id_of(above)} if above else {"type": "workspace", "workspace": "true"}
        self.databases[id_of(name)] = {"name": name, "parent": parent}

    def address(self, name: str) -> str:
        """A page's address."""
        page = self.pages[id_of(name)]
        return page.url or f"https://www.notion.so/{page.title.replace(' ', '-')}-{id_of(name).replace('-', '')}"

    def read(self) -> list[str]:
        """The titles of the pages whose blocks were asked for."""
        ids = [path.split("/")[3] for path in self.asked if path.startswith("/v1/blocks/") and "children" in path]
        return [self.pages[one].title for one in ids if one in self.pages]

    def page(self, page_id: str) -> dict[str, Any]:
        """A page object."""
        page = self.pages[page_id]
        titled = {"Name": {"id": "title", "type": "title", "title": [text(page.title)] if page.title else []}}
        return {
            "object": "page",
            "id": page_id,
            "created_time": LONG_AGO,
            "last_edited_time": page.edited,
            "created_by": {"object": "user", "id": ADA},
            "last_edited_by": {"object": "user", "id": ADA},
            "parent": page.parent,
            "archived": page.in_trash,
            "in_trash": page.in_trash,
            "properties": {**titled, **page.properties},
            "url": page.url or f"https://www.notion.so/{page.title.replace(' ', '-')}-{page_id.replace('-', '')}",
        }

    def source(self, database_id: str) -> dict[str, Any]:
        """A data source object."""
        database = self.databases[database_id]
        return {
            "object": "data_source",
            "id": id_of(f"{database['name']} source"),
            "title": [text(database["name"])],
            "parent": {"type": "database_id", "database_id": database_id},
            "database_parent": database["parent"],
            "archived": False,
            "in_trash": False,
            "properties": {},
        }

    def as_blocks(self, below: list[dict[str, Any]], above: str) -> list[dict[str, Any]]:
        """Block objects, each with an id of its own, whose children can be asked for."""
        found = []
        for place, one in enumerate(below):
            key = one.get("id") or id_of(f"{above}/{place}")
            self.blocks[key] = {**one, "above": above}
            found.append(
                {
                    "object": "block",
                    "id": key,
                    "type": one["type"],
                    one["type"]: one["content"],
                    "has_children": bool(one["below"]) or one["type"] in ("child_page", "child_database"),
                    "archived": False,
                    "in_trash": False,
                }
            )
        return found


def _error(status: int, code: str) -> tuple[int, dict[str, Any]]:
    return status, {"object": "error", "status": status, "code": code, "message": f"hidden detail about {code}"}


def _listed(notion: Notion, items: list[dict[str, Any]], asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    start = int(asked.get("start_cursor") or 0)
    end = start + min(notion.page_size, int(asked.get("page_size") or 100))
    more = end < len(items)
    next_cursor = str(end) if more else None
    return 200, {"object": "list", "results": items[start:end], "has_more": more, "next_cursor": next_cursor}


def _answer(notion: Notion, parts: list[str], asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    missing = _error(404, "object_not_found")
    match parts:
        case ["search"]:
            pages = [notion.page(key) for key, page in notion.pages.items() if page.listed and page.shared]
            sources = [notion.source(key) for key in notion.databases]
            return _listed(notion, [*(page for page in pages if not page["in_trash"]), *sources], asked)
        case ["pages", key]:
            return (200, notion.page(key)) if key in notion.pages and notion.pages[key].shared else missing
        case ["pages", key, "properties", name]:
            value = next(one for one in notion.pages[key].properties.values() if one["id"] == name)
            items = [{"object": "property_item", "type": "relation", "relation": one} for one in value["all"]]
            return _listed(notion, items, asked)
        case ["databases", key]:
            if key not in notion.databases:
                return missing
            source = notion.source(key)
            told = {"id": source["id"], "name": notion.databases[key]["name"]}
            parent = notion.databases[key]["parent"]
            head = {"object": "database", "id": key, "parent": parent, "archived": False, "in_trash": False}
            return 200, {**head, "title": source["title"], "data_sources": [told]}
        case ["data_sources", key, "query"]:
            rows = [one for one, page in notion.pages.items() if page.parent.get("data_source_id") == key]
            return _listed(notion, [notion.page(one) for one in rows if not notion.pages[one].in_trash], asked)
        case ["blocks", key, "children"]:
            if key in notion.pages:
                page = notion.pages[key]
                if page.refused:
                    return _error(*page.refused)
                return _listed(notion, notion.as_blocks(page.blocks, key), asked) if page.shared else missing
            if key not in notion.blocks:
                return missing
            return _listed(notion, notion.as_blocks(notion.blocks[key]["below"], key), asked)
        case ["blocks", key]:
            if key not in notion.blocks:
                return missing
            above = notion.blocks[key]["above"]
            kind = "page_id" if above in notion.pages else "block_id"
            return 200, {"object": "block", "id": key, "parent": {"type": kind, kind: above}}
        case ["users", key]:
            if not notion.tells_users:
                return _error(403, "restricted_resource")
            called = notion.users.get(key)
            return (200, {"object": "user", "id": key, "type": "person", "name": called}) if called else missing
    return _error(400, "invalid_request_url")


@contextmanager
def notion_served() -> Iterator[Notion]:
    """Serve a workspace that is empty at first."""
    notion = Notion()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: who waits for the second would wait 40 ms

        def do_GET(self) -> None:
            self._handle({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

        def do_POST(self) -> None:
            self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _handle(self, asked: Mapping[str, Any]) -> None:
            path = urlsplit(self.path).path
            notion.asked.append(path)
            notion.versions.add(self.headers["Notion-Version"])
            if notion.status != 200:
                self._send(*_error(notion.status, "service_unavailable"))
            elif self.headers.get("Authorization") != f"Bearer {notion.token}":
                self._send(*_error(401, "unauthorized"))
            elif notion.trouble:
                status, headers, code = notion.trouble.pop(0)
                self._send(*_error(status, code), headers)
            else:
                self._send(*_answer(notion, path.removeprefix("/v1/").split("/"), asked))

        def _send(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        notion.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield notion
        finally:
            server.shutdown()
            thread.join(10)
