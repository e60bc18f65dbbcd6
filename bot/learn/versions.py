"""The life of a version: candidate, canary, in service, retired or refused, with who changed it and why.

At most one version is in service; where none is, the base model of the settings answers. Every change is one writing
transaction, so callers of several threads and processes are safe. Knows rows and files, not what runs: whoever runs a
model follows what is written here (`bot.learn.follow`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from bot import tables
from bot.errors import VersionError
from knowledge.database import reading, writing
from models.tuned import FOLDER, keep_tuned, list_tuned, remove_tuned

State = Literal["candidate", "refused", "canary", "in_service", "retired"]
MODELS_FOLDER = "models"
"""In the data folder."""
BASE = ""
"""The name that stands for the base model in events."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the language model that was made here."""

    name: str
    team: str
    base: str
    """The model that it was made from, as `model.name` calls it."""
    adapter: str
    """Its file in the models folder."""
    state: State
    run: str
    examples: tuple[str, ...] = field(repr=False)
    """The origins that it learned from."""
    gate: Mapping[str, Any] | None = field(repr=False)
    share: float
    """Of a canary: the share of new conversations that it answers."""
    channels: tuple[str, ...]
    """Of a canary: the channels that it answers in; empty for all."""
    created_at: datetime
    state_at: datetime


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version that was just made."""

    name: str
    team: str
    base: str
    run: str = ""
    examples: tuple[str, ...] = field(default=(), repr=False)
    gate: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class VersionEvent:
    """One change of a version's state."""

    version: str
    """Empty for the base model."""
    state: State
    user: str
    """A person's id, or the name of what decided."""
    why: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What a roll-back came to."""

    left: str
    now: str
    """The version in service now; empty for the base model."""
    was_canary: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is in use, by the rows."""

    service: Version | None
    """None: the base model."""
    canary: Version | None


def record_candidate(
    engine: sa.Engine, models_folder: Path, file: Path, candidate: Candidate, *, by: str, why: str = ""
) -> Version:
    """Keep a version's file, an adapter or a merged model, and its row; raises ModelError, VersionError."""
    kept = keep_tuned(models_folder, file, candidate.name, candidate.base)
    now = datetime.now(UTC)
    row = {
        "name": candidate.name,
        "team": candidate.team,
        "base": candidate.base,
        "adapter": f"{FOLDER}/{candidate.name}/{kept.path.name}",
        "state": "candidate",
        "run": candidate.run,
        "examples": list(candidate.examples),
        "gate": None if candidate.gate is None else dict(candidate.gate),
        "created_at": now,
        "state_at": now,
    }
    try:
        with writing(engine) as connection:
            connection.execute(sa.insert(tables.model_version).values(row))
            _write_event(connection, candidate.team, candidate.name, "candidate", by, why)
    except sa.exc.IntegrityError as error:
        remove_tuned(models_folder, candidate.name)
        raise VersionError(f"There was a version {candidate.name!r} already. Give this one another name.") from error
    return find_version(engine, candidate.name)


def refuse(engine: sa.Engine, name: str, *, by: str, why: str, gate: Mapping[str, Any] | None = None) -> None:
    """Refuse a candidate or end a canary for good; `gate` is the report that says why."""
    with writing(engine) as connection:
        version = _expect(connection, name, ("candidate", "canary"), "refused")
        _move(connection, version, "refused", by, why, **({} if gate is None else {"gate": dict(gate)}))


def start_canary(
    engine: sa.Engine, name: str, *, share: float, channels: Sequence[str] = (), by: str, why: str = ""
) -> None:
    """Let a version answer a share of the conversations that begin from now on, in these channels where given."""
    if not 0 < share <= 1:
        raise VersionError(f"The share is {share:g}, expected more than 0 and at most 1, such as 0.2.")
    with writing(engine) as connection:
        version = _expect(connection, name, ("candidate", "retired"), "a canary")
        if running := _in_state(connection, "canary"):
            raise VersionError(
                f"{running.name!r} is the canary already: promote it, or end it with `lorekeeper versions rollback`."
            )
        _move(connection, version, "canary", by, why, share=share, channels=list(channels))


def promote(engine: sa.Engine, name: str, *, by: str, why: str = "") -> str:
    """Put a version in service; returns the name of the one that was, empty for the base model."""
    with writing(engine) as connection:
        version = _expect(connection, name, ("candidate", "canary", "retired"), "put in service")
        before = _in_state(connection, "in_service")
        if before is not None:
            _move(connection, before, "retired", by, f"{name} took its place")
        _move(connection, version, "in_service", by, why)
        return "" if before is None else before.name


def roll_back(engine: sa.Engine, *, by: str, why: str = "", of: str | None = None, to: State = "retired") -> RolledBack:
    """End the canary; where there is none, put the version before in service again, or the base model.

    `of` names what is to be left: raises VersionError where that is not so any more. `to`: what becomes of it.
    """
    with writing(engine) as connection:
        running = (_in_state(connection, "canary"), _in_state(connection, "in_service"))
        version = next((one for one in running if one is not None and of in (None, one.name)), None)
        if version is None:
            raise VersionError(
                f"{of!r} is neither the canary nor in service any more."
                if of
                else "Nothing can be rolled back: the base model answers, and there is no canary."
            )
        was_canary = version.state == "canary"
        before = None if was_canary else _before(connection, version.name)
        _move(connection, version, to, by, why)
        if was_canary:
            service = _in_state(connection, "in_service")
            return RolledBack(left=version.name, now=service.name if service else BASE, was_canary=True)
        if before is None:
            _write_event(connection, version.team, BASE, "in_service", by, f"after {version.name}")
        else:
            _move(connection, before, "in_service", by, f"after {version.name}")
        return RolledBack(left=version.name, now=before.name if before else BASE, was_canary=False)


