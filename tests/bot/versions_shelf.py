"""What tests of versions need: versions with files, and answers with votes that name them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.learn.versions import Candidate, Version, record_candidate
from knowledge.database import writing
from models.tuned import version_prefix
from tests.models.test_tuned import write_adapter

TEAM = "T0PLAYGROUND"
_NUMBERS = itertools.count(1)


def make_version(engine: sa.Engine, home: Path, name: str, **changes: Any) -> Version:
    """A candidate with a file of its own."""
    home.mkdir(parents=True, exist_ok=True)
    file = write_adapter(home / f"{name}.gguf", **{"general.name": name})
    values: dict[str, Any] = {"name": name, "team": TEAM, "base": "embedded", "examples": ("feedback:1",)}
    return record_candidate(engine, home / "models", file, Candidate(**values | changes), by="tune", why="made")


def write_answer(engine: sa.Engine, name: str, *votes: tuple[str, int], **values: Any) -> int:
    """An answer of a version (empty: of the base model) in a conversation of its own, with votes."""
    number = next(_NUMBERS)
    now = datetime.now(UTC) + timedelta(seconds=1)
    ts = f"{now.timestamp():.0f}.{number:06d}"
    row: dict[str, Any] = {
        "team": TEAM,
        "channel": "C1",
        "thread_ts": ts,
        "question_ts": ts,
        "conversation": f"{TEAM}:C1:{ts}",
        "user": "U1",
        "nonce": f"n{number}",
        "state": "final_sent",
        "state_at": now,
        "outcome": "answered",
        "version": f"{version_prefix(name)}abc" if name else "base@abc",
        "completion_tokens": 9,
        "created_at": now,
    }
    with writing(engine) as connection:
        key = connection.execute(sa.insert(tables.answer).values(row | values)).inserted_primary_key
        assert key is not None
        for user, vote in votes:
            given = {"answer_id": key[0], "user": user, "vote": vote, "via": "button", "created_at": now}
            connection.execute(sa.insert(tables.feedback).values(given))
    return int(key[0])
