"""Rebuilds Markdown as Slack rich text, from a parsed tree and never by rewriting the text.

The guarantee, for any input: no live link but those handed in as `links`, no mention, no image, no date.
Everything else is a text element, which Slack shows as it is; what looks like an address gets code style.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.slack.inert import clean, link_spans
from bot.slack.rich_text import CODE, PLAIN, Listing, Piece, Preformatted, Quote, Run, Runs, Section, Table

_STYLE_OF_TOKEN = {"strong": "bold", "em": "italic", "s": "strike"}
_MARKER = re.compile(r"\[(\d{1,3}(?: ?, ?\d{1,3})*)\]")
_DEEPEST_INDENT = 8
_WIDEST_CELL = 60

# The parser's time grows faster than the text where marks pile up (10,000 opening brackets take 0.2 s). No
# answer worth formatting comes near this number in 10,000 characters; beyond it the text is shown as it stands.
_MARK = re.compile(r"[*_~`\\<&!]")
_MOST_MARKS = 2_000


@dataclass(frozen=True, slots=True)
class Links:
    """The only addresses that may become live: those of the citations."""

    by_number: Mapping[int, str] = field(default_factory=dict)
    by_address: Mapping[str, str] = field(default_factory=dict)
    """From how an address may stand in the text to the citation's own link."""


def parse_markdown(markdown: str, links: Links) -> tuple[Piece, ...]:
    """Turn Markdown into pieces of rich text; see the module's guarantee."""
    text = clean(markdown)
    if _marks(text) > _MOST_MARKS * max(1, len(text) // 10_000):
        return tuple(_finish(Section((Run(part),)), Links()) for part in [text.strip()] if part)
    return tuple(_finish(piece, links) for piece in _Builder(links).build(_parser().parse(text)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # No HTML, no images' addresses, no reference definitions: `[x][ref]` stays the text that it is.
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 40})
    return parser.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])


def _marks(text: str) -> int:
    # Weighed by what they cost: an opening bracket looks for its end through all that follows.
    return len(_MARK.findall(text)) + 6 * text.count("[") + 3 * (text.count("\n") + text.count(">"))


@dataclass(slots=True)
class _Level:
    ordered: bool
    number: int
    quoted: bool
    """The list stands in a quote, which can hold no list: its items become lines."""
    fresh: bool = True
    """The next text starts an item."""


