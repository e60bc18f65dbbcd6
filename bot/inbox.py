"""The durable inbox: what Slack delivered is a row before it is acknowledged, and work on it is a lease.

A lease ends by itself when its holder dies, and its token fences: whoever lost it can write nothing more for
that row. All methods may be called from several threads and processes.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot.tables import inbox
from knowledge.database import reading, writing

Kind = Literal[
    "question",
    "revision",
    "deletion",
    "reaction",
    "home",
    "greeting",
    "command",
    "shortcut",
    "press",
    "lifecycle",
    "alert",
    "gaps",
    "reading",
]
"""What a row asks for: an answer, an answer again, forgetting, a vote, a visit, and what people do with commands,
shortcuts, buttons; `lifecycle` is the app's own (uninstalled, tokens revoked); `alert`, `gaps` and `reading` are
ours: words to admins about answers that changed, about what was asked in vain, and about a source they wanted read."""
FinalState = Literal["done", "dropped", "failed"]

LEASE_SECONDS = 15.0
# What the model is busy with.
_OF_MODEL: tuple[Kind, ...] = ("question", "revision")
# A person who asked a lot lately waits behind one who did not.
_FAIRNESS_WINDOW = timedelta(minutes=10)
# Slack stops repeating an event after about six minutes; rows stay far longer, so that follow-ups find them.
_KEPT = timedelta(days=14)


class LeaseLostError(Exception):
    """Somebody else holds this row now: stop working on it and write nothing."""


class WithdrawnError(Exception):
    """The question was deleted or stopped while it was worked on."""


class LaterError(Exception):
    """There is more to do on this row, a little later; that is no failed try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"to be looked at again in {seconds:.1f} s")
        self.seconds = seconds


@dataclass(frozen=True, kw_only=True)
class Received:
    """One event, as it is put into the inbox."""

    event_id: str
    kind: Kind
    team: str
    channel: str = ""
    ts: str = ""
    conversation: str = ""
    user: str = ""
    payload: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One row that is ours to work on until the lease ends."""

    id: int
    token: str
    kind: Kind
    payload: dict[str, Any] = field(repr=False)
    attempt: int
    """1 for the first try."""
    withdrawn: bool
    """Nobody wants an answer any more: clean up what an earlier try left, and finish."""
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A question in the waiting line."""

    id: int
    channel: str
    thread_ts: str
    ahead: int
    """How many questions are worked on or come before it."""
    user: str = ""
    in_thread: bool = False
    """Whether it was asked in a thread; else its thread begins with it."""
    told: bool = False
    """Whether the person was told a place before."""


