"""The corpora and questions of the chunking benchmark, and what share of a question's references a set of spans holds.

The data is that of brandonstarxel/chunking_evaluation: questions with the exact places of what answers them.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Span:
    """Characters of a corpus, the end not included."""

    corpus: str
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question, and for each of its references all places where that very text stands in the corpus.

    The finance corpus repeats a third of its text word for word: a copy answers as well as the place that was marked.
    """

    text: str = field(repr=False)
    corpus: str
    references: tuple[tuple[Span, ...], ...]
    report: bool
    """Whether it belongs to the half that is reported; settings are chosen on the other."""


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How well spans cover the references of a question, all 0 to 1, by characters."""

    recall: float
    precision: float
    iou: float


def load_corpora(folder: Path) -> dict[str, str]:
    """Read the texts by name."""
    return {path.stem: path.read_bytes().decode() for path in sorted((folder / "corpora").glob("*.md"))}


def load_questions(folder: Path, corpora: dict[str, str]) -> list[Asked]:
    """Read the questions; half of each corpus's, drawn with a fixed seed, are for the report."""
    with (folder / "questions_df.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    reported = {row for name in corpora for row in _half([n for n, one in enumerate(rows) if one["corpus_id"] == name])}
    return [
        Asked(
            text=row["question"],
            corpus=row["corpus_id"],
            references=tuple(
                tuple(_places(row["corpus_id"], corpora[row["corpus_id"]], reference["content"]))
                for reference in json.loads(row["references"])
            ),
            report=number in reported,
        )
        for number, row in enumerate(rows)
    ]


def cover(asked: Asked, spans: Sequence[Span]) -> Covered:
    """Measure as the study does: characters of the references that were found, against all that was returned."""
    merged = _merged(span for span in spans if span.corpus == asked.corpus)
    wanted = sum(len(places[0]) for places in asked.references)
    found = sum(_found(places, merged) for places in asked.references)
    returned = sum(len(span) for span in spans)
    return Covered(
        recall=found / wanted,
        precision=found / returned if returned else 0.0,
        iou=found / (returned + wanted - found),
    )


def locate(text: str, piece: str, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
    """Find a piece in a text, whatever its white space became; None where it is not there as it is."""
    signs = [
        place for place in range(start, len(text) if end is None else min(end, len(text))) if not text[place].isspace()
    ]
    flat = "".join(text[place] for place in signs)
    wanted = "".join(piece.split())
    at = flat.find(wanted)
    return None if at < 0 or not wanted else (signs[at], signs[at + len(wanted) - 1] + 1)


def _half(numbers: list[int]) -> list[int]:
    random.Random(_SEED).shuffle(numbers)
    return numbers[1::2]


def _places(corpus: str, text: str, content: str) -> Iterable[Span]:
    at = text.find(content)
    while at >= 0:
        yield Span(corpus=corpus, start=at, end=at + len(content))
        at = text.find(content, at + 1)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if merged and span.start <= merged[-1].end:
            last = merged.pop()
            span = Span(corpus=span.corpus, start=last.start, end=max(last.end, span.end))
        merged.append(span)
    return merged


def _found(places: Sequence[Span], merged: Sequence[Span]) -> int:
    held = np.zeros(len(places[0]), np.bool_)
    for place in places:
        for span in merged:
            held[max(0, span.start - place.start) : max(0, span.end - place.start)] = True
    return int(np.count_nonzero(held))
