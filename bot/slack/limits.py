"""Slack's limits on a message, and how rich text is cut into pages that keep to them.

The numbers are Slack's and may change: they are all here. Sizes are counted as Slack counts, in UTF-16 units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile

from bot.slack.rich_text import Listing, Piece, Preformatted, Quote, Run, Runs, Section, Table

BLOCKS_OF_MESSAGE = 50
BLOCKS_OF_VIEW = 100
TEXT_OBJECT = 3_000
HEADER = 150
CONTEXT_ELEMENTS = 10
UPDATE_TEXT = 4_000
"""`chat.update` refuses a longer top-level text."""
MESSAGE_TEXT = 13_200
"""About what all blocks of one message may hold together (measured by others)."""
PAGE = 9_500
"""Rich text of one message: leaves room for sources and notes below MESSAGE_TEXT."""
BUTTON_VALUE = 2_000
PLAIN_TEXT_INPUT = 3_000
# What one element costs besides its text: keeps a text of nothing but marks from becoming a huge payload.
_ELEMENT = 12
# A page is not begun anew for a rest smaller than this.
_WORTH_FILLING = 600


def length(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def shorten(text: str, limit: int) -> str:
    """Cut a text to `limit` units, with an ellipsis where something is missing."""
    if length(text) <= limit:
        return text
    return f"{_prefix(text, limit - 1)}…"


def pieces(text: str, limit: int) -> list[str]:
    """Cut a text into pieces of up to `limit` units, after lines where that can be."""
    found = []
    while text:
        end = len(text) if length(text) <= limit else _cut_at(text, limit)
        found.append(text[:end])
        text = text[end:]
    return found


def size(piece: Piece) -> int:
    """What a piece takes of a page."""
    match piece:
        case Section(runs) | Quote(runs):
            return _ELEMENT + sum(map(_run_size, runs))
        case Preformatted() | Table():
            return 2 * _ELEMENT + length(piece.text)
        case Listing(items=items):
            return _ELEMENT + sum(_ELEMENT + sum(map(_run_size, item)) for item in items)


def text_of_blocks(blocks: object) -> int:
    """How much text blocks hold, counted as Slack counts it for a message."""
    if isinstance(blocks, Mapping):
        own = blocks.get("text")
        return (length(own) if isinstance(own, str) else 0) + sum(
            text_of_blocks(inner) for inner in blocks.values() if not isinstance(inner, str)
        )
    return sum(map(text_of_blocks, blocks)) if isinstance(blocks, list | tuple) else 0


def paginate(pieces: Iterable[Piece], page: int = PAGE, *, first: int = PAGE) -> list[list[Piece]]:
    """Distribute pieces over pages, cutting a piece only where it must be cut; `first` is the first page's size."""
    pages: list[list[Piece]] = [[]]
    room = min(first, page)
    for whole in pieces:
        rest: Piece | None = whole
        while rest is not None:
            piece, rest = _fit(rest, room, fresh=not pages[-1], page=page)
            if piece is None:
                pages.append([])
                room = page
                continue
            pages[-1].append(piece)
            room -= size(piece)
    return [content for content in pages if content]


def _fit(piece: Piece, room: int, *, fresh: bool, page: int) -> tuple[Piece | None, Piece | None]:
    needed = size(piece)
    if needed <= room:
        return piece, None
    if not fresh and (room < _WORTH_FILLING or (needed <= page and not isinstance(piece, Listing))):
        return None, piece
    match piece:
        case Section(runs):
            head, tail = _split_runs(runs, room - _ELEMENT)
            return Section(head), _section(tail)
        case Quote(runs):
            head, tail = _split_runs(runs, room - _ELEMENT)
            return Quote(head), Quote(tail) if tail else None
        case Preformatted(text):
            start = _cut_at(text, room - 2 * _ELEMENT)
            rest = text[start:].strip("\n")
            return Preformatted(text[:start].rstrip("\n") or " "), Preformatted(rest) if rest else None
        case Table():
            return _split_table(piece, room)
        case Listing():
            return _split_listing(piece, room)


def _split_table(table: Table, room: int) -> tuple[Piece | None, Piece | None]:
    """Cut between rows and repeat the header; a row that is too long for a page is cut as text."""
    used = 2 * _ELEMENT + length(table.header)
    ends = accumulate(length(row) + 1 for row in table.rows)
    taken = sum(1 for _ in takewhile(lambda end: used + end <= room, ends))
    if taken:
        rest = table.rows[taken:]
        return replace(table, rows=table.rows[:taken]), replace(table, rows=rest) if rest else None
    return _fit(Preformatted(table.text), room, fresh=True, page=room)


def _section(runs: Runs) -> Section | None:
    return Section(runs) if runs else None


def _split_listing(listing: Listing, room: int) -> tuple[Piece | None, Piece | None]:
    ends = accumulate(_ELEMENT + sum(map(_run_size, item)) for item in listing.items)
    taken = sum(1 for _ in takewhile(lambda end: _ELEMENT + end <= room, ends))
    if taken:
        rest = replace(listing, items=listing.items[taken:], offset=listing.offset + taken if listing.ordered else 0)
        return replace(listing, items=listing.items[:taken]), rest
    head, tail = _split_runs(listing.items[0], room - 2 * _ELEMENT)
    items = (tail, *listing.items[1:]) if tail else listing.items[1:]
    return replace(listing, items=(head,)), replace(listing, items=items) if items else None


def _split_runs(runs: Sequence[Run], room: int) -> tuple[Runs, Runs]:
    used = 0
    for index, run in enumerate(runs):
        if used + _run_size(run) <= room:
            used += _run_size(run)
            continue
        if run.url and index:
            return tuple(runs[:index]), tuple(runs[index:])
        start = len(run.text) if run.url else _cut_at(run.text, room - used - _ELEMENT)
        head, tail = run.text[:start].rstrip("\n"), run.text[start:].lstrip("\n")
        before = (*runs[:index], replace(run, text=head)) if head else tuple(runs[:index])
        after = (replace(run, text=tail), *runs[index + 1 :]) if tail else tuple(runs[index + 1 :])
        return before or (Run(" "),), after
    return tuple(runs), ()


def _cut_at(text: str, room: int) -> int:
    """Find where to cut: after a line, else after a word, else anywhere; always makes progress."""
    window = _prefix(text, max(room, 1))
    for sign in ("\n", " "):
        found = window.rfind(sign)
        if found > len(window) // 2:
            return found + 1
    return max(len(window), 1)


def _prefix(text: str, units: int) -> str:
    if text.isascii():
        return text[:units]
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore")


def _run_size(run: Run) -> int:
    return _ELEMENT + length(run.text) + length(run.url or "")
