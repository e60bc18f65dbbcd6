"""Shows a cited document of this machine as plain text, and only from folders that were named at start."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starlette.responses import HTMLResponse

from bot.playground.plain_page import plain_page

MOST_BYTES = 5_000_000


def show_document(uri: str, folders: Sequence[Path]) -> HTMLResponse:
    """Give the page of a document, or a page that says why there is none."""
    path = _allowed_path(uri, folders)
    if path is None:
        # The same answer for what is missing and for what is not allowed: nobody learns what files there are.
        return plain_page(
            "Not shown", "<p>This document is not in a folder that the playground may show.</p>", status=404
        )
    if path.stat().st_size > MOST_BYTES:
        return plain_page(path.name, f"<p>This file is too large to show here. It is at {html.escape(str(path))}</p>")
    content = path.read_bytes()
    if b"\0" in content[:8192] or content.startswith(b"%PDF"):
        return plain_page(path.name, f"<p>This file is not plain text. It is at {html.escape(str(path))}</p>")
    lines = content.decode("utf-8", "replace").splitlines()
    items = "".join(f'<li id="L{n}">{html.escape(line) or " "}</li>\n' for n, line in enumerate(lines, 1))
    return plain_page(path.name, f"<ol>{items}</ol>")


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
