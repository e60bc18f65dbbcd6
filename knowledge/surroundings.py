"""What stands around a passage: its neighbours under the same heading, as far as a reader's budget goes.

Search finds a small piece, and the sentence that answers may stand just outside of it. A neighbour is a passage of its
own, so that whoever quotes from it can cite it. No text stands beside two passages, or beside one and is one itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import sqlalchemy as sa

from knowledge.document import Passage
from knowledge.tables import chunk

# Read to each side; more than two chunks away from what was found, little speaks to the question.
_REACH = 2
# A long answer reads eight passages; whoever asks for fifty wants a ranking.
_MOST_PASSAGES = 8
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")

_near = chunk.alias("near")
_NEIGHBOURS = (
    sa.select(chunk.c.id, chunk.c.ordinal, chunk.c.text, chunk.c.text_hash, chunk.c.line, _near.c.id.label("beside"))
    .select_from(_near)
    # INGEST stores the chunks of a document at once, so that their ids follow one another: a look at a few ids, where a
    # search by ordinal would walk through all chunks of a long document. The ordinals have the last word.
    .join(chunk, chunk.c.id.between(_near.c.id - _REACH, _near.c.id + _REACH))
    .where(_near.c.id.in_(sa.bindparam("ids", expanding=True)), chunk.c.id != _near.c.id)
    .where(chunk.c.document_id == _near.c.document_id, chunk.c.header == _near.c.header)
    .where(chunk.c.ordinal - _near.c.ordinal == chunk.c.id - _near.c.id)
)


def with_surroundings(connection: sa.Connection, passages: Sequence[Passage], characters: int) -> tuple[Passage, ...]:
    """Put beside each passage up to so many characters of what stands before and after it, the nearest first.

    The passages must have passed the audience check in this same transaction: their documents are not asked again.
    """
    best = passages[:_MOST_PASSAGES]
    if characters < 1 or not best:
        return tuple(passages)
    rows = connection.execute(_NEIGHBOURS, {"ids": [passage.id for passage in best]}).mappings().all()
    taken = {passage.id for passage in passages}
    found: list[Passage] = []
    for passage in best:
        own = [row for row in rows if row["beside"] == passage.id]
        beside = _beside(passage, own, taken, characters)
        taken.update(one.id for one in beside)
        found.append(replace(passage, beside=beside))
    return (*found, *passages[len(best) :])


def _beside(
    passage: Passage,
    rows: Sequence[sa.RowMapping],
    taken: set[int],
    characters: int,
) -> tuple[Passage, ...]:
    """Half of the room for each side; what one side leaves, the other may use."""
    before = [row for row in rows if row["ordinal"] < passage.ordinal]
    after = [row for row in rows if row["ordinal"] > passage.ordinal]
    before = _reachable(sorted(before, key=lambda row: -row["ordinal"]), passage.ordinal, taken)
    after = _reachable(sorted(after, key=lambda row: row["ordinal"]), passage.ordinal, taken)
    kept: list[Passage] = []
    left = 0
    for rows_there, room, from_end in ((after, characters - characters // 2, False), (before, characters // 2, True)):
        left += room
        for row in rows_there:
            text = _nearest_part(row["text"], left, from_end=from_end)
            left -= len(text)
            kept += _neighbour(passage, row, text)
    return tuple(sorted(kept, key=lambda one: one.ordinal))


def _reachable(rows: Sequence[sa.RowMapping], ordinal: int, taken: set[int]) -> list[sa.RowMapping]:
    """Those that follow one another without a gap: a taken one in between is read elsewhere already."""
    kept: list[sa.RowMapping] = []
    for steps, row in enumerate(rows, start=1):
        if abs(row["ordinal"] - ordinal) != steps or row["id"] in taken:
            break
        kept.append(row)
    return kept


def _nearest_part(text: str, room: int, *, from_end: bool) -> str:
    """The sentences nearest to the passage that fit."""
    ends = [0, *(match.end() for match in _SENTENCE.finditer(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(ends)]
    kept, used = 0, 0
    for piece in reversed(pieces) if from_end else pieces:
        if used + len(piece.strip()) > room:
            break
        kept, used = kept + 1, used + len(piece)
    chosen = pieces[len(pieces) - kept :] if from_end else pieces[:kept]
    return "".join(chosen).strip()


def _neighbour(passage: Passage, row: sa.RowMapping, text: str) -> list[Passage]:
    if not text:
        return []
    values = {name: row[name] for name in ("id", "ordinal", "text_hash", "line")} | {"text": text}
    return [replace(passage, **values, beside=(), score=0.0, word_score=0.0)]
