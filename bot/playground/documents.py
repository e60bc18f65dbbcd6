"""Shows a cited document of this machine as plain text, and only from folders that were named at start."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.responses import HTMLResponse

MOST_BYTES = 5_000_000
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.6 system-ui, sans-serif; }
h1 { font-size: 1.1rem; overflow-wrap: anywhere; }
ol { font: 13px/1.6 ui-monospace, monospace; padding-left: 3.5rem; }
li { white-space: pre-wrap; overflow-wrap: anywhere; padding-left: .5rem; }
li::marker { color: GrayText; }
li:target { background: Mark; color: MarkText; scroll-margin-top: 30vh; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No script at all, and no style but this one.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def show_document(uri: str, folders: Sequence[Path]) -> HTMLResponse:
    """Give the page of a document, or a page that says why there is none."""
    path = _allowed_path(uri, folders)
    if path is None:
        # The same answer for what is missing and for what is not allowed: nobody learns what files there are.
        return _page("Not shown", "<p>This document is not in a folder that the playground may show.</p>", status=404)
    if path.stat().st_size > MOST_BYTES:
        return _page(path.name, f"<p>This file is too large to show here. It is at {html.escape(str(path))}</p>")
    content = path.read_bytes()
    if b"\0" in content[:8192] or content.startswith(b"%PDF"):
        return _page(path.name, f"<p>This file is not plain text. It is at {html.escape(str(path))}</p>")
    lines = content.decode("utf-8", "replace").splitlines()
    items = "".join(f'<li id="L{n}">{html.escape(line) or " "}</li>\n' for n, line in enumerate(lines, 1))
    return _page(path.name, f"<ol>{items}</ol>")


def _allowed_path(uri: str, folders: Sequence[Path]) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    try:
        # Resolved first: a link that leads out of the folder is judged by where it leads.
        path = Path(unquote(parts.path)).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    allowed = any(path.is_relative_to(folder.resolve()) for folder in folders)
    return path if allowed and path.is_file() else None


def _page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    name = html.escape(title)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{_STYLE}</style><h1>{name}</h1>{body}</html>"
    )
    return HTMLResponse(text, status_code=status, headers={"Content-Security-Policy": _POLICY})