class _Builder:
    """Walks the flat tokens once; holds where in the tree the walk is."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._pieces: list[Piece] = []
        self._levels: list[_Level] = []
        self._quotes = 0
        self._heading = False
        self._after_heading = False
        self._rows: list[list[str]] | None = None

    def build(self, tokens: Sequence[Token]) -> list[Piece]:
        for token in tokens:
            self._take(token)
        return self._pieces

    def _take(self, token: Token) -> None:
        match token.type:
            case "inline":
                self._inline(token)
            case "fence" | "code_block":
                self._code(token.content)
            case "heading_open" | "heading_close":
                self._heading = token.nesting == 1
            case "blockquote_open" | "blockquote_close":
                self._quotes += token.nesting
            case "bullet_list_open":
                self._levels.append(_Level(ordered=False, number=0, quoted=bool(self._quotes)))
            case "ordered_list_open":
                number = min(int(token.attrs.get("start", 1)), 1_000_000) - 1
                self._levels.append(_Level(ordered=True, number=number, quoted=bool(self._quotes)))
            case "bullet_list_close" | "ordered_list_close":
                self._levels.pop()
            case "list_item_open":
                self._levels[-1].fresh = True
                self._levels[-1].number += 1
            case "table_open":
                self._rows = []
            case "tr_open" if self._rows is not None:
                self._rows.append([])
            case "table_close":
                self._table()
            case _:
                pass

    def _inline(self, token: Token) -> None:
        runs = _inline_runs(token.children or [], self._links, bold=self._heading)
        if self._rows is not None:
            self._rows[-1].append(" ".join("".join(run.text for run in runs).split()))
        elif any(run.text.strip() for run in runs):
            self._place(runs)

    def _place(self, runs: Runs) -> None:
        if self._levels[0].quoted if self._levels else self._quotes:
            self._quote(runs)
        elif self._levels:
            self._item(runs)
        else:
            self._paragraph(runs)

    @property
    def _last(self) -> Piece | None:
        return self._pieces[-1] if self._pieces else None

    def _paragraph(self, runs: Runs) -> None:
        last = self._last
        if isinstance(last, Section):
            gap = Run("\n" if self._after_heading else "\n\n")
            self._pieces[-1] = Section((*last.runs, gap, *runs))
        else:
            lead = (Run("\n"),) if isinstance(last, Listing) else ()
            self._pieces.append(Section((*lead, *runs)))
        self._after_heading = self._heading

    def _quote(self, runs: Runs) -> None:
        if self._levels and self._levels[-1].fresh:
            level = self._levels[-1]
            level.fresh = False
            runs = (Run(f"{level.number}. " if level.ordered else "• "), *runs)
        last = self._last
        if isinstance(last, Quote):
            self._pieces[-1] = Quote((*last.runs, Run("\n"), *runs))
        else:
            self._pieces.append(Quote(runs))

    def _item(self, runs: Runs) -> None:
        level = self._levels[-1]
        indent = min(len(self._levels) - 1, _DEEPEST_INDENT)
        last = self._last
        if not isinstance(last, Listing) or (last.indent, last.ordered) != (indent, level.ordered):
            last = None
        if level.fresh and last and self._continues(last, level):
            self._pieces[-1] = replace(last, items=(*last.items, runs))
        elif level.fresh:
            offset = max(level.number - 1, 0) if level.ordered else 0
            self._pieces.append(Listing((runs,), ordered=level.ordered, indent=indent, offset=offset))
        elif last:
            self._pieces[-1] = replace(last, items=(*last.items[:-1], (*last.items[-1], Run("\n"), *runs)))
        else:
            self._pieces.append(Section(runs))
        level.fresh = False

    @staticmethod
    def _continues(last: Listing, level: _Level) -> bool:
        return not level.ordered or last.offset + len(last.items) == level.number - 1

    def _code(self, content: str) -> None:
        if content.strip():
            self._pieces.append(Preformatted(content.rstrip("\n")))
        if self._levels:
            self._levels[-1].fresh = False

    def _table(self) -> None:
        rows, self._rows = self._rows or [], None
        table = _draw_table(rows)
        if table.text.strip():
            self._pieces.append(table)


def _inline_runs(tokens: Sequence[Token], links: Links, *, bold: bool) -> Runs:
    depth = {"bold": int(bold), "italic": 0, "strike": 0}
    runs: list[Run] = []
    opened: list[tuple[str, int]] = []
    for token in tokens:
        kind = token.type.rpartition("_")[0]
        if kind in _STYLE_OF_TOKEN:
            depth[_STYLE_OF_TOKEN[kind]] += token.nesting
        elif token.type == "link_open":
            opened.append((str(token.attrs.get("href", "")), len(runs)))
        elif token.type == "link_close":
            address, start = opened.pop()
            runs[start:] = _link(runs[start:], address, links)
        else:
            style = CODE if token.type == "code_inline" else frozenset(name for name, count in depth.items() if count)
            text = "\n" if token.type in ("softbreak", "hardbreak") else token.content
            runs.append(Run(clean(text), style))
    return tuple(run for run in runs if run.text)


def _link(label: list[Run], address: str, links: Links) -> list[Run]:
    """Keep what a link says; it is live only where it leads to a citation."""
    text = "".join(run.text for run in label)
    if text.isdecimal() and len(text) <= 3 and int(text) in links.by_number:
        return [Run(f"[{text}]")]
    url = links.by_address.get(address)
    if url is None or not text.strip():
        return label if text.strip() else [Run(clean(address), CODE)]
    if text != address and next(link_spans(text), None) is not None:
        return label  # it shows one address and would open another
    return [replace(run, url=url) for run in label]


def _finish(piece: Piece, links: Links) -> Piece:
    match piece:
        case Section(runs):
            return Section(_finish_runs(runs, links))
        case Quote(runs):
            return Quote(_finish_runs(runs, links))
        case Listing(items=items):
            return replace(piece, items=tuple(_finish_runs(item, links) for item in items))
        case Preformatted() | Table():
            return piece


def _finish_runs(runs: Runs, links: Links) -> Runs:
    marked = [part for run in runs for part in _link_markers(run, links)]
    return tuple(_join(_disarm(marked, links)))


def _link_markers(run: Run, links: Links) -> Iterator[Run]:
    """Make `[1]` and `[1, 2]` links to the citations with those numbers."""
    if run.url or "code" in run.style:
        yield run
        return
    done = 0
    for match in _MARKER.finditer(run.text):
        numbers = [int(number) for number in match.group(1).split(",")]
        if not all(number in links.by_number for number in numbers):
            continue
        yield Run(run.text[done : match.start()], run.style)
        for number in numbers:
            yield Run(f"[{number}]", run.style, links.by_number[number])
        done = match.end()
    yield Run(run.text[done:], run.style)


def _disarm(runs: Sequence[Run], links: Links) -> Iterator[Run]:
    """Put code style on everything that looks like an address, also where it goes on over several runs."""
    # A link of ours ends an address before it: nothing joins what stands on its two sides.
    whole = "".join(" " * len(run.text) if run.url else run.text for run in runs)
    spans = deque(link_spans(whole))
    position = 0
    for run in runs:
        end = position + len(run.text)
        done = position
        while spans and not run.url and spans[0][0] < end:
            start, stop = spans[0]
            inside, outside = max(start, position), min(stop, end)
            yield Run(whole[done:inside], run.style)
            url = links.by_address.get(whole[start:stop])
            yield Run(whole[inside:outside], PLAIN if url else CODE, url)
            done = outside
            if stop > end:
                break
            spans.popleft()
        yield Run(run.text[done - position :], run.style, run.url)
        position = end


def _join(runs: Iterable[Run]) -> Iterator[Run]:
    held: Run | None = None
    for run in runs:
        if not run.text:
            continue
        if held and held.url is None and run.url is None and held.style == run.style:
            held = replace(held, text=held.text + run.text)
            continue
        if held:
            yield held
        held = run
    if held:
        yield held


def _draw_table(rows: Sequence[Sequence[str]]) -> Table:
    cells = [[_wrap(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    padded = [[*row, *[[""]] * (columns - len(row))] for row in cells]
    widths = [max(_width(line) for row in padded for line in row[column]) for column in range(columns)]
    lines = [_draw_row(row, widths) for row in padded]
    if len(lines) < 2:
        return Table(header="", rows=tuple(lines))
    rule = "  ".join("─" * width for width in widths)
    return Table(header=f"{lines[0]}\n{rule}", rows=tuple(lines[1:]))


def _draw_row(row: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    """Draw the cells of a row side by side, as many lines high as the highest of them."""
    height = max(map(len, row), default=1)
    lines = (
        "  ".join(
            _pad(cell[number] if number < len(cell) else "", width) for cell, width in zip(row, widths, strict=True)
        )
        for number in range(height)
    )
    return "\n".join(line.rstrip() for line in lines)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _wrap(cell: str) -> list[str]:
    """Break a cell that is too wide, after a word where there is one."""
    lines = []
    while len(cell) > _WIDEST_CELL:
        end = cell.rfind(" ", 1, _WIDEST_CELL + 1)
        end = end if end > 0 else _WIDEST_CELL
        lines.append(cell[:end])
        cell = cell[end:].lstrip(" ")
    return [*lines, cell]


def _width(text: str) -> int:
    """Columns of a text in a fixed-width font."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
