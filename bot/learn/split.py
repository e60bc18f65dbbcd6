"""Each row once, nobody too often, and what belongs together in one part: train, validation or test.

A group (a conversation, a document) falls into a part by a hash of its name, so that a later dataset puts it there
again and no test question is ever trained on. Groups in which nearly the same was asked count as one. Pure.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.learn.ledger import most_of_one_person
from bot.learn.near import alike, clusters
from bot.learn.rows import Omitted, Row
from models.example import Kind, Lane, Part

# A fifth to test on: the gate decides by these rows alone, and few rows decide nothing.
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.1
# Of rows that say nearly the same the operator's words are kept, and of those the newest.
_RANK: Final[dict[Lane, int]] = {"corrections": 0, "messages": 1, "documents": 2, "votes": 3, "starter": 4}


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The rows that stay, and those that do not."""

    rows: tuple[Row, ...]
    omitted: tuple[Omitted, ...]


def each_once(rows: Sequence[Row]) -> Kept:
    """Leave out what says nearly the same as a better row; votes are no copies of each other."""
    ordered = sorted(rows, key=lambda row: (_RANK[row.example.lane], -row.order, row.example.id))
    firsts = clusters([row.asked for row in ordered])
    said: set[Hashable] = set()
    kept: list[Row] = []
    omitted: list[Omitted] = []
    for row, first in zip(ordered, firsts, strict=True):
        example = row.example
        person = row.person if example.kind == "vote" else ""
        key = (first, example.kind, row.answerable, person, example.origin if example.kind == "vote" else "")
        if key in said:
            omitted.append(Omitted(origin=example.origin, reason="duplicate"))
            continue
        said.add(key)
        kept.append(row)
    return Kept(rows=tuple(kept), omitted=tuple(omitted))


def nobody_too_often(rows: Sequence[Row], share: float) -> Kept:
    """Keep of each person the newest rows of a kind, up to their share of all rows of that kind, and at least one."""
    by_kind: defaultdict[Kind, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row.example.kind].append(row)
    kept: list[Row] = []
    omitted: list[Omitted] = []
    for found in by_kind.values():
        counts = Counter(row.person for row in found if row.person)
        others = sum(not row.person for row in found)
        most = most_of_one_person(list(counts.values()), share, others)
        given = Counter[str]()
        for row in sorted(found, key=lambda row: (-row.order, row.example.id)):
            given[row.person] += 1
            if row.person and given[row.person] > most:
                omitted.append(Omitted(origin=row.example.origin, reason="person_share"))
            else:
                kept.append(row)
    return Kept(rows=tuple(kept), omitted=tuple(omitted))


def split(rows: Sequence[Row], seed: int) -> dict[Part, tuple[Row, ...]]:
    """Put every row into its part."""
    parts: dict[Part, list[Row]] = {"train": [], "validation": [], "test": []}
    for row, name in zip(rows, _components(rows), strict=True):
        parts[part_of(name, seed)].append(row)
    return {part: tuple(sorted(found, key=lambda row: row.example.id)) for part, found in parts.items()}


def part_of(group: str, seed: int) -> Part:
    """The part of a group; always the same for the same name and seed."""
    digest = hashlib.sha256(f"{seed}:{group}".encode("utf-8", "replace")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < TRAIN_SHARE:
        return "train"
    return "validation" if place < TRAIN_SHARE + VALIDATION_SHARE else "test"


def _components(rows: Sequence[Row]) -> list[str]:
    """For each row the name of the oldest group that it hangs together with."""
    parent: dict[str, str] = {}
    for one, other in alike([row.asked for row in rows]):
        parent[_root(parent, rows[one].example.group)] = _root(parent, rows[other].example.group)
    oldest: dict[str, tuple[int, str]] = {}
    for row in rows:
        root = _root(parent, row.example.group)
        # Documents were there before anybody asked.
        age = (row.order if row.person else row.order - 2**40, row.example.group)
        oldest[root] = min(oldest.get(root, age), age)
    return [oldest[_root(parent, row.example.group)][1] for row in rows]


def _root(parent: Mapping[str, str], group: str) -> str:
    while (above := parent.get(group, group)) != group:
        group = above
    return group
