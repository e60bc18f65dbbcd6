"""Passages read for the second look before anybody asks: the newest first, with a quarter of one core at most.

For processes that stay. What is found for a question and was not read yet is read then, as ever.
"""

from __future__ import annotations

import logging
import threading
import time

import sqlalchemy as sa

from knowledge.database import reading
from knowledge.errors import KnowledgeError
from knowledge.match import KEPT, TokenMatch
from knowledge.tables import chunk

logger = logging.getLogger(__name__)

# Between two looks for what a sync brought.
_LOOK_SECONDS = 30.0
# A pause so many times as long as the work: questions and answers come first.
_PAUSE_SHARE = 3.0


def read_ahead(
    engine: sa.Engine, match: TokenMatch, closing: threading.Event, *, look_seconds: float = _LOOK_SECONDS
) -> None:
    """Read what there is, and then what comes, until `closing`; trouble is logged and tried again."""
    read_to = 0
    while not closing.is_set():
        try:
            read_to = _read_newer(engine, match, read_to, closing)
        except KnowledgeError as error:
            logger.warning("passages are not read ahead for now: %s", error)
        closing.wait(look_seconds)


def _read_newer(engine: sa.Engine, match: TokenMatch, read_to: int, closing: threading.Event) -> int:
    """Read the chunks after an id, as many as are kept; returns the newest id."""
    newer = sa.select(chunk.c.id, chunk.c.header, chunk.c.text).where(chunk.c.id > read_to)
    with reading(engine) as connection:
        rows = connection.execute(newer.order_by(chunk.c.id.desc()).limit(KEPT)).all()
    for row in rows:
        started = time.perf_counter()
        match.prepare(row.header, row.text)
        if closing.wait(_PAUSE_SHARE * (time.perf_counter() - started)):
            break
    return max((row.id for row in rows), default=read_to)
