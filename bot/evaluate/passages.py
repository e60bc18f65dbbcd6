"""Passages of a data set as a source, so that evaluations index them as the bot indexes documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from knowledge.document import FetchedDocument
from knowledge.sources.source import Checkpoint, SourceStep


@dataclass(frozen=True, kw_only=True)
class GivenPassage:
    """One passage of a data set."""

    uri: str
    title: str
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PassageSource:
    """Delivers the passages once."""

    id: str
    passages: Sequence[GivenPassage] = field(repr=False)

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        """Yield each passage as a plain text document; nothing where they were all delivered before."""
        if cursor == self._cursor and not retry:
            return
        for passage in self.passages:
            yield FetchedDocument(
                uri=passage.uri, title=passage.title, content=passage.text.encode(), media_type="text/plain"
            )
        yield Checkpoint(cursor=self._cursor)

    @property
    def _cursor(self) -> str:
        return str(len(self.passages))
