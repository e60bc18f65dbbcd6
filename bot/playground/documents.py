"""Shows a cited document of this machine, and only from folders that were named at start: text with the cited words
marked, a PDF as the browser shows it, anything else to be saved."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote as percent
from urllib.parse import unquote, urlencode, urlsplit

from starlette.responses import FileResponse, Response

from bot.playground.plain_page import plain_page

MOST_BYTES = 5_000_000
_WORD = re.compile(r"\w+")
_LEAST_WORDS = 3


def show_document(uri: str, folders: Sequence[Path], quote: str = "", *, whole: bool = False) -> Response:
    """Give the page of a document, or a page that says why there is none; `whole` gives the file itself."""
    path = _allowed_path(uri, folders)
    if path is None:
        # The same answer for what is missing and for what is not allowed: nobody learns what files there are.
        return plain_page(
            "Not shown", "<p>This document is not in a folder that the playground may show.</p>", status=404
        )
    if whole:
        # Never as a page of ours: what a file of that kind may run is not known.
        return _file(path, "application/octet-stream", "attachment")
    if path.stat().st_size > MOST_BYTES:
        return _to_be_saved(path, uri, "This file is too large to show here.")
    content = path.read_bytes()
    if content.startswith(b"%PDF"):
        return _file(path, "application/pdf", "inline")
    if b"\0" in content[:8192]:
        return _to_be_saved(path, uri, "This file is not plain text.")
    lines = content.decode("utf-8", "replace").splitlines()
    first, last = _find(lines, quote) or (0, 0)
    items = "".join(_item(number, line, first, last) for number, line in enumerate(lines, 1))
    return plain_page(path.name, f"<ol>{items}</ol>")


def _item(number: int, line: str, first: int, last: int) -> str:
    """A line; those of the quote are marked, and the page opens at the first of them."""
    text = html.escape(line) or " "
    if first <= number <= last:
        text = f"<mark>{text}</mark>"
    anchor = '<a id="quote"></a>' if number == first else ""
    return f'<li id="L{number}">{anchor}{text}</li>\n'


def _find(lines: Sequence[str], quote: str) -> tuple[int, int] | None:
    """The first and last line, from 1, of the words of a quote; of its first few where they do not all stand there."""
    asked = [word.casefold() for word in _WORD.findall(quote)]
    starts, words = [], [""]
    length = 1
    for line in lines:
        starts.append(length)
        found = [word.casefold() for word in _WORD.findall(line)]
        words += found
        length += sum(len(word) + 1 for word in found)
    text = f"{' '.join(words)} "
    for count in range(len(asked), min(_LEAST_WORDS, len(asked)) - 1, -1):
        if count and (place := text.find(f" {' '.join(asked[:count])} ")) >= 0:
            end = place + sum(len(word) + 1 for word in asked[:count])
            return bisect_right(starts, place + 1), bisect_right(starts, end - 1)
    return None


def _file(path: Path, media_type: str, disposition: str) -> Response:
    headers = {"X-Content-Type-Options": "nosniff"}
    return FileResponse(
        path, media_type=media_type, filename=path.name, content_disposition_type=disposition, headers=headers
    )


def _to_be_saved(path: Path, uri: str, why: str) -> Response:
    address = f"document?{urlencode({'uri': uri, 'whole': 'yes'}, quote_via=percent)}"
    return plain_page(path.name, f'<p>{why} <a href="{html.escape(address)}">Save it</a></p>')


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
