"""Other ways to cut a text: windows of tokens, and the recursive splitter that the chunking study used.

Both return places in the text and measure with the embedder's own tokenizer, as the product does.
"""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Tokenizer

# From the study's recursive splitter, coarse to fine; a separator stays at the head of the piece that follows it.
_SEPARATORS = ("\n\n", "\n", ".", "?", "!", " ")

Place = tuple[int, int]


def windows(text: str, tokenizer: Tokenizer, tokens: int, step: int | None = None) -> list[Place]:
    """Cut every `step` tokens, `tokens` long; without `step` there is no overlap."""
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    places = []
    for first in range(0, len(offsets), step or tokens):
        last = min(first + tokens, len(offsets)) - 1
        places.append((offsets[first][0], offsets[last][1]))
        if last == len(offsets) - 1:
            break
    return places


def recursive(text: str, tokenizer: Tokenizer, tokens: int) -> list[Place]:
    """Cut at the coarsest separator that makes pieces of at most `tokens`, and join neighbours that fit together."""

    def count(start: int, end: int) -> int:
        return len(tokenizer.encode(text[start:end], add_special_tokens=False).ids)

    def cut(start: int, end: int, separators: tuple[str, ...]) -> Iterator[Place]:
        if count(start, end) <= tokens:
            yield start, end
        elif not separators:
            yield from ((start + one, start + other) for one, other in windows(text[start:end], tokenizer, tokens))
        else:
            yield from joined(start, end, separators)

    def joined(start: int, end: int, separators: tuple[str, ...]) -> Iterator[Place]:
        first, used = start, 0
        for one, other in _between(text, start, end, separators[0]):
            size = count(one, other)
            if first < one and used + size > tokens:
                yield first, one
                first, used = one, 0
            if size > tokens:
                yield from cut(one, other, separators[1:])
                first, used = other, 0
            else:
                used += size
        if first < end:
            yield first, end

    return [(start, end) for start, end in cut(0, len(text), _SEPARATORS) if text[start:end].strip()]


def _between(text: str, start: int, end: int, separator: str) -> Iterator[Place]:
    first = start
    at = text.find(separator, start + 1, end)
    while at >= 0:
        yield first, at
        first = at
        at = text.find(separator, at + 1, end)
    yield first, end
