"""M15: what a workspace takes away is removed from every table, with a receipt, and the proof finds nothing.

Every table is filled by its own columns, so that a new one cannot be forgotten.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.cli.serving import finish_removals
from bot.database import open_database
from bot.purge import (
    Removal,
    ask_for_removal,
    belongs_to,
    find_traces,
    finish_removal,
    open_removals,
    purge,
    removal_of,
)
from bot.settings import SLACK_FILE, load_settings, of_workspace, read_slack_file, write_slack_file
from bot.sync import ingest_parts, sync_source
from knowledge.database import reading, writing
from knowledge.store import add_source
from tests.knowledge.fake_embedder import FakeEmbedder

WHEN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
# Tables of the machine's own doings: nothing of a workspace is in them.
OPERATIONAL = {"job_run", "receipt", "credential"}
WORDS = "the launch code is heliotrope"


def a_value(column: sa.Column[Any], team: str, number: int) -> Any:
    """Something fit for a column."""
    if column.name == "team":
        return team
    if column.name == "conversation":
        return f"{team}:C1:{number}"
    if column.name == "vote":
        return 1
    if column.name in ("kind",):
        return "question"
    if isinstance(column.type, sa.Boolean):
        return False
    if isinstance(column.type, sa.Integer):
        return number
    if isinstance(column.type, sa.Float):
        return 0.5
    if isinstance(column.type, sa.JSON):
        return {"text": WORDS}
    if isinstance(column.type, sa.LargeBinary):
        return b"\x00\x01"
    if isinstance(column.type, sa.Text):
        return f"{WORDS} {team} {number}"
    return WHEN


def fill(engine: sa.Engine, team: str, number: int) -> None:
    """One row in every table that may hold something of a workspace."""
    with writing(engine) as connection:
        for table in tables.metadata.sorted_tables:
            if table.name not in OPERATIONAL:
                row = {column.name: a_value(column, team, number) for column in table.c}
                connection.execute(sa.insert(table).values(row))


def rows_of(engine: sa.Engine, team: str) -> dict[str, int]:
    found = {}
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            if (condition := belongs_to(table, team)) is not None:
                query = sa.select(sa.func.count()).select_from(table).where(condition)
                found[table.name] = int(connection.scalar(query) or 0)
    return found


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")


def removal(event_id: str = "Ev1", team: str = "T1") -> Removal:
    return Removal(event_id=event_id, team=team, reason="app_uninstalled", at=WHEN)


def test_only_the_token_of_the_workspace_that_left_is_forgotten(engine: sa.Engine, tmp_path: Path) -> None:
    """The playground's is not the one that the file keeps for Slack."""
    kept = tmp_path / SLACK_FILE
    write_slack_file(kept, {"SLACK_BOT_TOKEN": "xoxb-slack"})
    for token, left in (("xoxb-playground", "xoxb-slack"), ("xoxb-slack", None)):
        ask_for_removal(engine, removal(event_id=token))
        settings = of_workspace(load_settings({}, tmp_path), bot_token=token, app_token="", api_url="http://localhost/")
        assert len(finish_removals(engine, settings)) == 1
        assert read_slack_file(kept).get("SLACK_BOT_TOKEN") == left


def test_every_table_tells_whose_its_rows_are() -> None:
    unknown = {table.name for table in tables.metadata.sorted_tables if belongs_to(table, "T1") is None}
    assert unknown == OPERATIONAL


def test_everything_of_one_workspace_goes_and_nothing_of_another(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine, "T1", 1)
    fill(engine, "T2", 2)
    before = rows_of(engine, "T2")
    assert set(rows_of(engine, "T1").values()) == {1}
    ask_for_removal(engine, removal())
    removed = purge(engine, removal(), tmp_path)
    assert removed == dict.fromkeys(rows_of(engine, "T1"), 1)
    assert set(rows_of(engine, "T1").values()) == {0}
    assert rows_of(engine, "T2") == before
    assert find_traces(engine, "T1", tmp_path) == ()
    assert find_traces(engine, "T2", tmp_path) != ()
    engine.dispose()


def test_the_words_are_gone_from_the_file_itself(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine, "T1", 1)
    assert WORDS.encode() in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))
    purge(engine, removal(), tmp_path)
    assert WORDS.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))
    engine.dispose()


def test_the_receipt_has_numbers_and_no_words(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine, "T1", 1)
    ask_for_removal(engine, removal())
    purge(engine, removal(), tmp_path)
    with reading(engine) as connection:
        (receipt,) = connection.execute(sa.select(tables.receipt)).all()
    assert (receipt.team, receipt.reason) == ("T1", "app_uninstalled")
    assert receipt.removed["turn"] == 1
    assert WORDS not in str(receipt)
    engine.dispose()


def test_both_events_in_any_order_and_again_leave_one_receipt(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine, "T1", 1)
    for event_id in ("Ev2", "Ev1", "Ev2", "Ev1"):
        if ask_for_removal(engine, removal(event_id)):
            purge(engine, removal(event_id), tmp_path)
    with reading(engine) as connection:
        assert len(connection.execute(sa.select(tables.receipt)).all()) == 1
    assert open_removals(engine) == ()
    assert not ask_for_removal(engine, removal("Ev1"))
    engine.dispose()


