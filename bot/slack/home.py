"""The bot's home page in Slack: what it knows, how fresh that is, how to ask, and what each person may set there.

`load_home` reads the rows, `home_view` builds the view from them. A person sees only sources they may read; admins can
turn the page over, see `bot.slack.home_admin`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import privacy, words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Kind, Lease
from bot.people import Preferences, load_preferences, save_preferences
from bot.remember import forget_remembered, list_remembered
from bot.slack import home_admin, home_person
from bot.slack.admins import admins_of
from bot.slack.channel_config import open_view
from bot.slack.features import TeamParts
from bot.slack.gate import reach_of, why_no_member
from bot.slack.limits import BLOCKS_OF_VIEW
from bot.slack.parse import HomeOpened
from bot.slack.render import Block, note_block
from bot.slack.shown import Shown
from bot.slack.upload import upload
from bot.slack.view_parts import DIVIDER, bullets, button, header, one_line, paragraph, section, text
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading

logger = logging.getLogger(__name__)

ADMIN_ACTION: Final = "home_admin"
# What is not about sources takes about twenty-five blocks.
_MOST_SOURCES = (BLOCKS_OF_VIEW - 30) // 2
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """Publishes the home page when somebody opens it, and takes what they do there."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Connect what stands on a person's own side of the page."""
        for action in (home_person.LANGUAGE_ACTION, home_person.LENGTH_ACTION, home_person.SWITCHES_ACTION):
            app.action(action)(self._on_change)
        app.action(home_person.SEE_ACTION)(self._on_see)
        app.action(home_person.FORGET_ONE_ACTION)(self._on_forget_one)
        app.action(home_person.EXPORT_ACTION)(self._on_export)
        app.action(home_person.DELETE_ACTION)(self._on_delete)
        app.view(home_person.DELETE_CALLBACK)(self._on_delete_confirmed)
        app.action(home_admin.PERSON_ACTION)(self._on_turn_back)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Visits wait in the inbox."""
        return {"home": lambda lease: self.publish(HomeOpened(**lease.payload).user, at=lease.received_at)}

    # Bolt reads the names of a listener's parameters.

    def _on_change(self, ack: Ack, body: dict[str, Any]) -> None:
        user, at = _user(body), datetime.now(UTC)
        before = load_preferences(self.parts.engine, self.parts.team, user)
        after = home_person.changed(before, body["actions"][0])
        if after is not None:
            save_preferences(self.parts.engine, self.parts.team, user, after)
        ack()
        self.publish(user, notice=words.SETTINGS_NOT_SAVED if after is None else words.SETTINGS_SAVED, at=at)

    def _on_see(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        view = home_person.data_view(load_own_data(self.parts.engine, _user(body)))
        open_view(self.parts, str(body["trigger_id"]), view)

    def _on_forget_one(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        user, value = _user(body), str(body["actions"][0].get("value") or "")
        if value.isdecimal():
            forget_remembered(self.parts.engine, user, int(value))
        view = home_person.data_view(load_own_data(self.parts.engine, user))
        try:
            self.parts.delivery.repeat("views.update", patience_seconds=5.0, view_id=body["view"]["id"], view=view)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the page of %s does not show what was forgotten: %s", user, error)

    def _on_export(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        user, at = _user(body), datetime.now(UTC)
        self.publish(user, notice=self.export(user), at=at)

    def _on_delete(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        open_view(self.parts, str(body["trigger_id"]), home_person.delete_form())

    def _on_delete_confirmed(self, ack: Ack, body: dict[str, Any]) -> None:
        user, at = _user(body), datetime.now(UTC)
        removed = privacy.forget(self.parts.engine, user)
        ack(response_action="update", view=home_person.deleted_view(asdict(removed)))
        self.publish(user, at=at)

    def _on_turn_back(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self.publish(_user(body))

    def publish(self, user: str, *, notice: str = "", at: datetime | None = None) -> None:
        """Show one person the page as it is now, with the confirmation of what they just did.

        `at` is when they wished for it, where that was before this call.
        """
        parts, at = self.parts, at or datetime.now(UTC)
        closed = why_no_member(parts.memberships.profiles, parts.team, user)
        # The names of sources are for members alone.
        audience = reach_of(parts.memberships, parts.team, user)
        content = load_home(parts.engine, audience, version=parts.version(), next_runs=parts.next_runs())
        content = replace(
            content,
            closed=closed,
            preferences=load_preferences(parts.engine, parts.team, user),
            notice=notice,
            for_admin=admins_of(parts).is_admin(user),
        )
        publish_home(parts, user, home_view(content, now=datetime.now(UTC)), Shown(at=at, side=""))

    def export(self, user: str) -> str:
        """Send a person everything that is kept about them; returns what to tell them."""
        content = json.dumps(privacy.export(self.parts.engine, user), ensure_ascii=False, indent=2).encode()
        name = f"lorekeeper-{user}.json"
        try:
            upload(self.parts.client, name=name, content=content, title=words.DATA_EXPORT_FILE, to=user)
        except SlackRefusedError as error:
            logger.warning("the data of %s could not be sent: %s", user, error)
            return words.export_by_operator(user)
        except SlackSilentError as error:
            logger.warning("the data of %s could not be sent: %s", user, error)
            return words.DATA_EXPORT_FAILED
        return words.DATA_EXPORTED


def publish_home(parts: TeamParts, user: str, view: Block, shown: Shown) -> None:
    """Put a view on a person's home page, unless they wished for another since; raises where Slack does not take it."""

    def publish() -> None:
        parts.delivery.repeat("views.publish", patience_seconds=10.0, user_id=user, view=view)

    if not parts.shown.show(user, shown, publish):
        logger.info("%s turned to another page meanwhile", user)


