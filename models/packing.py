"""Rows that begin alike are trained together: their common beginning is read once, and each row goes on from there.

A pack is a sequence of tokens: the beginning, then the rests of all rows one after the other. A mask lets each rest see
the beginning and itself only, and positions count on from the beginning, so the loss is what the rows would have alone.
Twenty questions to one text cost little more than the text (prefix sharing, as in tree attention: Cai et al., 2024,
"Medusa"; Juravsky et al., 2024, "Hydragen"). Knows numbers, no library of learning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Below this many common tokens a row gains nothing that is worth a longer sequence.
_LEAST_SHARED = 24
# So much of a row must be common with the pack, or it begins another one.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row in tokens: what is read, and what is to be said, its end included."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    weight: float = 1.0

    @property
    def tokens(self) -> tuple[int, ...]:
        """All of it."""
        return (*self.prompt, *self.answer)


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Rows in one sequence; all lists but the last three have one number per token."""

    input_ids: list[int]
    position_ids: list[int]
    branch: list[int]
    """0 for the common beginning, else the number of the row from 1."""
    at: list[int]
    """Where something is predicted: its token is the one in `labels`."""
    labels: list[int]
    weights: list[float]

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return max(self.branch, default=0)


def pack_rows(rows: Sequence[Row], most_tokens: int) -> list[Pack]:
    """Put rows with a common beginning together, up to so many tokens; a longer row stands alone."""
    packs: list[Pack] = []
    gathered: list[Row] = []
    for row in sorted(rows, key=lambda row: row.prompt):
        if gathered and not _fits([*gathered, row], most_tokens):
            packs.append(_pack(gathered))
            gathered = []
        gathered.append(row)
    return [*packs, _pack(gathered)] if gathered else packs


def _fits(rows: Sequence[Row], most_tokens: int) -> bool:
    shared = _shared(rows)
    enough = shared >= max(_LEAST_SHARED, _LEAST_SHARE * len(rows[-1].prompt))
    return enough and shared + sum(len(row.tokens) - shared for row in rows) <= most_tokens


def _shared(rows: Sequence[Row]) -> int:
    """Length of the common beginning of sorted rows; at least a row's last prompt token stays its own."""
    first, last = rows[0].prompt, rows[-1].prompt
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return min(same, *(len(row.prompt) - 1 for row in rows))


def _pack(rows: Sequence[Row]) -> Pack:
    shared = _shared(rows) if len(rows) > 1 else 0
    pack = Pack(
        input_ids=list(rows[0].prompt[:shared]),
        position_ids=list(range(shared)),
        branch=[0] * shared,
        at=[],
        labels=[],
        weights=[],
    )
    for number, row in enumerate(rows, 1):
        rest = row.tokens[shared:]
        start = len(pack.input_ids)
        pack.input_ids.extend(rest)
        pack.position_ids.extend(range(shared, shared + len(rest)))
        pack.branch.extend([number] * len(rest))
        first = start + len(row.prompt) - shared
        pack.at.extend(range(first - 1, first - 1 + len(row.answer)))
        pack.labels.extend(row.answer)
        pack.weights.extend([row.weight] * len(row.answer))
    return pack


def total_tokens(packs: Iterable[Pack]) -> int:
    """How many tokens are read in all."""
    return sum(len(pack.input_ids) for pack in packs)
