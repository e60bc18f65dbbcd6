"""What dialogues about answers need: documents that are in SQL and on a shelf, and people who use an answer's menu."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.answer import Answering, AnswerOptions
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE
from knowledge.database import reading, writing
from knowledge.document import Passage
from tests.bot.answer_parts import FixedLibrary, passage
from tests.bot.dialogue import Workspace, wait_until
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

BADGES = "Badges are issued by Maria Lopez at the front desk. Lost badges cost 15 euros."


def shelve(engine: sa.Engine, *texts: tuple[str, str, str]) -> list[Passage]:
    """Put documents (title, text, audience) into SQL, a chunk each, and return them as passages."""
    now = datetime.now(UTC)
    passages = []
    with writing(engine) as connection:
        source = knowledge_tables.source
        values = {"id": "handbook", "kind": "folder", "name": "handbook", "location": "/x", "audience": EVERYONE}
        connection.execute(sa.insert(source).values(**values, added_at=now))
        run = {"source_id": "handbook", "started_at": now, "finished_at": now - timedelta(hours=2)}
        connection.execute(sa.insert(knowledge_tables.sync_run).values(**run))
        for number, (title, text, audience) in enumerate(texts, start=1):
            one = passage(text, number=number, title=title, audience=audience)
            document = {"id": number, "source_id": "handbook", "uri": one.uri, "title": title, "content_hash": "h"}
            dates = {"modified_at": now - timedelta(days=3), "synced_at": now - timedelta(hours=2)}
            connection.execute(sa.insert(knowledge_tables.document).values(**document, **dates, audience=audience))
            chunk = {"id": number, "document_id": number, "ordinal": 0, "header": title, "text": text}
            connection.execute(sa.insert(knowledge_tables.chunk).values(**chunk, text_hash=one.text_hash))
            passages.append(one)
    return passages


def answering(passages: list[Passage], reply: str) -> Answering:
    """ANSWER over these passages, with a model that always says `reply`."""
    return Answering(
        library=FixedLibrary(passages, FakeEmbedder(dim=256)),
        generator=ScriptedGenerator(reply),
        options=AnswerOptions(minimum_support=0.0),
    )


def choose(workspace: Workspace, user: str, channel: str, message: dict[str, Any], purpose: str) -> None:
    """Choose something in the menu of an answer."""
    block = next(
        block
        for block in message["blocks"]
        if block["type"] == "actions" and any(one["action_id"] == "answer_menu" for one in block["elements"])
    )
    element = next(one for one in block["elements"] if one["action_id"] == "answer_menu")
    option = next(one for one in element["options"] if one["value"].startswith(f"{purpose}:"))
    action = {"type": "overflow", "block_id": block["block_id"], "action_id": "answer_menu", "selected_option": option}
    container = {"type": "message", "channel": channel, "ts": message["ts"]}
    workspace.act("block_action", user=user, container=container, action=action)


def press(workspace: Workspace, user: str, channel: str, message: dict[str, Any], action_id: str) -> None:
    """Press one of the buttons of a message."""
    for block in message["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == action_id:
                action = {"type": "button", "block_id": block["block_id"], "action_id": action_id}
                container = {"type": "message", "channel": channel, "ts": message["ts"]}
                workspace.act("block_action", user=user, container=container, action=action)
                return
    raise AssertionError(f"no {action_id} in {message['blocks']}")


def press_in_view(workspace: Workspace, user: str, view: dict[str, Any], action_id: str) -> None:
    """Press a button of a form."""
    block = next(
        block for block in view["blocks"] for one in block.get("elements", []) if one.get("action_id") == action_id
    )
    action = {"type": "button", "block_id": block["block_id"], "action_id": action_id}
    workspace.act("block_action", user=user, container={"type": "view", "view_id": view["id"]}, action=action)


def view_calls(workspace: Workspace) -> list[dict[str, Any]]:
    """The forms that were opened, pushed or updated, oldest first."""
    calls = [call for call in workspace.ledger("call") if str(call["name"]).startswith("views.")]
    return [call["response"]["view"] for call in calls if call["status"] == "ok"]


def opened_view(workspace: Workspace, *, saying: str = "") -> dict[str, Any]:
    """Wait for a form, with these words in it, and return its newest content."""
    wait_until(lambda: any(saying in repr(view) for view in view_calls(workspace)))
    return next(view for view in reversed(view_calls(workspace)) if saying in repr(view))


def rows(engine: sa.Engine, query: sa.Table | sa.Column[Any]) -> list[Any]:
    """All rows of a table, or values of a column."""
    with reading(engine) as connection:
        found = connection.execute(sa.select(query)).all()
    return [row[0] for row in found] if isinstance(query, sa.Column) else list(found)
