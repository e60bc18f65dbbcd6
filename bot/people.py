"""How each person wants to be answered, and what they looked at last. Knows SQL, not Slack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.channel_ledger import leave_person_out
from bot.learn.tombstones import bury_person
from bot.turn import Length
from knowledge.database import reading, writing

# What somebody looked at longer ago says nothing about "this channel" any more.
_VIEW_HOLDS = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """The settings of one person."""

    language: str = ""
    """ISO 639-1; empty for the language of each question."""
    length: Length = "normal"
    memory: bool = True
    """Earlier conversations may be remembered, and channels that are sources may be read for what they say there."""
    tuning: bool = False
    """Their own words may be used for tuning, where the operator allows that at all."""


def is_unremembered(team: sa.ColumnElement[str] | str, user: sa.ColumnElement[str] | str) -> sa.ColumnElement[bool]:
    """The condition that a person switched memory off; the columns are those of the row that is theirs."""
    person = tables.person
    theirs = (person.c.team == team, person.c.user == user, person.c.memory.is_(False))
    return sa.select(person.c.user).where(*theirs).exists()


def load_preferences(engine: sa.Engine, team: str, user: str) -> Preferences:
    """Read the settings of a person."""
    row = _read(engine, team, user)
    if row is None:
        return Preferences()
    return Preferences(**{name: row[name] for name in Preferences.__dataclass_fields__})


def save_preferences(engine: sa.Engine, team: str, user: str, preferences: Preferences) -> None:
    """Keep the settings of a person; the time of a consent is that of its first "yes".

    Whoever takes their consent back takes it back for all that they said until then.
    """
    before = load_preferences(engine, team, user)
    values: dict[str, Any] = {name: getattr(preferences, name) for name in Preferences.__dataclass_fields__}
    if preferences.tuning != before.tuning:
        values["tuning_at"] = datetime.now(UTC) if preferences.tuning else None
    with writing(engine) as connection:
        if before.tuning and not preferences.tuning:
            bury_person(connection, user, "opted_out", team=team, votes=False)
        if before.memory and not preferences.memory:
            leave_person_out(connection, user)
        _upsert(connection, team, user, values)


def note_viewing(engine: sa.Engine, team: str, user: str, channel: str | None) -> None:
    """Note which channel a person looks at now; None for none."""
    _write(engine, team, user, {"viewing": channel, "viewing_at": datetime.now(UTC)})


def viewing_of(engine: sa.Engine, team: str, user: str) -> str | None:
    """The channel that a person looks at, as far as Slack told lately."""
    row = _read(engine, team, user)
    if row is None or row["viewing_at"] is None or datetime.now(UTC) - row["viewing_at"] > _VIEW_HOLDS:
        return None
    return str(row["viewing"]) if row["viewing"] else None


def note_greeting(engine: sa.Engine, team: str, user: str) -> bool:
    """Note that a person was greeted; False when they had been before."""
    row = _read(engine, team, user)
    if row is not None and row["greeted_at"] is not None:
        return False
    _write(engine, team, user, {"greeted_at": datetime.now(UTC)})
    return True


def _read(engine: sa.Engine, team: str, user: str) -> sa.RowMapping | None:
    table = tables.person
    with reading(engine) as connection:
        return (
            connection.execute(sa.select(table).where(table.c.team == team, table.c.user == user))
            .mappings()
            .one_or_none()
        )


def _write(engine: sa.Engine, team: str, user: str, values: dict[str, Any]) -> None:
    with writing(engine) as connection:
        _upsert(connection, team, user, values)


def _upsert(connection: sa.Connection, team: str, user: str, values: dict[str, Any]) -> None:
    statement = insert(tables.person).values(team=team, user=user, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["team", "user"], set_=values))
