"""Alerts: what the watch noticed, as rows; each is kept once and told once. Knows SQL, not Slack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from bot.inbox import Inbox, Received
from knowledge.database import reading, writing

Comparison = Literal["before", "version"]
"""With the same version's weeks before; or with the version before it."""
# So long a change stays in the windows that are compared: seen again within it, it is the same one.
SAME_CHANGE = timedelta(days=35)
# What could not be told in a week (the bot was not invited, the channel is gone) is on the admins' page only.
_TRIED = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One measure that changed, by how much, since when, and how sure that is."""

    measure: str
    version: str
    comparison: Comparison
    earlier_version: str
    """What it is compared with."""
    before: float
    after: float
    count_before: int
    count_after: int
    since: date
    with_version: bool
    """Whether it began when the version did, as far as the days tell."""
    p: float
    """Corrected for the other measures of the same look."""
    effect: float

    @property
    def rose(self) -> bool:
        """Whether it went up."""
        return self.after > self.before


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A change that admins are told of."""

    id: int
    team: str
    change: Change
    created_at: datetime
    told_at: datetime | None


def note_alerts(engine: sa.Engine, team: str, changes: Sequence[Change], now: datetime) -> tuple[Alert, ...]:
    """Keep those changes that are new; returns these."""
    table = tables.alert
    with writing(engine) as connection:
        lately = sa.select(table).where(table.c.team == team, table.c.created_at > now - SAME_CHANGE)
        known = {_key(_change(row)) for row in connection.execute(lately)}
        added: list[Alert] = []
        for change in changes:
            if _key(change) in known:
                continue
            known.add(_key(change))
            detail: dict[str, Any] = asdict(change) | {"since": change.since.isoformat()}
            values = {"team": team, "measure": change.measure, "version": change.version, "created_at": now}
            row_id = connection.execute(
                sa.insert(table).values(detail=detail, **values).returning(table.c.id)
            ).scalar_one()
            added.append(Alert(id=row_id, team=team, change=change, created_at=now, told_at=None))
        return tuple(added)


def list_alerts(engine: sa.Engine, team: str, since: datetime) -> tuple[Alert, ...]:
    """The alerts of one team since then, the newest first."""
    table = tables.alert
    query = sa.select(table).where(table.c.team == team, table.c.created_at > since).order_by(table.c.id.desc())
    with reading(engine) as connection:
        return tuple(_alert(row) for row in connection.execute(query))


def find_alert(engine: sa.Engine, alert_id: int) -> Alert | None:
    """One alert; None where it is gone."""
    table = tables.alert
    with reading(engine) as connection:
        row = connection.execute(sa.select(table).where(table.c.id == alert_id)).one_or_none()
    return None if row is None else _alert(row)


def mark_told(engine: sa.Engine, alert_id: int, now: datetime) -> None:
    """Note that an alert stands in the admins' channel."""
    table = tables.alert
    with writing(engine) as connection:
        connection.execute(sa.update(table).where(table.c.id == alert_id).values(told_at=now))


def put_untold(engine: sa.Engine, inbox: Inbox, channel: str, now: datetime) -> int:
    """Put what was not told yet into the inbox, to be posted in a channel; returns how many that were.

    Once a day for each: where Slack refused it, it is tried again with the next look.
    """
    table = tables.alert
    query = sa.select(table.c.id, table.c.team).where(table.c.told_at.is_(None), table.c.created_at > now - _TRIED)
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(table.c.id)).all()
    return sum(
        inbox.put(
            Received(
                event_id=f"alert:{row.id}:{now.date().isoformat()}",
                kind="alert",
                team=row.team,
                channel=channel,
                payload={"alert_id": row.id, "channel": channel},
            )
        )
        for row in rows
    )


def _key(change: Change) -> tuple[str, str, bool]:
    return change.measure, change.version, change.rose


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(id=row.id, team=row.team, change=_change(row), created_at=row.created_at, told_at=row.told_at)


def _change(row: sa.Row[Any]) -> Change:
    return Change(**{**row.detail, "since": date.fromisoformat(row.detail["since"])})
