"""Older versions among passages: the same page once more, under the same heading and mostly in the same words.

The newer one stands first, and the older ones are marked as such; all stay found. Knows passages only, neither rows
nor vectors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from knowledge.document import Passage

# Pages made from one template ("Installing on Linux", "on Windows") share as much: the heading tells them apart.
LEAST_SHARED = 0.6


def newer_versions_first(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """Let versions of one passage change places and scores: the newest first, the older ones marked."""
    ordered = list(passages)
    for places in _by_header(ordered):
        for versions in _versions(ordered, places):
            newest, *older = sorted((ordered[place] for place in versions), key=_age)
            newest_first = [newest, *(replace(one, newer_version=newest.id) for one in older)]
            scores = [ordered[place].score for place in versions]
            for place, score, passage in zip(versions, scores, newest_first, strict=True):
                ordered[place] = replace(passage, score=score)
    return tuple(ordered)


def _by_header(passages: Sequence[Passage]) -> list[list[int]]:
    """The places of those that are dated and stand in several documents under one heading, of one trust.

    What is written down informally later is no newer version of an official page.
    """
    places: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, passage in enumerate(passages):
        if passage.modified_at is not None:
            places[passage.trust, " ".join(passage.header.lower().split())].append(place)
    return [found for found in places.values() if len({passages[place].document_id for place in found}) > 1]


def _versions(passages: Sequence[Passage], places: Sequence[int]) -> list[list[int]]:
    """Group what shares most of its words with the first of a group; a document is in a group only once."""
    groups: list[list[int]] = []
    words = {place: frozenset(passages[place].text.lower().split()) for place in places}
    for place in places:
        for group in groups:
            is_new = passages[place].document_id not in {passages[other].document_id for other in group}
            if is_new and shared(words[place], words[group[0]]) >= LEAST_SHARED:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index of two sets of words, 0 to 1."""
    return len(one & other) / max(1, len(one | other))


def _age(passage: Passage) -> float:
    return -passage.modified_at.timestamp() if passage.modified_at is not None else 0.0
