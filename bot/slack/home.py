"""The bot's home page in Slack: what it knows, how fresh that is, and how to ask.

`load_home` reads the rows, `home_view` builds the view from them. A person sees only sources they may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from slack_bolt import App

from bot.inbox import Kind, Lease
from bot.slack import words
from bot.slack.features import TeamParts
from bot.slack.inert import clean
from bot.slack.limits import BLOCKS_OF_VIEW, HEADER, TEXT_OBJECT, shorten
from bot.slack.parse import HomeOpened
from bot.slack.render import Block, note_block
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading

# A header, what the bot is, how to ask and the last lines take the rest of the view.
_MOST_SOURCES = (BLOCKS_OF_VIEW - 20) // 2
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """Publishes the home page when somebody opens it."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """The page has no buttons."""

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Visits wait in the inbox."""
        return {"home": lambda lease: self.publish(HomeOpened(**lease.payload).user)}

    def publish(self, user: str) -> None:
        """Show one person the page as it is now."""
        parts = self.parts
        audience = Audience.of_person(user, parts.memberships.channels_of(user))
        content = load_home(parts.engine, audience, version=parts.version(), next_runs=parts.next_runs())
        view = home_view(content, now=datetime.now(UTC))
        parts.delivery.repeat("views.publish", patience_seconds=10.0, user_id=user, view=view)


@dataclass(frozen=True, kw_only=True)
class HomeSource:
    """One source as people see it."""

    name: str
    documents: int
    unreadable: int = 0
    """Documents that could not be read; their names may be confidential and are the operator's business."""
    last_run: datetime | None = None
    """When it was last read to the end."""
    last_failed: bool = False
    running: bool = False
    next_run: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class HomeContent:
    """Everything that the home page says."""

    sources: tuple[HomeSource, ...]
    version: str


def load_home(engine: sa.Engine, audience: Audience, *, version: str, next_runs: Mapping[str, datetime]) -> HomeContent:
    """Read what one person may see; `next_runs` maps source ids to when they are read next."""
    source = tables.source
    visible = source.c.audience.in_(sorted(audience.readable))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(source.c.id, source.c.name).where(visible).order_by(source.c.name))
        sources = [_load_source(connection, row.id, row.name, next_runs.get(row.id), audience) for row in rows.all()]
    return HomeContent(sources=tuple(sources), version=version)


def home_view(content: HomeContent, *, now: datetime) -> Block:
    """Build the view for `views.publish`."""
    blocks = [
        _header(f"{words.HOME_GREETING} 👋"),
        _section(words.HOME_INTRODUCTION),
        {"type": "divider"},
        _header(words.HOME_HOW_TITLE),
        _bullets(words.HOME_HOW),
        {"type": "divider"},
        _header(words.HOME_SOURCES_TITLE),
        *_source_blocks(content.sources, now),
        {"type": "divider"},
        note_block(words.model_line(content.version)),
    ]
    return {"type": "home", "blocks": blocks}


def _load_source(
    connection: sa.Connection, source_id: str, name: str, next_run: datetime | None, audience: Audience
) -> HomeSource:
    document, failure, run = tables.document, tables.document_failure, tables.sync_run
    readable = document.c.audience.in_(sorted(audience.readable))
    documents = sa.select(sa.func.count()).where(document.c.source_id == source_id, readable)
    failures = sa.select(sa.func.count()).where(failure.c.source_id == source_id)
    runs = sa.select(run.c.finished_at, run.c.error).where(run.c.source_id == source_id).order_by(run.c.id.desc())
    latest = connection.execute(runs.limit(1)).one_or_none()
    complete = runs.where(run.c.finished_at.is_not(None), run.c.error.is_(None)).limit(1)
    return HomeSource(
        name=name,
        documents=connection.scalar(documents) or 0,
        unreadable=connection.scalar(failures) or 0,
        last_run=connection.scalar(complete),
        last_failed=latest is not None and latest.error is not None,
        running=latest is not None and latest.finished_at is None,
        next_run=next_run,
    )


def _source_blocks(sources: tuple[HomeSource, ...], now: datetime) -> list[Block]:
    if not sources:
        return [_section(words.HOME_NO_SOURCES)]
    blocks: list[Block] = []
    for source in sources[:_MOST_SOURCES]:
        name = " ".join(clean(source.name).split())
        blocks += [
            _bold(shorten(name, _LONGEST_NAME) or words.UNTITLED),
            note_block(_state(source, now)),
        ]
    if len(sources) > _MOST_SOURCES:
        blocks.append(note_block(words.HOME_MORE_SOURCES.format(count=len(sources) - _MOST_SOURCES)))
    return blocks


def _state(source: HomeSource, now: datetime) -> str:
    parts = [words.documents(source.documents)]
    if source.running:
        parts.append(words.HOME_READING_NOW)
    elif source.last_run:
        parts.append(words.last_read(source.last_run, now))
    elif not source.last_failed:
        parts.append(words.HOME_NEVER_READ)
    if source.last_failed:
        parts.append(f"⚠️ {words.HOME_LAST_FAILED}")
    if source.next_run:
        parts.append(words.next_read(source.next_run, now))
    if source.unreadable:
        parts.append(words.unreadable(source.unreadable))
    return " · ".join(parts)


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": shorten(text, HEADER), "emoji": True}}


def _section(text: str) -> Block:
    return {
        "type": "section",
        "text": {"type": "plain_text", "text": shorten(text, TEXT_OBJECT), "emoji": True},
    }


def _bold(text: str) -> Block:
    run: dict[str, Any] = {"type": "text", "text": text, "style": {"bold": True}}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [run]}]}


def _bullets(lines: tuple[str, ...]) -> Block:
    items = [{"type": "rich_text_section", "elements": [{"type": "text", "text": line}]} for line in lines]
    listing = {"type": "rich_text_list", "style": "bullet", "indent": 0, "elements": items}
    return {"type": "rich_text", "elements": [listing]}
