"""Small, visible preferences among passages that match about equally well: the newer document, the trusted source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Trust = Literal["official", "usual", "informal"]
"""How far a source's word goes: a handbook, most things, a place where people think aloud."""

TRUSTS: tuple[Trust, ...] = get_args(Trust)

_DAY = timedelta(days=1)
_SIGN_OF: dict[str, float] = {"official": 1.0, "usual": 0.0, "informal": -1.0}


@dataclass(frozen=True, kw_only=True)
class PriorWeights:
    """How much is added to a fused score, which is 0 to 1; with 0 a preference is off."""

    recency: float = 0.03
    """For the newest of the passages that were found."""
    half_life_days: float = 180.0
    """A document so much older than the newest gets half of it."""
    trust: float = 0.05
    """Added for an official source, taken off for an informal one."""


def newest_of(moments: Iterable[datetime | None]) -> datetime | None:
    """The latest of the moments that are known."""
    return max((moment for moment in moments if moment is not None), default=None)


def prior(trust: str, modified_at: datetime | None, newest: datetime | None, weights: PriorWeights) -> float:
    """What is added to the score of a passage.

    Age counts from the newest passage found and not from today: of two old versions the later one is still preferred,
    and a search gives the same tomorrow. A document without a date gets nothing for its age.
    """
    added = weights.trust * _SIGN_OF.get(trust, 0.0)
    if modified_at is not None and newest is not None:
        added += weights.recency * 0.5 ** ((newest - modified_at) / _DAY / weights.half_life_days)
    return added
