"""Markdown to chunks: by heading, then by block, then at lines and sentences inside a long block.

A chunk never exceeds the limit in word pieces of the embedder's own tokenizer, header included: MiniLM silently
cuts at 256, so that whatever is longer cannot be found. It knows nothing of files or rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from semantic_text_splitter import TextSplitter

from knowledge.chunk_code import Measures, cut_code
from knowledge.code import Code
from knowledge.document import Chunk
from knowledge.parse import ParsedDocument
from knowledge.sections import Block, Section, blocks_of, sections_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHUNK_TOKENS = 230
# A section shorter than this is joined with its neighbour: a vector of a few words finds little.
_SMALL_TOKENS = 80
# Headers beyond this share of a chunk are shortened: the text is what answers.
_HEADER_SHARE = 3
# Splitters are made for capacities in steps: each holds a tokenizer of its own, and takes 50 ms to make.
_CAPACITY_STEP = 8
# A line that is shorter by so much was still ended by an editor; in a narrow text, lines are lines.
_RAGGED = 12
_NARROW = 50
_LINE_OF_ITS_OWN = re.compile(r"\s*(?:[-+*]\s|[>|#<~]|={3}|\d+[.)]\s|\[[^\]]+\]:|\.\. )")
_CODE = re.compile(r"```|~~~| {4}|\t")
# A link is never broken between its words and its address.
_FIRST_WORD = re.compile(r"\[[^\]]*\]\S*|\S+")
_BREAKS = ("  ", "\\")
# Tokenizers may count a long word as one piece.
_MAX_CHARACTERS_PER_TOKEN = 20


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """A section or block with its length; `path` is empty for a block."""

    path: tuple[str, ...] = ()
    text: str = field(repr=False)
    line: int
    tokens: int


class Chunker:
    """Cuts documents for one embedder. From one thread at a time."""

    def __init__(self, tokenizer: Tokenizer, limit: int = CHUNK_TOKENS) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._splitters: dict[int, TextSplitter] = {}

    def split(self, document: ParsedDocument) -> tuple[Chunk, ...]:
        """Cut one document; no chunk is empty, none is there twice."""
        if document.code is not None:
            return self._split_code(document.title, document.markdown, document.code)
        sections = self._measured(list(sections_of(document)))
        chunks: dict[str, Chunk] = {}
        for section in self._joined(sections):
            header = self._header(section.path)
            for piece in self._pieces(header, section):
                chunk = Chunk(ordinal=len(chunks), header=header, text=piece.text, line=piece.line)
                chunks.setdefault(chunk.embedded_text, chunk)
        return tuple(chunks.values())

    def _split_code(self, title: str, text: str, code: Code) -> tuple[Chunk, ...]:
        def room(path: tuple[str, ...]) -> int:
            return self._limit - self._count(f"{self._header((title, *path))}\n``````{code.language}\n\n")

        measures = Measures(of_lines=self._count_lines, room=room)
        chunks: dict[str, Chunk] = {}
        for piece in cut_code(text, code, measures):
            header = self._header((title, *piece.path))
            for part in self._fitting(header, piece.text):
                chunk = Chunk(ordinal=len(chunks), header=header, text=part, line=piece.line)
                chunks.setdefault(chunk.embedded_text, chunk)
        return tuple(chunks.values())

    def _fitting(self, header: str, fenced: str) -> Iterator[str]:
        """Yield a piece of code, cut within its lines where one alone is longer than a chunk."""
        if len(fenced) <= self._longest and self._count(f"{header}\n{fenced}") <= self._limit:
            yield fenced
            return
        opening, _, rest = fenced.partition("\n")
        body = rest.rpartition("\n")[0]
        closing = opening[: len(opening) - len(opening.lstrip("`"))]
        room = self._limit - self._count(f"{header}\n{opening}\n\n{closing}")
        block = _Measured(text=body, line=1, tokens=self._limit)
        for part in self._cut(block, room):
            yield f"{opening}\n{part.text}\n{closing}"

    def _count_lines(self, lines: Sequence[str]) -> list[int]:
        ended = [f"{line}\n" for line in lines]
        return [len(one.ids) for one in self._tokenizer.encode_batch(ended, add_special_tokens=False)]

    def _measured(self, parts: Sequence[Section | Block]) -> list[_Measured]:
        encoded = self._tokenizer.encode_batch([part.text for part in parts], add_special_tokens=False)
        return [
            _Measured(
                path=part.path if isinstance(part, Section) else (),
                text=part.text,
                line=part.line,
                tokens=len(encoding.ids),
            )
            for part, encoding in zip(parts, encoded, strict=True)
        ]

    def _joined(self, sections: Sequence[_Measured]) -> Iterator[_Measured]:
        """Join neighbours of which one is small, under the headings that they share."""
        current: _Measured | None = None
        for section in sections:
            if current is not None and min(current.tokens, section.tokens) < _SMALL_TOKENS:
                joined = _join(current, section)
                if joined.tokens + self._count(self._header(joined.path)) <= self._limit:
                    current = joined
                    continue
            if current is not None:
                yield current
            current = section
        if current is not None:
            yield current

    def _header(self, path: tuple[str, ...]) -> str:
        """Join the path; where it is too long, keep the title and the nearest headings, and shorten those."""
        allowed = self._limit // _HEADER_SHARE
        parts = list(path)
        while len(parts) > 2 and self._count(" > ".join(parts)) > allowed:
            parts.pop(1)
        header = " > ".join(parts)
        while self._count(header) > allowed:
            header = header[: len(header) * 2 // 3].rstrip() + "…"
        return header

    def _pieces(self, header: str, section: _Measured) -> Iterator[_Measured]:
        """Yield the pieces of a section that fit under its header, packed as full as whole blocks allow."""
        room = self._limit - self._count(f"{header}\n")
        if section.tokens <= room and len(section.text) <= self._longest:
            yield section
            return
        blocks = self._measured(list(blocks_of(Section(path=(), text=section.text, line=section.line))))
        packed: list[_Measured] = []
        for block in blocks:
            for part in self._parts(block, room):
                if packed and sum(one.tokens for one in packed) + part.tokens > room:
                    carried = _introduction(packed, room - part.tokens)
                    yield _pack(packed[: len(packed) - len(carried)])
                    packed = carried
                packed.append(part)
        if packed:
            yield _pack(packed)

    def _parts(self, block: _Measured, room: int) -> Iterator[_Measured]:
        """Yield a block whole where it fits; a long table by rows under its own head; else by meaning."""
        if block.tokens <= room and len(block.text) <= self._longest:
            yield block
            return
        head = _table_head(block.text)
        head_tokens = self._count(head)
        if head and head_tokens <= room // 2:
            rows = _Measured(text=block.text[len(head) :], line=block.line + 2, tokens=block.tokens - head_tokens)
            for part in self._cut(rows, room - head_tokens):
                yield _Measured(text=head + part.text, line=part.line, tokens=part.tokens + head_tokens)
        else:
            yield from self._cut(block, room)

    def _cut(self, block: _Measured, room: int) -> Iterator[_Measured]:
        # Not the package's splitter of Markdown: it cuts at each apostrophe, quotation mark and "$" before it cuts at
        # the end of a sentence.
        for offset, found in self._splitter(room).chunk_indices(_unwrapped(block.text)):
            piece = block.text[offset : offset + len(found)]
            line = block.line + block.text.count("\n", 0, offset)
            for start in range(0, len(piece), self._longest):
                if text := piece[start : start + self._longest].strip():
                    yield _Measured(text=text, line=line + piece.count("\n", 0, start), tokens=self._count(text))

    @property
    def _longest(self) -> int:
        return self._limit * _MAX_CHARACTERS_PER_TOKEN

    def _splitter(self, room: int) -> TextSplitter:
        capacity = max(room // _CAPACITY_STEP * _CAPACITY_STEP, _CAPACITY_STEP)
        if capacity not in self._splitters:
            self._splitters[capacity] = TextSplitter.from_huggingface_tokenizer(self._tokenizer, capacity)
        return self._splitters[capacity]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def _join(first: _Measured, second: _Measured) -> _Measured:
    shared = 0
    while shared < min(len(first.path), len(second.path)) and first.path[shared] == second.path[shared]:
        shared += 1
    texts = [_with_headings(section, shared) for section in (first, second)]
    # Headings move into the text; that they cost no more than their characters is certain without counting.
    added = sum(len(text) for text in texts) - len(first.text) - len(second.text)
    return _Measured(
        path=first.path[:shared],
        text="\n\n".join(texts),
        line=first.line,
        tokens=first.tokens + second.tokens + added,
    )


def _with_headings(section: _Measured, shared: int) -> str:
    headings = [f"{'#' * min(depth + 1, 6)} {name}" for depth, name in enumerate(section.path) if depth >= shared]
    return "\n\n".join([*headings, section.text])


def _pack(blocks: Sequence[_Measured]) -> _Measured:
    return _Measured(
        text="\n\n".join(block.text for block in blocks),
        line=blocks[0].line,
        tokens=sum(block.tokens for block in blocks),
    )


def _introduction(packed: Sequence[_Measured], room: int) -> list[_Measured]:
    """What leads over to the next block ("... as follows:") goes along with it, if there is room."""
    last = packed[-1]
    leads = len(packed) > 1 and last.text.endswith(":") and last.tokens <= min(room, _SMALL_TOKENS)
    return [last] if leads else []


def _unwrapped(text: str) -> str:
    """The text, of the same length, without the line ends that an editor put in: they are no places to cut at."""
    lines = text.split("\n")
    if any(_CODE.match(line) for line in (lines[0], *(line.lstrip() for line in lines))):
        return text
    # Addresses are longer than any editor's line.
    widest = max((len(line) for line in lines if "://" not in line), default=0)
    joined = [" " if _is_continued(line, then, widest) else "\n" for line, then in pairwise(lines)]
    return "".join(chain.from_iterable(zip(lines, [*joined, ""], strict=True)))


def _is_continued(line: str, then: str, widest: int) -> bool:
    """Whether a line ended because the next word had no room on it."""
    if widest < _NARROW or line.endswith(_BREAKS) or _LINE_OF_ITS_OWN.match(then):
        return False
    first = _FIRST_WORD.match(then.lstrip())
    return len(line) + 1 + (first.end() if first else 0) + _RAGGED > widest


def _table_head(text: str) -> str:
    lines = text.split("\n", 2)
    is_table = len(lines) == 3 and lines[0].lstrip().startswith("|") and not lines[1].strip("|-: \t")
    return f"{lines[0]}\n{lines[1]}\n" if is_table else ""
