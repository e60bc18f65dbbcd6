"""Shows admins the other side of the home page, and does what they press there; who they are is asked at every step."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import words
from bot.curated import remove_curated
from bot.errors import BotError, SlackRefusedError, SlackSilentError, VersionError
from bot.inbox import Kind, Lease
from bot.jobs import run_soon
from bot.learn import version_words
from bot.learn.versions import promote, roll_back
from bot.notes import SavedNote, approve_note, pending_notes, reject_note
from bot.slack import home_admin as page
from bot.slack import home_review, home_sources
from bot.slack.admins import AUDIT, admins_of
from bot.slack.channel_config import open_channel_form
from bot.slack.features import TeamParts
from bot.slack.home import ADMIN_ACTION, HomePage, publish_home
from bot.slack.home_admin import Opened
from bot.slack.home_admin_reader import AdminReader, Picture
from bot.slack.people_names import name_of
from bot.slack.readings import ask_reading
from bot.slack.shown import Shown
from bot.slack.view_parts import one_line
from knowledge import tables
from knowledge.database import reading
from knowledge.errors import KnowledgeError
from knowledge.store import discard_held, pause_source, release_held
from models.errors import ModelError

logger = logging.getLogger(__name__)

_PRESSED = "pressed on the home page"
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class _Pressed:
    """The source whose button was pressed."""

    id: str
    name: str
    """As it may be shown."""


@dataclass(frozen=True, kw_only=True)
class AdminPage:
    """The admins' side of the home page; may be called from several threads."""

    parts: TeamParts
    reader: AdminReader
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def listen(self, app: App) -> None:
        """Connect everything that stands there."""
        app.action(ADMIN_ACTION)(self._for_admins(lambda _user, _action: "", turn=lambda _opened, _action: Opened()))
        app.action(re.compile(rf"{page.PART_ACTION}_\w+"))(self._for_admins(lambda _user, _action: "", turn=_turned))
        for turn in (home_sources.EARLIER_ACTION, home_sources.LATER_ACTION):
            app.action(turn)(self._for_admins(lambda _user, _action: "", turn=_turned))
        app.action(home_sources.SYNC_ACTION)(self._for_admins(self._sync))
        app.action(home_sources.PAUSE_ACTION)(self._for_admins(partial(self._pause, paused=True)))
        app.action(home_sources.RESUME_ACTION)(self._for_admins(partial(self._pause, paused=False)))
        app.action(home_sources.RELEASE_ACTION)(self._for_admins(self._release))
        app.action(home_sources.DISCARD_ACTION)(self._for_admins(self._discard))
        app.action(home_review.APPROVE_ACTION)(self._for_admins(self._approve))
        app.action(home_review.REJECT_ACTION)(self._for_admins(self._reject))
        app.action(home_review.READ_ACTION)(self._on_read)
        app.action(home_review.CURATED_ACTION)(self._for_admins(self._remove_curated))
        app.action(page.PROMOTE_ACTION)(self._for_admins(self._promote))
        app.action(page.ROLL_BACK_ACTION)(self._for_admins(self._roll_back))
        app.action(page.CHANNEL_ACTION)(self._on_channel)
        app.action(page.CHANNEL_EDIT_ACTION)(self._on_channel)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Nothing of it waits."""
        return {}

    # Bolt reads the names of a listener's parameters.

    def _for_admins(
        self,
        do: Callable[[str, Mapping[str, Any]], str],
        turn: Callable[[Opened, Mapping[str, Any]], Opened] = lambda opened, _action: opened,
    ) -> Callable[[Ack, dict[str, Any]], None]:
        """Make a listener that does something for an admin and shows the page with what came of it."""

        def listener(ack: Ack, body: dict[str, Any]) -> None:
            ack()
            user, action, at = str(body["user"]["id"]), body["actions"][0], self.now()
            if not admins_of(self.parts).is_admin(user):
                logger.warning("%s is no admin and pressed %s", user, action.get("action_id"))
                # Whoever is none any more still has this side before them.
                HomePage(parts=self.parts).publish(user, notice=words.ADMINS_ONLY, at=at)
                return
            opened = Opened.parse(str((body.get("view") or {}).get("private_metadata") or ""))
            done, pressed = do(user, action), str(action.get("value") or "")
            self.publish(user, notice=done, notice_at=pressed, opened=turn(opened, action), at=at)

        return listener

    def _on_channel(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        action = body["actions"][0]
        channel = str(action.get("selected_conversation") or action.get("value") or "")
        open_channel_form(self.parts, str(body["trigger_id"]), channel, str(body["user"]["id"]), from_home=True)

    def _on_read(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        user, action = str(body["user"]["id"]), body["actions"][0]
        note = self._note(user, action) if admins_of(self.parts).is_admin(user) else None
        if note is None:
            self.publish(user, notice=words.ADMIN_GONE)
            return
        trigger = str(body["trigger_id"])
        try:
            self.parts.delivery.call(
                "views.open", wait_seconds=0.0, trigger_id=trigger, view=home_review.note_view(note)
            )
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the files of note %d were not shown: %s", note.id, error)

    def _sync(self, user: str, action: Mapping[str, Any]) -> str:
        found = self._source(user, action)
        if found is None:
            return words.ADMIN_GONE
        ask_reading(self.parts, user, [found.id])
        begins = run_soon(self.parts.engine, f"sync:{found.id}")
        AUDIT.info("%s has the source %s read now", user, found.id)
        return words.reading_soon(found.name) if begins else words.reading_now(found.name)

    def _pause(self, user: str, action: Mapping[str, Any], *, paused: bool) -> str:
        found = self._source(user, action)
        if found is None:
            return words.ADMIN_GONE
        pause_source(self.parts.engine, found.id, paused=paused)
        AUDIT.info("%s %s the source %s", user, "paused" if paused else "resumed", found.id)
        return words.paused(found.name) if paused else words.resumed(found.name)

    def _release(self, user: str, action: Mapping[str, Any]) -> str:
        found = self._source(user, action)
        count = release_held(self.parts.engine, found.id) if found else 0
        if found is None or not count:
            return words.ADMIN_GONE
        AUDIT.info("%s let in %d held documents of the source %s", user, count, found.id)
        return words.released(found.name, count)

    def _discard(self, user: str, action: Mapping[str, Any]) -> str:
        found = self._source(user, action)
        count = discard_held(self.parts.engine, found.id) if found else 0
        if found is None or not count:
            return words.ADMIN_GONE
        AUDIT.info("%s discarded %d held documents of the source %s", user, count, found.id)
        return words.discarded(found.name, count)

    def _source(self, user: str, action: Mapping[str, Any]) -> _Pressed | None:
        """The source that was pressed, where this admin may read it."""
        source = tables.source
        readable = sorted(self.reader.audience(user).readable)
        query = sa.select(source.c.id, source.c.name)
        query = query.where(source.c.id == action.get("value"), source.c.audience.in_(readable))
        with reading(self.parts.engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _Pressed(id=row.id, name=one_line(row.name, _LONGEST_NAME) or words.UNTITLED)

    def _approve(self, user: str, action: Mapping[str, Any]) -> str:
        note = self._note(user, action)
        if note is None:
            return words.ADMIN_GONE
        if self.parts.home is None:
            return words.ADMIN_NO_FOLDER
        author = name_of(self.parts, note.user)
        try:
            source = approve_note(self.parts.engine, self.parts.home, note, by=user, now=self.now(), author=author)
        except OSError:
            logger.exception("note %d could not be written", note.id)
            return words.ADMIN_NO_FOLDER
        if source is None:
            return words.ADMIN_GONE
        AUDIT.info("%s approved note %d", user, note.id)
        ask_reading(self.parts, user, [source.id])
        self._read_now(source.name, source.id)
        return words.ADMIN_NOTE_APPROVED

    def _reject(self, user: str, action: Mapping[str, Any]) -> str:
        note = self._note(user, action)
        done = note is not None and reject_note(self.parts.engine, note.id, by=user, now=self.now())
        if note is None or not done:
            return words.ADMIN_GONE
        AUDIT.info("%s rejected note %d", user, note.id)
        return words.ADMIN_NOTE_REJECTED

    def _remove_curated(self, user: str, action: Mapping[str, Any]) -> str:
        found = next((one for one in self.reader.curated(user) if str(one.id) == action.get("value")), None)
        done = found is not None and remove_curated(self.parts.engine, found.id)
        if found is None or not done:
            return words.ADMIN_GONE
        AUDIT.info("%s removed the standing answer %d", user, found.id)
        return words.ADMIN_CURATED_REMOVED

    def _promote(self, user: str, action: Mapping[str, Any]) -> str:
        name = str(action.get("value") or "")
        try:
            promote(self.parts.engine, name, by=user, why=_PRESSED)
        except VersionError as error:
            logger.info("%s could not promote: %s", user, error)
            return version_words.VERSION_CHANGED
        AUDIT.info("%s put version %s in service", user, name)
        return version_words.VERSION_PROMOTED.format(name=name)

    def _roll_back(self, user: str, action: Mapping[str, Any]) -> str:
        try:
            done = roll_back(self.parts.engine, by=user, why=_PRESSED, of=str(action.get("value") or ""))
        except VersionError as error:
            logger.info("%s could not roll back: %s", user, error)
            return version_words.VERSION_CHANGED
        AUDIT.info("%s rolled version %s back", user, done.left)
        now = done.now or version_words.VERSIONS_BASE
        return version_words.VERSION_ROLLED_BACK.format(left=done.left, now=now[:1].upper() + now[1:])

    def _note(self, user: str, action: Mapping[str, Any]) -> SavedNote | None:
        """The note that was pressed, where it still waits as it was shown and this admin may read it."""
        audience = self.reader.audience(user)
        notes = pending_notes(self.parts.engine, self.parts.team)
        found = (note for note in notes if home_review.note_value(note) == action.get("value"))
        return next((note for note in found if audience.may_read(note.audience)), None)

    def _read_now(self, name: str, source_id: str) -> None:
        """Have a source read at once; the schedule does it where there is no other way, or where it failed."""
        run_soon(self.parts.engine, f"sync:{source_id}")
        sync = self.parts.equipment.sync
        if sync is None:
            return

        def work() -> None:
            try:
                sync(name)
            except (BotError, KnowledgeError, ModelError) as error:
                logger.warning("%s could not be read at once: %s", name, error)

        threading.Thread(target=work, name="read-saved", daemon=True).start()

    def publish(
        self,
        user: str,
        *,
        notice: str = "",
        notice_at: str = "",
        opened: Opened = Opened(),  # noqa: B008  frozen
        at: datetime | None = None,
    ) -> None:
        """Show one admin the page as it is now, with what came of a press, at the source that was pressed.

        `at` is when they wished for it, where that was before this call.
        """
        shown = Shown(at=at or self.now(), side=opened.as_metadata)
        content = replace(self.reader.load(user, opened), notice=notice, notice_at=notice_at)
        try:
            publish_home(self.parts, user, page.admin_view(content, now=self.now()), shown)
        except SlackRefusedError as error:
            if not content.picture:
                raise
            logger.warning("the page is shown without its picture: %s", error)
            publish_home(self.parts, user, page.admin_view(replace(content, picture=""), now=self.now()), shown)

    def publish_channels(self, user: str) -> None:
        """Show one admin the part about channels as it is now."""
        self.publish(user, opened=Opened(part="channels"))

    def renew(self, user: str) -> None:
        """Bring the page that a person sees up to date, whichever side that is; no newer wish is undone by that."""
        shown = self.parts.shown.of(user)
        if shown is None:
            return
        if shown.side and admins_of(self.parts).is_admin(user):
            self.publish(user, opened=Opened.parse(shown.side), at=shown.at)
        else:
            HomePage(parts=self.parts).publish(user, at=shown.at)


def _turned(opened: Opened, action: Mapping[str, Any]) -> Opened:
    """Where a press on a part's name, or on more sources, leads to."""
    name, value = str(action.get("action_id") or ""), str(action.get("value") or "")
    if name.startswith(page.PART_ACTION):
        return Opened.parse(name.removeprefix(f"{page.PART_ACTION}_"))
    return replace(opened, first=int(value) if value.isdecimal() else 0)


def admin_page(parts: TeamParts) -> AdminPage:
    """The admins' side of one team's home page."""
    return AdminPage(parts=parts, reader=AdminReader(parts=parts, picture=Picture(parts)))
