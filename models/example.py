"""An example: one row that a language model may learn from, with where it comes from.

Datasets are folders of JSON lines: `train.jsonl`, `validation.jsonl`, `test.jsonl`, `general.jsonl` (what must not be
forgotten) and `manifest.json`. Knows nothing of how examples are gathered or learned from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from models.errors import DatasetError
from models.generator import ChatMessage

Kind = Literal["supervised", "preference", "vote", "text"]
"""To be said so; a better and a worse answer; an answer that was voted on; plain text to go on from."""
Lane = Literal["documents", "corrections", "votes", "messages", "starter"]
"""By which permission it is here: the operator's documents, answers that the operator wrote, votes alone, people's own
words (switched on and consented to), or the sets that the starter version was made from."""
Part = Literal["train", "validation", "test", "general"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row of a dataset."""

    kind: Kind
    lane: Lane
    origin: str
    """Provenance, as tombstones name it: `answer:12`, `feedback:7`, `document:...`, `xquad:...`."""
    group: str
    """Rows of one group (a conversation, an article) never stand in different parts."""
    messages: tuple[ChatMessage, ...] = field(repr=False)
    """The prompt exactly as it is in service."""
    answer: str = field(repr=False)
    """What to say; of a vote, what was said."""
    rejected: str = field(default="", repr=False)
    """Of a preference: the worse answer."""
    vote: int = 0
    """Of a vote: 1 or -1."""
    weight: float = 1.0

    @property
    def id(self) -> str:
        """The same content has the same id."""
        content = json.dumps([self.kind, [(m.role, m.content) for m in self.messages], self.answer, self.rejected])
        return hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:16]


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write a file of examples, whole or not at all; returns how many."""
    unfinished = path.with_suffix(".unfinished")
    written = 0
    with unfinished.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps({"id": example.id, **asdict(example)}, ensure_ascii=False) + "\n")
            written += 1
    unfinished.replace(path)
    return written


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a file; raises DatasetError with the line that cannot be used."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"The dataset's file {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _example(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise DatasetError(f"{path}, line {number} is no example ({error}); make the dataset anew.") from error


def _example(row: dict[str, Any]) -> Example:
    row.pop("id", None)
    messages = tuple(ChatMessage(**message) for message in row.pop("messages"))
    example = Example(messages=messages, **row)
    if example.kind not in get_args(Kind) or example.lane not in get_args(Lane):
        raise ValueError(f"kind {example.kind!r}, lane {example.lane!r}")
    if not isinstance(example.answer, str) or example.vote not in (-1, 0, 1):
        raise ValueError("answer or vote")
    return example
