"""The address of a passage: where a browser can, the page opens at the line, page, heading or words themselves."""

from __future__ import annotations

import re
from urllib.parse import quote as percent
from urllib.parse import urlencode, urlsplit

from knowledge.sources.code_files import code_type_of

# GitHub and GitLab; Gitea and Forgejo; Bitbucket. Of these only pages of files, which have no fragment yet.
_NUMBERED = re.compile(r"^https?://[^/?#]+/[^?#]+/(?:blob|src/branch|src/commit)/[^?#]+$|^file://[^?#]+$")
_BITBUCKET = re.compile(r"^https?://bitbucket\.org/[^/?#]+/[^/?#]+/src/[^?#]+$")
_MARKDOWN = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_PAGE = re.compile(r"Page (\d+)")
_NO_SLUG = re.compile(r"[^\w\- ]")
# Their pages are put together by a script after they are open, or the address leads into an app and not to a page.
_APPS = re.compile(r"(?:^|\.)(?:slack\.com|atlassian\.net|notion\.so|notion\.site|google\.com)$")
_BEGINNING = re.compile(r"[\s>|#*+-]+|\d+[.)]\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
# An underscore within a name is none.
_MARKS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)")
_END = re.compile(r"[|\n]")
_MOST_WORDS = 8
_LEAST_CHARACTERS = 8


def at_line(address: str, line: int | None, path: str | None = None) -> str:
    """The address of a line of a code file; the address itself for all else.

    `path` names the file where the address does not.
    """
    if line is None or code_type_of((path or address).rpartition("/")[2]) is None:
        return address
    if _BITBUCKET.match(address):
        return f"{address}#lines-{line}"
    return f"{address}#L{line}" if _NUMBERED.match(address) else address


def at_passage(address: str, *, uri: str, line: int | None, header: str, quote: str) -> str:
    """The address of a passage of the document `uri`, which is shown at `address`; the address where there is no finer.

    `header` is the passage's heading path, `quote` a sentence of it. A file of code opens at its line, a PDF at its
    page, Markdown on a code host at its heading, and a web page at its words (a text fragment, as in the draft
    https://wicg.github.io/scroll-to-text-fragment/: who does not know these shows the page from its top). Whoever
    shows files of this machine over HTTP is told the words as `quote` and marks them as `#quote`; a line is `#L1`.
    """
    numbered = at_line(address, line, uri)
    parts, heading = urlsplit(address), header.rpartition(" > ")[2]
    if numbered != address or parts.fragment or parts.scheme not in ("http", "https", "file"):
        return numbered
    if urlsplit(uri).path.lower().endswith(".pdf"):
        page = _PAGE.fullmatch(heading)
        return f"{address}#page={page[1]}" if page else address
    is_code, is_shown = code_type_of(uri.rpartition("/")[2]) is not None, uri.startswith("file:")
    if is_code and is_shown and line is not None and parts.scheme != "file":
        return f"{address}#L{line}"
    if is_code or parts.scheme == "file":
        return address
    words = _words(quote)
    if is_shown:
        return f"{address}{'&' if parts.query else '?'}{urlencode({'quote': words})}#quote" if words else address
    if _NUMBERED.match(address) or _BITBUCKET.match(address):
        is_heading = " > " in header and not heading.endswith("…")
        return f"{address}#{_slug(heading)}" if is_heading and _MARKDOWN.search(parts.path) else address
    if not words or _APPS.search(parts.hostname or ""):
        return address
    return f"{address}#:~:text={percent(words, safe='').replace('-', '%2D')}"


def _words(quote: str) -> str:
    """The first words of a sentence as they stand on a page, all in one block; empty where they say too little."""
    text = quote
    while (begun := _BEGINNING.match(text)) is not None and begun.end():
        text = text[begun.end() :]
    text = _END.split(_MARKS.sub("", _LINK.sub(r"\1", text)), maxsplit=1)[0]
    words = text.split()[:_MOST_WORDS]
    # The last one may be cut off, or end with what does not stand on the page.
    words = words[:-1] if words and words[-1] == "…" else words
    found = " ".join(words).rstrip(".,;:")
    return found if len(found) >= _LEAST_CHARACTERS else ""


def _slug(heading: str) -> str:
    """A heading as GitHub, GitLab and Gitea name its anchor; where two are alike, the first."""
    return percent(_NO_SLUG.sub("", _MARKS.sub("", heading).strip().lower()).replace(" ", "-"))