def note(engine: sa.Engine, name: str, *, by: str, why: str) -> None:
    """Write something down in a version's history without changing its state."""
    with writing(engine) as connection:
        if version := _find(connection, name):
            _write_event(connection, version.team, name, version.state, by, why)


def forget_versions(engine: sa.Engine, team: str, home: Path) -> int:
    """Remove the files of a workspace's versions from its data folder, with their runs; returns how many had files.

    The rows are the purge's business.
    """
    table = tables.model_version
    with reading(engine) as connection:
        rows = connection.execute(sa.select(table.c.name, table.c.run).where(table.c.team == team)).all()
    removed = 0
    for row in rows:
        # What lies outside of the data folder is not ours to remove.
        run = (home / row.run).resolve()
        if row.run and run.is_relative_to(home.resolve()) and run != home.resolve():
            shutil.rmtree(run, ignore_errors=True)
        removed += remove_tuned(home / MODELS_FOLDER, row.name)
    return removed


def files_without_version(engine: sa.Engine, home: Path) -> tuple[str, ...]:
    """Names of tuned files in the data folder that no row knows."""
    table = tables.model_version
    with reading(engine) as connection:
        known = frozenset(connection.scalars(sa.select(table.c.name)))
    return tuple(name for name in list_tuned(home / MODELS_FOLDER) if name not in known)


def standing(engine: sa.Engine) -> Standing:
    """What is in use now."""
    with reading(engine) as connection:
        return Standing(service=_in_state(connection, "in_service"), canary=_in_state(connection, "canary"))


def version_before(engine: sa.Engine) -> str:
    """What a roll-back of the version in service puts in service again; empty for the base model."""
    with reading(engine) as connection:
        service = _in_state(connection, "in_service")
        before = None if service is None else _before(connection, service.name)
    return BASE if before is None else before.name


def list_versions(engine: sa.Engine) -> tuple[Version, ...]:
    """All versions, the newest first."""
    table = tables.model_version
    with reading(engine) as connection:
        query = sa.select(table).order_by(table.c.created_at.desc(), table.c.name.desc())
        return tuple(_version(row) for row in connection.execute(query))


def find_version(engine: sa.Engine, name: str) -> Version:
    """One version; raises VersionError where there is none of this name."""
    with reading(engine) as connection:
        return _expect(connection, name, None, "shown")


def history(engine: sa.Engine, name: str | None = None) -> tuple[VersionEvent, ...]:
    """What happened to a version, or to all of them, the oldest first."""
    table = tables.version_event
    query = sa.select(table).order_by(table.c.id)
    if name is not None:
        query = query.where(table.c.version == name)
    with reading(engine) as connection:
        return tuple(
            VersionEvent(**{key: row[key] for key in VersionEvent.__dataclass_fields__})
            for row in connection.execute(query).mappings()
        )


def _before(connection: sa.Connection, name: str) -> Version | None:
    """What was in service before this one, and has not been rolled back itself; None for the base model."""
    table = tables.version_event
    query = sa.select(table.c.version).where(table.c.state == "in_service").order_by(table.c.id)
    line: list[str] = []
    for version in connection.scalars(query):
        # Back to one that stood there before: what came after it was left.
        if version in line:
            line = line[: line.index(version)]
        line = [] if version == BASE else [*line, version]
    line = line[: line.index(name)] if name in line else line
    found = (_find(connection, one) for one in reversed(line))
    return next((one for one in found if one is not None and one.state == "retired"), None)


def _move(connection: sa.Connection, version: Version, state: State, by: str, why: str, **values: Any) -> None:
    table = tables.model_version
    update = sa.update(table).where(table.c.name == version.name)
    connection.execute(update.values(state=state, state_at=datetime.now(UTC), **values))
    _write_event(connection, version.team, version.name, state, by, why)


def _write_event(connection: sa.Connection, team: str, version: str, state: State, by: str, why: str) -> None:
    row = {"team": team, "version": version, "state": state, "user": by, "why": why, "at": datetime.now(UTC)}
    connection.execute(sa.insert(tables.version_event).values(row))


def _expect(connection: sa.Connection, name: str, states: tuple[State, ...] | None, what: str) -> Version:
    version = _find(connection, name)
    if version is None:
        table = tables.model_version
        known = ", ".join(connection.scalars(sa.select(table.c.name).order_by(table.c.created_at))) or "none yet"
        raise VersionError(f"There is no version {name!r} (there are: {known}). See `lorekeeper versions list`.")
    if states is not None and version.state not in states:
        allowed = " or ".join(states)
        raise VersionError(f"{name!r} cannot be {what}: it is {version.state}, expected {allowed}.")
    return version


def _find(connection: sa.Connection, name: str) -> Version | None:
    table = tables.model_version
    row = connection.execute(sa.select(table).where(table.c.name == name)).one_or_none()
    return None if row is None else _version(row)


def _in_state(connection: sa.Connection, state: State) -> Version | None:
    table = tables.model_version
    row = connection.execute(sa.select(table).where(table.c.state == state)).one_or_none()
    return None if row is None else _version(row)


def _version(row: sa.Row[Any]) -> Version:
    values = dict(row._mapping)
    return Version(**{**values, "examples": tuple(values["examples"]), "channels": tuple(values["channels"])})
