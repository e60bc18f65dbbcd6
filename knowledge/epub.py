"""EPUB to Markdown: the chapters in their reading order, each converted as the HTML that it is."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Callable
from urllib.parse import unquote

from knowledge.converted import Converted
from knowledge.errors import NoTextError, UnreadableDocumentError

_CONTAINER = "META-INF/container.xml"
# A packed file may hold a thousand times its size; what is read of one chapter and of all is limited.
_LARGEST_CHAPTER, _LARGEST_BOOK = 20 * 1024 * 1024, 100 * 1024 * 1024


def from_epub(content: bytes, html: Callable[[bytes | str], Converted]) -> Converted:
    """All chapters of the spine."""
    import bs4

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            container = bs4.BeautifulSoup(_read(book, _CONTAINER), "html.parser")
            root = container.find("rootfile")
            if not isinstance(root, bs4.Tag):
                raise UnreadableDocumentError("It names no table of contents.")
            package_path = str(root["full-path"])
            package = bs4.BeautifulSoup(_read(book, package_path), "html.parser")
            files = {str(item["id"]): str(item["href"]) for item in package.find_all("item") if item.has_attr("href")}
            spine = [files.get(str(item.get("idref"))) for item in package.find_all("itemref")]
            chapters, size = [], 0
            for href in spine:
                path = posixpath.normpath(posixpath.join(posixpath.dirname(package_path), unquote(href or "")))
                if href and path in book.namelist():
                    chapter = _read(book, path)
                    size += len(chapter)
                    if size > _LARGEST_BOOK:
                        raise UnreadableDocumentError("It is larger than 100 MB when unpacked. Split it.")
                    chapters.append(html(chapter).markdown)
    except (zipfile.BadZipFile, KeyError) as error:
        raise UnreadableDocumentError(f"It is no EPUB ({error}). Export it again.") from error
    title = package.find("dc:title")
    said = "\n\n".join(filter(None, chapters))
    if not said:
        raise NoTextError("It holds no text.")
    return Converted(title=title.get_text(" ", strip=True) if isinstance(title, bs4.Tag) else "", markdown=said)


def _read(book: zipfile.ZipFile, path: str) -> bytes:
    with book.open(path) as file:
        content = file.read(_LARGEST_CHAPTER + 1)
    if len(content) > _LARGEST_CHAPTER:
        raise UnreadableDocumentError(f"{path} in it is larger than 20 MB.")
    return content
