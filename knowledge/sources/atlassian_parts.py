"""How Confluence and Jira are read: documents some at a time, and what is too much for one answer or one source.

Knows no document: each of the two says how some of its own are read, and what became of one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from knowledge.document import FailedDocument
from knowledge.sources.atlassian import Service
from knowledge.sources.source import Checkpoint, Expected, SourceStep

READ_AT_ONCE = 25
"""Servers hand out about that many at once where texts are asked for."""
_PARTS_PER_CHECKPOINT = 4

_One = TypeVar("_One")
Read = Callable[[Sequence[str]], Iterator[SourceStep]]
"""Delivers the documents of these keys."""


def parts_of(items: Sequence[_One], size: int) -> Iterator[Sequence[_One]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def read_due(due: Sequence[str], read: Read, checkpoint: Callable[[], Checkpoint]) -> Iterator[SourceStep]:
    """Read what is due, and say now and then how far that is."""
    yield Expected(documents=len(due))
    for count, part in enumerate(parts_of(due, READ_AT_ONCE), start=1):
        yield from read(part)
        if count % _PARTS_PER_CHECKPOINT == 0:
            yield checkpoint()


def read_apart(
    keys: Sequence[str], read: Read, failed: Callable[[str, str], FailedDocument], service: Service
) -> Iterator[SourceStep]:
    """Read each by itself whose answer was too long together; what is so alone has failed."""
    if len(keys) > 1:
        for key in keys:
            yield from read([key])
    else:
        yield failed(keys[0], f"It is larger than {service.limits.answer_bytes / 2**20:g} MB.")


def left_out(location: str, service: Service, *, what: str, instead: str) -> FailedDocument:
    """What says that there are more documents than one source may have."""
    return FailedDocument(
        uri=f"{location}#more",
        reason=f"There are more than {service.limits.documents:,} {what}; the others are left out. Add {instead} that "
        "matter, each as a source.",
    )
