"""The documents' own text as rows to go on from: for `lorekeeper tune --method text`.

Only what is public and the operator's own, as for questions: a piece with a secret is left out, addresses and numbers
of people are replaced. The text of documents that test questions are about is not among what is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.learn.questions import OwnedChunk
from bot.learn.rows import Omitted
from bot.learn.scan import find_secrets, without_people
from bot.learn.split import part_of
from bot.learn.tombstones import document_origin
from models.example import Example, Part

_SHORTEST_CHARACTERS = 80
"""A heading without a text teaches nothing."""


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """A piece of a document, and the part that it goes into."""

    part: Part
    example: Example = field(repr=False)


def text_rows(pieces: Sequence[OwnedChunk], seed: int) -> Iterator[TextRow | Omitted]:
    """Yield a row for each piece that says something; all pieces of a document go into one part."""
    for piece in pieces:
        origin = document_origin(piece.document_id)
        text = f"{piece.header}\n\n{piece.text}" if piece.header else piece.text
        if len(piece.text) < _SHORTEST_CHARACTERS:
            continue
        if find_secrets(text):
            yield Omitted(origin=origin, reason="secret")
            continue
        (clean,) = without_people(text)
        example = Example(kind="text", lane="documents", origin=origin, group=origin, messages=(), answer=clean)
        yield TextRow(part=part_of(origin, seed), example=example)
