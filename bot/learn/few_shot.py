"""The cheap step before any training: a few well-rated answers shown to the model as examples in every prompt.

They are chosen once, from a dataset, so that the fixed part of the prompt stays the same and is read once. Whether they
help is measured like a version: `lorekeeper gate --few-shot N`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from bot.errors import MisuseError
from bot.learn.targets import UNKNOWN
from bot.learn.tombstones import buried_subjects
from knowledge.database import reading
from knowledge.embed import Embedder, Vectors
from models.example import Example, read_examples, write_examples
from models.generator import ChatMessage

EXAMPLES_FILE = "examples.jsonl"
"""In the data folder."""
_LANES = ("documents", "corrections")
# A long example costs room that the evidence needs, and a small model copies from it.
_LONGEST_CHARACTERS = 1_200


def choose_examples(examples: Sequence[Example], count: int, embedder: Embedder) -> tuple[Example, ...]:
    """Choose rows that are far from each other in what they ask, one of them without an answer where there is one.

    The first is the most typical; each further one is the farthest from those before it (Gonzalez, 1985). Only what is
    the operator's is shown to the model with everybody's questions, and nothing that needs a conversation before it.
    """
    # What weighs less was asked by rule, in words that are no example.
    usable = [row for row in examples if row.kind == "supervised" and row.lane in _LANES and row.weight == 1.0]
    usable = [row for row in usable if _is_short(row) and "Earlier:" not in _asked(row)]
    known = [row for row in usable if row.answer != UNKNOWN]
    unknown = [row for row in usable if row.answer == UNKNOWN]
    wanted = [(known, count - bool(unknown and count > 1)), (unknown, 1 if count > 1 else 0)]
    return tuple(row for rows, number in wanted for row in _far_apart(rows, number, embedder))


def as_exchanges(examples: Sequence[Example]) -> tuple[ChatMessage, ...]:
    """Examples as messages, for the fixed part of a prompt."""
    return tuple(
        message for row in examples for message in (row.messages[-1], ChatMessage(role="assistant", content=row.answer))
    )


def keep_examples(home: Path, examples: Sequence[Example]) -> Path:
    """Write the chosen examples into the data folder."""
    path = home / EXAMPLES_FILE
    write_examples(path, examples)
    return path


def load_examples(engine: sa.Engine, home: Path, count: int) -> tuple[ChatMessage, ...]:
    """Read up to so many of the chosen examples, without what was deleted or withdrawn since.

    Raises MisuseError where none were chosen, and DatasetError.
    """
    if count == 0:
        return ()
    path = home / EXAMPLES_FILE
    if not path.is_file():
        raise MisuseError(
            f"answer.few_shot is {count}, and {path} is missing: choose examples with `lorekeeper dataset examples`."
        )
    with reading(engine) as connection:
        buried = buried_subjects(connection)
    return as_exchanges([row for row in read_examples(path) if row.origin not in buried][:count])


def _asked(row: Example) -> str:
    return row.messages[-1].content


def _is_short(row: Example) -> bool:
    return bool(row.messages) and len(_asked(row)) + len(row.answer) <= _LONGEST_CHARACTERS


def _far_apart(rows: Sequence[Example], count: int, embedder: Embedder) -> list[Example]:
    if not rows or count <= 0:
        return []
    vectors = np.asarray(embedder.embed([_asked(row).rpartition("Question:")[2] for row in rows]), np.float32)
    chosen = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    while len(chosen) < min(count, len(rows)):
        chosen.append(_farthest(vectors, chosen))
    return [rows[place] for place in chosen]


def _farthest(vectors: Vectors, chosen: Sequence[int]) -> int:
    nearest = (vectors @ vectors[list(chosen)].T).max(axis=1)
    nearest[list(chosen)] = np.inf
    return int(np.argmin(nearest))
