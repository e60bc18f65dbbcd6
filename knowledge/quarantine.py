"""Holds back a sudden bulk of new text: a source that brings much more than usual is looked at by a person first.

Whoever can write to a source can fill it with texts that answer as they wish. A run that brings more than its limit
loses nothing: what it brought is stored, and held (see `knowledge.held`), also what stood there before in other words.
As long as something of a source is held, whatever else it brings is held with it: the one decision covers all.

Not held are the first reading of a source, a rebuild, which only an operator starts, and official sources.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from knowledge.audience import held_audience
from knowledge.database import reading
from knowledge.held import IS_HELD, count_held, hold
from knowledge.ingest_rows import ReadyDocument, count_documents
from knowledge.tables import chunk, document, source, sync_run

QUARANTINE_SHARE = 0.5
"""Of what a source holds: so much may come at once."""
# A team that moves a folder into a small wiki adds some dozens of pages at once, every week somewhere.
LEAST_LIMIT = 50
# A page that says "seen 1,032 times" or "as of 29 November" is another one at every look, and brings nothing new.
_NEW_WORDS = 0.1
# A run that failed or was ended halfway is one with the next, as long as it is the same event.
_SAME_EVENT = timedelta(days=1)
_WORD = re.compile(r"\w+")


@dataclass(kw_only=True)
class Quarantine:
    """What one run may bring; used by one thread."""

    source_id: str
    limit: float | None
    """In documents; None where nothing is held back."""
    holding: bool = False
    begun: int = 0
    """Documents that runs before this one brought, which did not end well."""
    _brought: list[str] = field(default_factory=list)

    @property
    def held(self) -> int:
        """How many documents of this run are held."""
        return len(self._brought) if self.holding else 0

    def admit(self, connection: sa.Connection, ready: Sequence[ReadyDocument]) -> Sequence[ReadyDocument]:
        """Give documents the audience that they are to be stored with; holds those of this run, too, that are."""
        if self.limit is None:
            return ready
        new = [one.fetched.uri for one in ready if _brings_new_text(connection, self.source_id, one)]
        before, self._brought = self._brought, [*self._brought, *new]
        if not self.holding and self.begun + len(self._brought) > self.limit:
            self.holding = True
            hold(connection, self.source_id, before)
        if not self.holding:
            return ready
        return [_held(one) if one.fetched.uri in new else one for one in ready]


def open_quarantine(engine: sa.Engine, source_id: str, share: float, *, rebuild: bool) -> Quarantine:
    """Say what a run may bring, as things stand before it; a share of 0 holds nothing back."""
    run = sync_run.c
    complete = sa.select(sa.func.max(run.id)).where(
        run.source_id == source_id, run.finished_at.is_not(None), run.error.is_(None)
    )
    with reading(engine) as connection:
        trust = connection.scalar(sa.select(source.c.trust).where(source.c.id == source_id))
        last = connection.scalar(complete)
        if share <= 0 or rebuild or last is None or trust == "official":
            return Quarantine(source_id=source_id, limit=None)
        unfinished = sa.select(
            sa.func.coalesce(sa.func.sum(run.added), 0), sa.func.coalesce(sa.func.sum(run.changed), 0)
        ).where(run.source_id == source_id, run.id > last, run.started_at > datetime.now(UTC) - _SAME_EVENT)
        added, changed = connection.execute(unfinished).one()
        held = count_held(connection, source_id)
        known = max(0, count_documents(connection, source_id) - held - added)
    limit = max(LEAST_LIMIT, share * known)
    return Quarantine(source_id=source_id, limit=limit, holding=held > 0, begun=added + changed)


def _brings_new_text(connection: sa.Connection, source_id: str, ready: ReadyDocument) -> bool:
    """Whether a document says more than its source did: not one that was renamed, copied, or touched here and there."""
    of_document = (document.c.source_id == source_id, document.c.uri == ready.fetched.uri)
    joined = chunk.join(document, document.c.id == chunk.c.document_id)
    stored = list(connection.scalars(sa.select(chunk.c.text).select_from(joined).where(*of_document)))
    if stored:
        return _share_of_new_words(stored, [one.text for _, one in ready.chunks]) >= _NEW_WORDS
    hashes = {text_hash for text_hash, _ in ready.chunks}
    readable = sa.select(chunk.c.text_hash).select_from(joined).where(document.c.source_id == source_id, ~IS_HELD)
    return not hashes <= set(connection.scalars(readable.where(chunk.c.text_hash.in_(hashes))))


def _share_of_new_words(before: Sequence[str], now: Sequence[str]) -> float:
    said, says = ({word for text in texts for word in _WORD.findall(text.lower())} for texts in (before, now))
    return len(says - said) / max(1, len(says))


def _held(ready: ReadyDocument) -> ReadyDocument:
    return replace(ready, fetched=replace(ready.fetched, audience=held_audience(ready.fetched.audience)))