def test_a_removal_that_was_interrupted_is_still_to_be_done(engine: sa.Engine, tmp_path: Path) -> None:
    fill(engine, "T1", 1)
    ask_for_removal(engine, removal())
    engine.dispose()
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    assert open_removals(engine) == (removal(),)
    purge(engine, removal(), tmp_path)
    assert open_removals(engine) == ()
    engine.dispose()


def test_a_source_that_was_read_out_of_slack_goes_and_the_operators_own_stay(engine: sa.Engine, tmp_path: Path) -> None:
    add_source(engine, kind="files", location=str(tmp_path), name="handbook")
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO source(id, kind, name, location, audience, unsettled, added_at) "
            "VALUES ('s1', 'slack', 'general', 'C1', 'channel:C1', 0, '2026-11-20 10:00:00')"
        )
    assert [trace.place for trace in find_traces(engine, "T1", tmp_path)] == ["sources that came out of Slack"]
    purge(engine, removal(), tmp_path)
    assert find_traces(engine, "T1", tmp_path) == ()
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT name FROM source").scalars().all() == ["handbook"]
    engine.dispose()


def test_what_people_saved_goes_with_its_file_its_document_and_the_index(engine: sa.Engine, tmp_path: Path) -> None:
    saved = tmp_path / "saved" / "everyone"
    saved.mkdir(parents=True)
    (saved / "note-1.md").write_text(f"# Codes\n\n{WORDS}.\n", encoding="utf-8")
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "1.hnsw").write_bytes(b"vectors")
    settings = load_settings({}, tmp_path)
    stored = add_source(engine, kind="files", location=str(saved), name="Saved by the team")
    with ingest_parts(engine, FakeEmbedder(), settings) as parts:
        assert sync_source(stored, parts).added == 1
    assert [trace.place for trace in find_traces(engine, "T1", tmp_path)] == ["sources that came out of Slack"]
    assert purge(engine, removal(), tmp_path) == {"document": 1, "file": 1}
    assert find_traces(engine, "T1", tmp_path) == ()
    assert not saved.exists()
    assert list((tmp_path / "index").iterdir()) == []
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert WORDS.encode() not in everything
    engine.dispose()


def test_what_another_workspace_wrote_and_saved_stays(engine: sa.Engine, tmp_path: Path) -> None:
    saved = tmp_path / "saved" / "everyone"
    saved.mkdir(parents=True)
    settings = load_settings({}, tmp_path)
    for number, team in ((1, "T1"), (2, "T2")):
        fill(engine, team, number)
        (saved / f"note-{number}.md").write_text(f"# Codes\n\nThe code of {team} is {number}.\n", encoding="utf-8")
    stored = add_source(engine, kind="files", location=str(saved), name="Saved by the team")
    with ingest_parts(engine, FakeEmbedder(), settings) as parts:
        assert sync_source(stored, parts).added == 2
    with writing(engine) as connection:
        for number, team in ((1, "T1"), (2, "T2")):
            connection.exec_driver_sql(
                "INSERT INTO source(id, kind, name, location, audience, unsettled, added_at) "
                f"VALUES ('s{number}', 'slack', 'general{number}', 'slack:C{number}', 'channel:C{number}', 0, "
                "'2026-11-20 10:00:00')"
            )
            message = tables.channel_message
            connection.execute(sa.update(message).where(message.c.team == team).values(source_id=f"s{number}"))
    removed = purge(engine, removal(), tmp_path)
    assert (removed["document"], removed["file"]) == (1, 1)
    assert [path.name for path in saved.iterdir()] == ["note-2.md"]
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT location FROM source").scalars().all() == [str(saved), "slack:C2"]
        (uri,) = connection.exec_driver_sql("SELECT uri FROM document").scalars().all()
    assert uri.endswith("note-2.md")
    assert find_traces(engine, "T1", tmp_path) == ()
    (saved / "note-1.md").write_text("# Codes\n", encoding="utf-8")
    assert [trace.place for trace in find_traces(engine, "T1", tmp_path)] == ["saved files that no row knows"]
    assert purge(engine, removal("Ev2", team="T2"), tmp_path)["document"] == 1
    assert not saved.exists()
    engine.dispose()


def test_where_nothing_was_left_there_is_no_receipt(engine: sa.Engine, tmp_path: Path) -> None:
    finish_removal(engine, removal(), {"turn": 0})
    with reading(engine) as connection:
        assert connection.execute(sa.select(tables.receipt)).all() == []
    engine.dispose()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "app_uninstalled"}, "app_uninstalled"),
        ({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["UBOT"]}}, "tokens_revoked"),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}}, None),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U1"]}}, None),
        ({"type": "tokens_revoked"}, None),
        ({"type": "message"}, None),
        (None, None),
    ],
)
def test_only_the_bots_own_token_takes_the_app_away(event: dict[str, Any] | None, reason: str | None) -> None:
    found = removal_of({"event": event, "event_id": "Ev1", "event_time": int(WHEN.timestamp())}, "T1")
    assert (found.reason if found else None) == reason
    assert found is None or found.at == WHEN