class Inbox:
    """The inbox of one database."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        lease_seconds: float = LEASE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._lease = timedelta(seconds=lease_seconds)
        self._now = now
        self._news = threading.Condition()
        self._news_count = 0

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts without being renewed."""
        return self._lease.total_seconds()

    def put(self, received: Received) -> bool:
        """Store an event; False when it, or its message, is known already. On return it is on the disk."""
        with writing(self._engine) as connection:
            is_new = self.put_within(connection, received)
        if is_new:
            self.wake()
        return is_new

    def put_within(self, connection: sa.Connection, received: Received) -> bool:
        """The same inside the caller's writing transaction, who calls `wake` after it."""
        statement = (
            insert(inbox)
            .values(
                event_id=received.event_id,
                kind=received.kind,
                team=received.team,
                channel=received.channel,
                ts=received.ts,
                conversation=received.conversation,
                user=received.user,
                payload=received.payload,
                received_at=self._now(),
            )
            .on_conflict_do_nothing()
        )
        return connection.execute(statement).rowcount > 0

    def claim(self, kinds: Sequence[Kind]) -> Lease | None:
        """Take the next row of these kinds: the person served least lately first, then the oldest.

        Two questions of one conversation are never worked on at once: the second builds on the first.
        """
        now = self._now()
        with writing(self._engine) as connection:
            row = connection.execute(_next_row(kinds, now)).first()
            if row is None:
                return None
            token = uuid.uuid4().hex
            connection.execute(
                sa.update(inbox)
                .where(inbox.c.id == row.id)
                .values(
                    state="working",
                    lease_token=token,
                    lease_until=now + self._lease,
                    claimed_at=now,
                    attempts=row.attempts + 1,
                )
            )
        return Lease(
            id=row.id,
            token=token,
            kind=row.kind,
            payload=row.payload,
            attempt=row.attempts + 1,
            withdrawn=row.withdrawn,
            received_at=row.received_at,
        )

    def renew(self, leases: Sequence[Lease]) -> None:
        """Make leases last longer; one that was lost stays lost."""
        tokens = [lease.token for lease in leases]
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(inbox)
                .where(inbox.c.lease_token.in_(tokens), inbox.c.state == "working")
                .values(lease_until=self._now() + self._lease)
            )

    def hold(self, connection: sa.Connection, lease: Lease) -> None:
        """Make sure, inside the caller's writing transaction, that this row is still ours to work on.

        Raises LeaseLostError when it is not, WithdrawnError when nobody wants the answer any more.
        """
        row = connection.execute(
            sa.select(inbox.c.withdrawn).where(*self._ours(lease), inbox.c.lease_until > self._now())
        ).first()
        if row is None:
            raise LeaseLostError(f"inbox row {lease.id} is not ours any more")
        if row.withdrawn and not lease.withdrawn:
            raise WithdrawnError(f"the question of inbox row {lease.id} was withdrawn")

    def finish(
        self, connection: sa.Connection, lease: Lease, state: FinalState = "done", *, error: str | None = None
    ) -> None:
        """End the work inside the caller's transaction; the payload is emptied."""
        changed = connection.execute(
            sa.update(inbox)
            .where(*self._ours(lease))
            .values(state=state, error=error, payload={}, lease_token=None, lease_until=None)
        )
        if changed.rowcount == 0:
            raise LeaseLostError(f"inbox row {lease.id} is not ours any more")

    def give_back(self, lease: Lease, *, delay_seconds: float = 0.0, counts: bool = False) -> None:
        """Put a row back for a later try; `counts` tells whether this try counts as one."""
        now = self._now()
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(inbox)
                .where(*self._ours(lease))
                .values(
                    state="waiting",
                    lease_token=None,
                    lease_until=None,
                    not_before=now + timedelta(seconds=delay_seconds) if delay_seconds else None,
                    attempts=inbox.c.attempts if counts else inbox.c.attempts - 1,
                )
            )
        self.wake()

    def withdraw(self, ids: Sequence[int]) -> None:
        """Drop questions. One that was begun is only marked: its worker removes what is visible of it."""
        open_ones = (inbox.c.id.in_(ids), inbox.c.state.in_(("waiting", "working")))
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(inbox)
                .where(*open_ones, inbox.c.state == "waiting", inbox.c.attempts == 0)
                .values(state="dropped", payload={})
            )
            connection.execute(sa.update(inbox).where(*open_ones).values(withdrawn=True, not_before=None))
        self.wake()

    def amend(self, *, channel: str, ts: str, text: str) -> bool:
        """Replace the text of a question that is not worked on yet."""
        with writing(self._engine) as connection:
            row = connection.execute(
                sa.select(inbox.c.id, inbox.c.payload).where(
                    inbox.c.channel == channel,
                    inbox.c.ts == ts,
                    inbox.c.kind == "question",
                    inbox.c.state == "waiting",
                    inbox.c.attempts == 0,
                )
            ).first()
            if row is None:
                return False
            connection.execute(
                sa.update(inbox).where(inbox.c.id == row.id).values(payload={**row.payload, "text": text})
            )
        return True

    def waiting_line(self, most: int = 20) -> tuple[Waiting, ...]:
        """The first of the questions that wait, in the order in which they will be served as things stand."""
        now = self._now()
        with reading(self._engine) as connection:
            busy = connection.scalar(
                sa.select(sa.func.count()).where(
                    inbox.c.kind.in_(_OF_MODEL), inbox.c.state == "working", inbox.c.lease_until > now
                )
            )
            rows = connection.execute(_in_order(("question",), now).limit(most)).all()
        return tuple(
            Waiting(
                id=row.id,
                channel=row.payload["channel"],
                thread_ts=row.payload["thread_ts"] or row.payload["ts"],
                ahead=place + (busy or 0),
                user=row.user,
                in_thread=row.payload["thread_ts"] is not None,
            )
            for place, row in enumerate(rows)
        )

    def were_dropped(self, ids: Sequence[int]) -> frozenset[int]:
        """Tell which of these rows nobody will work on any more."""
        query = sa.select(inbox.c.id).where(inbox.c.id.in_(ids), inbox.c.state == "dropped")
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def open_questions(
        self, *, channel: str, ts: str | None = None, conversation: str | None = None
    ) -> tuple[int, ...]:
        """Ids of what the model is to do: one message's question, or all of a conversation or a channel."""
        conditions = [
            inbox.c.kind.in_(_OF_MODEL if ts is None else ("question",)),
            inbox.c.state.in_(("waiting", "working")),
            inbox.c.channel == channel,
        ]
        if ts is not None:
            conditions.append(inbox.c.ts == ts)
        if conversation is not None:
            conditions.append(inbox.c.conversation == conversation)
        with reading(self._engine) as connection:
            return tuple(connection.scalars(sa.select(inbox.c.id).where(*conditions)))

    def prune(self) -> int:
        """Remove rows whose work ended long ago; returns how many."""
        with writing(self._engine) as connection:
            return connection.execute(
                sa.delete(inbox).where(
                    inbox.c.state.in_(("done", "dropped", "failed")),
                    inbox.c.received_at < self._now() - _KEPT,
                )
            ).rowcount

    @property
    def news(self) -> int:
        """Grows with every reason to look again; read it before looking, and give it to `wait`."""
        with self._news:
            return self._news_count

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until there is news since `seen`, or the time is over (other processes are not heard)."""
        with self._news:
            self._news.wait_for(lambda: self._news_count != seen, timeout=seconds)

    def wake(self) -> None:
        """Make everybody who waits look again."""
        with self._news:
            self._news_count += 1
            self._news.notify_all()

    @staticmethod
    def _ours(lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
        return inbox.c.id == lease.id, inbox.c.lease_token == lease.token, inbox.c.state == "working"


def _in_order(kinds: Sequence[Kind], now: datetime) -> sa.Select[Any]:
    """Rows that may be claimed, in the order of service."""
    lately = (
        sa.select(inbox.c.user, sa.func.count().label("times"))
        .where(inbox.c.claimed_at > now - _FAIRNESS_WINDOW)
        .group_by(inbox.c.user)
        .subquery()
    )
    expired = (inbox.c.state == "working") & (inbox.c.lease_until <= now)
    due = (inbox.c.state == "waiting") & (inbox.c.not_before.is_(None) | (inbox.c.not_before <= now))
    return (
        sa.select(inbox)
        .outerjoin(lately, lately.c.user == inbox.c.user)
        .where(inbox.c.kind.in_(kinds), expired | due)
        .order_by(sa.func.coalesce(lately.c.times, 0), inbox.c.id)
    )


def _next_row(kinds: Sequence[Kind], now: datetime) -> sa.Select[Any]:
    other = inbox.alias("other")
    busy = (
        sa.select(other.c.id)
        .where(
            other.c.conversation == inbox.c.conversation,
            other.c.conversation != "",
            other.c.state == "working",
            other.c.lease_until > now,
        )
        .exists()
    )
    return _in_order(kinds, now).where(~busy).limit(1)