@dataclass(frozen=True, kw_only=True)
class HomeSource:
    """One source as people see it."""

    name: str
    documents: int
    id: str = ""
    unreadable: int = 0
    """Documents that could not be read; their names may be confidential and are the operator's business."""
    last_run: datetime | None = None
    """When it was last read to the end."""
    last_failed: bool = False
    running: bool = False
    next_run: datetime | None = None
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class HomeContent:
    """Everything that the home page says."""

    sources: tuple[HomeSource, ...]
    version: str
    preferences: Preferences = field(default_factory=Preferences)
    notice: str = ""
    """What became of what the person just did here."""
    for_admin: bool = False
    closed: str = ""
    """Why this person sees no sources, where they may see none."""


def load_home(engine: sa.Engine, audience: Audience, *, version: str, next_runs: Mapping[str, datetime]) -> HomeContent:
    """Read what one person may see; `next_runs` maps source ids to when they are read next."""
    source = tables.source
    visible = source.c.audience.in_(sorted(audience.readable))
    query = sa.select(source.c.id, source.c.name, source.c.paused).where(visible).order_by(source.c.name)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        facts = _load_facts(connection, audience)
    sources = (_home_source(row, facts, next_runs.get(row.id)) for row in rows)
    return HomeContent(sources=tuple(sources), version=version)


def home_view(content: HomeContent, *, now: datetime) -> Block:
    """Build the view for `views.publish`."""
    blocks = [
        header(f"{words.HOME_GREETING} 👋"),
        section(words.HOME_INTRODUCTION, button(words.HOME_FOR_ADMINS, ADMIN_ACTION) if content.for_admin else None),
        header(words.HOME_HOW_TITLE),
        bullets(words.HOME_HOW),
        dict(DIVIDER),
        header(words.HOME_SOURCES_TITLE),
        *([note_block(content.closed)] if content.closed else source_blocks(content.sources, now)),
        dict(DIVIDER),
        *home_person.settings_blocks(content.preferences, content.notice),
        dict(DIVIDER),
        note_block(words.model_line(content.version)),
    ]
    return {"type": "home", "blocks": blocks}


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """How all sources are doing, each by its id: asked for together, as there may be hundreds."""

    documents: Mapping[str, int]
    unreadable: Mapping[str, int]
    complete: Mapping[str, datetime]
    """When the newest run ended that went to the end."""
    latest: Mapping[str, Any]
    """The newest run of each."""


def _load_facts(connection: sa.Connection, audience: Audience) -> _Facts:
    document, failure, run = tables.document, tables.document_failure, tables.sync_run
    count = sa.func.count().label("counted")
    documents = sa.select(document.c.source_id, count).where(document.c.audience.in_(sorted(audience.readable)))
    failures = sa.select(failure.c.source_id, count)
    newest = sa.select(sa.func.max(run.c.id)).group_by(run.c.source_id)
    complete = newest.where(run.c.finished_at.is_not(None), run.c.error.is_(None))
    runs = sa.select(run.c.source_id, run.c.finished_at, run.c.error)
    return _Facts(
        documents={one.source_id: one.counted for one in connection.execute(documents.group_by(document.c.source_id))},
        unreadable={one.source_id: one.counted for one in connection.execute(failures.group_by(failure.c.source_id))},
        complete={one.source_id: one.finished_at for one in connection.execute(runs.where(run.c.id.in_(complete)))},
        latest={one.source_id: one for one in connection.execute(runs.where(run.c.id.in_(newest)))},
    )


def _home_source(row: Any, facts: _Facts, next_run: datetime | None) -> HomeSource:
    latest = facts.latest.get(row.id)
    return HomeSource(
        id=row.id,
        name=row.name,
        documents=facts.documents.get(row.id, 0),
        unreadable=facts.unreadable.get(row.id, 0),
        last_run=facts.complete.get(row.id),
        last_failed=latest is not None and latest.error is not None,
        running=latest is not None and latest.finished_at is None,
        next_run=next_run,
        paused=row.paused,
    )


def load_own_data(engine: sa.Engine, user: str) -> home_person.OwnData:
    """Count what is kept about one person, and read what they asked last."""
    kept = privacy.export(engine, user)
    asked = [str(turn["text"]) for turn in kept["turns"] if turn["role"] == "user"]
    counts = {kind: len(rows) for kind, rows in kept.items() if isinstance(rows, list)}
    return home_person.OwnData(counts=counts, questions=asked[::-1], remembered=list_remembered(engine, user))


def source_blocks(sources: tuple[HomeSource, ...], now: datetime) -> list[Block]:
    """List sources with how fresh they are."""
    if not sources:
        return [section(words.HOME_NO_SOURCES)]
    blocks: list[Block] = []
    for source in sources[:_MOST_SOURCES]:
        name = one_line(source.name, _LONGEST_NAME) or words.UNTITLED
        blocks += [paragraph(text(name, bold=True)), note_block(state_of(source, now))]
    if len(sources) > _MOST_SOURCES:
        blocks.append(note_block(words.HOME_MORE_SOURCES.format(count=len(sources) - _MOST_SOURCES)))
    return blocks


def state_of(source: HomeSource, now: datetime) -> str:
    """Say how fresh a source is."""
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
    elif source.paused:
        parts.append(words.SOURCE_PAUSED)
    if source.unreadable:
        parts.append(words.unreadable(source.unreadable))
    return " · ".join(parts)


def _user(body: Mapping[str, Any]) -> str:
    return str(body["user"]["id"])
