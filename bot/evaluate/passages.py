"""Passages of a data set as a source, so that evaluations index them as the bot indexes documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.dialects.sqlite import insert

from knowledge.audience import EVERYONE
from knowledge.database import writing
from knowledge.document import FetchedDocument
from knowledge.ingest import IngestParts, Progress, SyncReport, ingest
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.sources import Checkpoint, Expected, SourceStep
from knowledge.tables import source as source_table


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
        yield Expected(documents=len(self.passages))
        for passage in self.passages:
            yield FetchedDocument(
                uri=passage.uri, title=passage.title, content=passage.text.encode(), media_type="text/plain"
            )
        yield Checkpoint(cursor=self._cursor)

    @property
    def _cursor(self) -> str:
        return str(len(self.passages))


def index_passages(
    library: Library,
    source: PassageSource,
    parser: Parser,
    *,
    chunk_tokens: int,
    progress: Progress = lambda *_: None,
) -> SyncReport:
    """Run INGEST over the passages; those that are indexed already cost nothing."""
    with writing(library.engine) as connection:
        connection.execute(
            insert(source_table)
            .values(
                id=source.id,
                kind="given",
                name=source.id,
                location=source.id,
                audience=EVERYONE,
                added_at=datetime.now(UTC),
            )
            .on_conflict_do_nothing()
        )
    parts = IngestParts(
        engine=library.engine,
        parser=parser,
        embedder=library.embedder,
        chunk_tokens=chunk_tokens,
        publish=library.publish_if_due,
    )
    return ingest(source, parts, progress=progress)
