"""Google Drive for tests: the token endpoint and the part of the API that a source asks, with the real shapes."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ACCOUNT = "reader@lore.iam.gserviceaccount.com"
TOKEN = "ya29.hidden-token"
ROOT = "root-folder_1"
FOLDER = "application/vnd.google-apps.folder"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def user(email: str, role: str = "reader", **more: object) -> dict[str, Any]:
    """A person's permission."""
    kind = {"kind": "drive#permission", "type": "user", "role": role, "deleted": False, "pendingOwner": False}
    return {"id": str(abs(hash(email))), "emailAddress": email, "displayName": email, **kind, **more}


ANYONE = {"kind": "drive#permission", "id": "anyoneWithLink", "type": "anyone", "role": "reader"}


@functools.cache
def private_key() -> str:
    """A key of nobody's."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@dataclass(kw_only=True)
class Item:
    """A file, folder or shortcut."""

    name: str
    parent: str = ROOT
    content: bytes = b""
    mime_type: str = "text/markdown"
    permissions: list[dict[str, Any]] = field(default_factory=lambda: [dict(ANYONE)])
    modified: str = "2026-01-02T03:04:05.678Z"
    trashed: bool = False
    drive: str = ""
    augmented: bool = False
    may_share: bool = True
    """Whether the account is told who may read it."""
    exports: dict[str, bytes] = field(default_factory=dict)
    refused: str = ""
    """Why it is not given out."""
    target: str = ""
    size: int | None = None
    link: str = ""
    """Its page, where that is not the usual one."""


@dataclass(kw_only=True)
class Drive:
    """What the server answers."""

    url: str = ""
    items: dict[str, Item] = field(default_factory=dict)
    page_size: int = 1000
    status: int = 200
    token_error: str = ""
    trouble: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    """Answers that come before the right ones: status, headers and Google's reason."""
    asked: list[str] = field(default_factory=list)
    """Path and query of each question to the API."""
    scopes: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The JSON key of the service account."""
        info = {
            "type": "service_account",
            "project_id": "lore",
            "private_key_id": "0123456789abcdef",
            "private_key": private_key(),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        return json.dumps(info, indent=2)

    @property
    def location(self) -> str:
        """The folder, read from this server."""
        return f"https://drive.google.com/drive/folders/{ROOT}?usp=sharing#api={self.url}"

    def put(self, item_id: str, item: Item) -> str:
        """Put or replace; returns its page."""
        self.items[item_id] = item
        return self.page(item_id)

    def page(self, item_id: str) -> str:
        """Its link."""
        return self.items[item_id].link or f"https://drive.google.com/file/d/{item_id}/view?usp=drivesdk"

    def opened(self) -> list[str]:
        """The ids of the files that were downloaded or exported."""
        return [path.split("/")[4].split("?")[0] for path in self.asked if "alt=media" in path or "/export" in path]

    def metadata(self, item_id: str) -> dict[str, Any]:
        """A file resource."""
        item = self.items[item_id]
        native = item.mime_type.startswith("application/vnd.google-apps")
        found: dict[str, Any] = {
            "kind": "drive#file",
            "id": item_id,
            "name": item.name,
            "mimeType": item.mime_type,
            "webViewLink": self.page(item_id),
            "modifiedTime": item.modified,
            "trashed": item.trashed,
            "lastModifyingUser": {"displayName": "Ben"},
        }
        if item.parent:
            found["parents"] = [item.parent]
        if not native:
            size = len(item.content) if item.size is None else item.size
            found |= {"size": str(size), "md5Checksum": hashlib.md5(item.content).hexdigest()}
        if item.target:
            found["shortcutDetails"] = {"targetId": item.target}
        if item.drive:
            return found | {"driveId": item.drive, "hasAugmentedPermissions": item.augmented}
        owners = [{"displayName": "Ada Lovelace", "emailAddress": "Ada@Example.com"}]
        return found | {"owners": owners} | ({"permissions": item.permissions} if item.may_share else {})


def _error(status: int, reason: str) -> tuple[int, dict[str, Any]]:
    told = {"domain": "global", "reason": reason, "message": f"hidden detail about {reason}"}
    return status, {"error": {"code": status, "message": told["message"], "errors": [told]}}


def _answer(drive: Drive, path: str, query: Mapping[str, str]) -> tuple[int, dict[str, Any] | bytes]:
    parts = path.removeprefix("/drive/v3/files").strip("/").split("/")
    if parts == [""]:
        parent = query["q"].split("'")[1]
        assert query["q"] == f"'{parent}' in parents and trashed = false"
        wanted = [key for key, item in drive.items.items() if item.parent == parent and not item.trashed]
        if drive.items[parent].drive and query.get("corpora") != "drive":
            wanted = []
        start = int(query.get("pageToken", "0"))
        end = start + drive.page_size
        more = {"nextPageToken": str(end)} if end < len(wanted) else {}
        return 200, {"incompleteSearch": False, "files": [drive.metadata(one) for one in wanted[start:end]], **more}
    item = drive.items.get(parts[0])
    if item is None or (item.drive and query.get("supportsAllDrives") != "true" and parts[1:] != ["export"]):
        return _error(404, "notFound")
    if parts[1:] == ["permissions"]:
        if not item.may_share:
            return _error(403, "insufficientFilePermissions")
        start, end = int(query.get("pageToken", "0")), int(query.get("pageToken", "0")) + min(drive.page_size, 100)
        more = {"nextPageToken": str(end)} if end < len(item.permissions) else {}
        return 200, {"kind": "drive#permissionList", "permissions": item.permissions[start:end], **more}
    if parts[1:] == ["export"]:
        wanted_type = query["mimeType"]
        return (200, item.exports[wanted_type]) if wanted_type in item.exports else _error(403, item.refused)
    if query.get("alt") == "media":
        return _error(403, item.refused) if item.refused else (200, item.content)
    return 200, drive.metadata(parts[0])


@contextmanager
def drive_served() -> Iterator[Drive]:
    """Serve a drive whose folder is empty at first."""
    drive = Drive()
    drive.put(ROOT, Item(name="Handbook", parent="", mime_type=FOLDER))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: who waits for the second would wait 40 ms

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
            claims = json.loads(base64.urlsafe_b64decode(form["assertion"][0].split(".")[1] + "=="))
            assert claims["iss"] == ACCOUNT
            drive.scopes.append(claims["scope"])
            if drive.token_error:
                self._send(400, {"error": drive.token_error, "error_description": "Invalid JWT Signature."})
            else:
                self._send(200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})

        def do_GET(self) -> None:
            drive.asked.append(self.path)
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            if drive.status != 200:
                self._send(*_error(drive.status, "backendError"))
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(*_error(401, "authError"))
            elif drive.trouble:
                status, headers, reason = drive.trouble.pop(0)
                self._send(*_error(status, reason), headers)
            else:
                status_of, body = _answer(drive, url.path, query)
                part = self.headers.get("Range")
                if part and isinstance(body, bytes) and status_of == 200:
                    status_of, body = (206, body[: int(part.partition("-")[2]) + 1]) if body else (416, b"")
                self._send(status_of, body)

        def _send(self, status: int, body: dict[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8" if body is not content else "x/y")
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
        drive.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield drive
        finally:
            server.shutdown()
            thread.join(10)
