"""Who asked for a source to be read, how far that is, and what came of it: rows, whichever process does the reading.

A wish is open until a reading of its source ends; whoever asked is told by `bot.slack.readings`. Knows SQL, not Slack.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot.errors import BotError
from bot.inbox import Inbox, Received
from bot.tables import reading_wish
from knowledge import tables as knowledge_tables
from knowledge.database import reading, writing
from knowledge.errors import DatabaseError, KnowledgeError, SourceBusyError, SourceError, SourceUnavailableError
from knowledge.ingest import Progress, SyncReport
from knowledge.tables import UtcTime

logger = logging.getLogger(__name__)

Problem = Literal["", "away", "source", "setup", "storage", "fault", "late"]
"""Why a source could not be read, as people may be told: no error's own words, which may name places on a machine."""

_PROGRESS_SECONDS = 2.0
# As long as a command that is taken up again after a crash could ask anew.
_KEPT = timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a reading."""

    problem: Problem = ""
    added: int = 0
    changed: int = 0
    deleted: int = 0
    failed: int = 0
    """Documents that could not be read."""
    held: int = 0
    stopped: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One source that somebody wants read."""

    source_id: str
    name: str
    """Empty where the source is gone."""
    audience: str
    asked_at: datetime
    began_at: datetime | None
    noted_at: datetime
    """When anything was heard of it last."""
    done: int
    total: int | None
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one person asked for at once, and where they are told."""

    name: str
    user: str
    wishes: tuple[Wish, ...]
    channel: str
    message_ts: str
    """Where its message stands; empty before there is one."""
    told: bool


def keep_wishes(
    engine: sa.Engine, inbox: Inbox, *, request: str, team: str, user: str, source_ids: Sequence[str], now: datetime
) -> bool:
    """Keep that somebody wants sources read, and that they are to be told; False where all of it is known already.

    To be called before the reading is begun. Who asks twice for what is not read yet asked once.
    """
    row = {"request": request, "team": team, "user": user, "asked_at": now, "noted_at": now}
    with writing(engine) as connection:
        old = (reading_wish.c.ended_at < now - _KEPT) | (reading_wish.c.asked_at < now - 2 * _KEPT)
        connection.execute(sa.delete(reading_wish).where(old))
        added = 0
        for source_id in source_ids:
            statement = insert(reading_wish).values(**row, source_id=source_id).on_conflict_do_nothing()
            added += connection.execute(statement).rowcount
        if not added:
            return False
        # No user in it: looking at it again and again is nothing that their questions have to wait for.
        told = Received(event_id=f"reading:{request}", kind="reading", team=team, payload={"request": request})
        inbox.put_within(connection, told)
    inbox.wake()
    return True


class Watch:
    """What a reading says of itself to those who asked for it; belongs to one thread."""

    def __init__(self, engine: sa.Engine, source_id: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._source_id = source_id
        self._monotonic = monotonic
        self._noted = -_PROGRESS_SECONDS

    def progress(self, _what: str, done: int, total: int | None) -> None:
        """Note how far it is, now and then."""
        now = self._monotonic()
        if now - self._noted < _PROGRESS_SECONDS:
            return
        self._noted = now
        self._note(done=done, total=total, began_at=_first_heard())

    def begun(self) -> None:
        """Note that it begins. What is known of an earlier try stays until there is more: it may be read elsewhere."""
        self._note(began_at=_first_heard())

    def ended(self, outcome: Outcome) -> None:
        """Close the wishes that are open."""
        self._note(outcome=asdict(outcome), ended_at=datetime.now(UTC))

    def _note(self, **values: Any) -> None:
        """That nobody can be told must not end a reading."""
        try:
            if _is_wished(self._engine, self._source_id):
                with writing(self._engine) as connection:
                    _update_open(connection, self._source_id, **values)
        except DatabaseError:
            logger.exception("those who asked for the source %s are not told", self._source_id)


@contextmanager
def watched(engine: sa.Engine, source_id: str) -> Iterator[Watch]:
    """Tell those who asked for a source how its reading goes; within the block it is read, or fails.

    A process that is ended leaves the wishes open, for whoever takes the reading over.
    """
    watch = Watch(engine, source_id)
    try:
        yield watch
    except SourceBusyError:
        raise  # it is read, by somebody else, who tells
    except Exception as error:
        watch.ended(Outcome(problem=problem_of(error)))
        raise


def following(watch: Watch, progress: Progress | None) -> Progress:
    """Both hear how far it is."""

    def follow(what: str, done: int, total: int | None) -> None:
        watch.progress(what, done, total)
        if progress is not None:
            progress(what, done, total)

    return follow


def outcome_of(report: SyncReport) -> Outcome:
    """What a reading came to."""
    return Outcome(
        added=report.added,
        changed=report.changed,
        deleted=report.deleted,
        failed=len(report.failed),
        held=report.held,
        stopped=report.stopped,
        seconds=report.seconds,
    )


def problem_of(error: Exception) -> Problem:
    """What may be said of an error."""
    match error:
        case SourceUnavailableError():
            return "away"
        case SourceError():
            return "source"
        case DatabaseError():
            return "storage"
        case BotError() | KnowledgeError():
            return "setup"
        case _:
            return "fault"


def end_wishes(engine: sa.Engine, source_ids: Sequence[str], problem: Problem) -> None:
    """Close what is still open of these sources."""
    for source_id in source_ids:
        Watch(engine, source_id).ended(Outcome(problem=problem))


def load_request(engine: sa.Engine, request: str) -> Request | None:
    """What was asked for at once, as it stands now; None where that is gone."""
    source = knowledge_tables.source
    query = (
        sa.select(reading_wish, source.c.name, source.c.audience)
        .outerjoin(source, source.c.id == reading_wish.c.source_id)
        .where(reading_wish.c.request == request)
        .order_by(reading_wish.c.id)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    if not rows:
        return None
    first = rows[0]
    return Request(
        name=request,
        user=first.user,
        wishes=tuple(_wish(row) for row in rows),
        channel=first.channel,
        message_ts=first.message_ts,
        told=first.told_at is not None,
    )


def note_place(engine: sa.Engine, request: str, channel: str, message_ts: str) -> None:
    """Keep where the message about a request stands."""
    _update_request(engine, request, channel=channel, message_ts=message_ts)


def mark_told(engine: sa.Engine, request: str, now: datetime) -> None:
    """Note that whoever asked knows the outcome."""
    _update_request(engine, request, told_at=now)


def note_reminder(engine: sa.Engine, source_id: str, now: datetime) -> None:
    """Note that the schedule was reminded of a source of which nothing was heard."""
    with writing(engine) as connection:
        _update_open(connection, source_id, noted_at=now)


def _first_heard() -> sa.ColumnElement[datetime]:
    return sa.func.coalesce(reading_wish.c.began_at, sa.literal(datetime.now(UTC), UtcTime))


def _is_wished(engine: sa.Engine, source_id: str) -> bool:
    """Asked without the write lock: mostly nobody waits."""
    wished = sa.select(reading_wish.c.id).where(*_open(source_id)).limit(1)
    with reading(engine) as connection:
        return connection.execute(wished).first() is not None


def _update_open(connection: sa.Connection, source_id: str, **values: Any) -> None:
    noted = {"noted_at": datetime.now(UTC)} | values
    connection.execute(sa.update(reading_wish).where(*_open(source_id)).values(noted))


def _open(source_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return reading_wish.c.source_id == source_id, reading_wish.c.ended_at.is_(None)


def _update_request(engine: sa.Engine, request: str, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(reading_wish).where(reading_wish.c.request == request).values(values))


def _wish(row: sa.Row[Any]) -> Wish:
    return Wish(
        source_id=row.source_id,
        name=row.name or "",
        audience=row.audience or "",
        asked_at=row.asked_at,
        began_at=row.began_at,
        noted_at=row.noted_at,
        done=row.done,
        total=row.total,
        outcome=None if row.outcome is None else Outcome(**row.outcome),
    )
