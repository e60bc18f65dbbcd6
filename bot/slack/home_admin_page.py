"""Shows admins the other side of the home page, and does what they press there; who they are is asked at every step."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import words
from bot.answer import Answering
from bot.channels import list_channels
from bot.chart import draw_votes
from bot.curated import Curated, list_curated, remove_curated
from bot.errors import BotError, SlackRefusedError, SlackSilentError, VersionError
from bot.inbox import Kind, Lease
from bot.jobs import run_soon
from bot.learn import version_words
from bot.learn.advise import Advice
from bot.learn.alerts import list_alerts
from bot.learn.board import read_board
from bot.learn.gap_rows import find_asked
from bot.learn.topics import Topic, TopicQuestion, visible
from bot.learn.versions import list_versions, promote, roll_back
from bot.memory import people_without_memory
from bot.notes import SavedNote, approve_note, pending_notes, reject_note
from bot.overview import Unanswered, WeekVotes, queue_state, unanswered, votes_by_week
from bot.slack import home_admin as page
from bot.slack import home_sources
from bot.slack.admins import AUDIT, admins_of
from bot.slack.channel_config import open_channel_form
from bot.slack.features import TeamParts
from bot.slack.gaps import quoting
from bot.slack.gate import reach_of
from bot.slack.home import ADMIN_ACTION, HomePage, HomeSource, load_home, publish_home, state_of
from bot.slack.home_admin import Opened
from bot.slack.people_names import name_of
from bot.slack.profiles import is_open
from bot.slack.readings import ask_reading
from bot.slack.shown import Shown
from bot.slack.upload import upload
from bot.slack.view_parts import one_line
from bot.threshold import Threshold
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.errors import KnowledgeError
from knowledge.held import held_counts, held_titles
from knowledge.store import discard_held, pause_source, release_held, source_runs
from models.errors import ModelError

logger = logging.getLogger(__name__)

# Looked at for the few that are shown: some stand in places that an admin may not read.
_CANDIDATES, _MOST_PLACES = 60, 20
_RUNS_SHOWN = 8
_PRESSED = "pressed on the home page"
_ALERTS_SHOWN = timedelta(days=14)
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class _Pressed:
    """The source whose button was pressed."""

    id: str
    name: str
    """As it may be shown."""


class Picture:
    """The picture of the votes: drawn and uploaded once a day, where the app may upload; thread-safe."""

    def __init__(self, parts: TeamParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._day: date | None = None
        self._file = ""

    def of(self, weeks: tuple[WeekVotes, ...], today: date) -> str:
        """The id of today's picture; empty where there is none."""
        with self._lock:
            if self._day == today:
                return self._file
            before, self._file = self._file, self._upload(weeks, today)
            self._day = today
        if before:
            self._delete(before)
        return self._file

    def _upload(self, weeks: tuple[WeekVotes, ...], today: date) -> str:
        summary = words.admin_votes(sum(week.good for week in weeks), sum(week.bad for week in weeks))
        try:
            content = draw_votes(weeks, words.GOOD_ANSWERS, words.BAD_ANSWERS)
            name = f"lorekeeper-votes-{today.isoformat()}.png"
            return upload(
                self._parts.client, name=name, content=content, title=words.ADMIN_VOTES_TITLE, alt_text=summary
            )
        except (SlackRefusedError, SlackSilentError) as error:
            logger.info("votes are shown without a picture: %s", error)
            return ""

    def _delete(self, file: str) -> None:
        try:
            self._parts.delivery.call("files.delete", wait_seconds=0.0, file=file)
        except (SlackRefusedError, SlackSilentError) as error:
            logger.info("yesterday's picture stays: %s", error)


@dataclass(frozen=True, kw_only=True)
class AdminPage:
    """The admins' side of the home page; may be called from several threads."""

    parts: TeamParts
    picture: Picture
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
        app.action(page.APPROVE_ACTION)(self._for_admins(self._approve))
        app.action(page.REJECT_ACTION)(self._for_admins(self._reject))
        app.action(page.READ_ACTION)(self._on_read)
        app.action(page.CURATED_ACTION)(self._for_admins(self._remove_curated))
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
            self.parts.delivery.call("views.open", wait_seconds=0.0, trigger_id=trigger, view=page.note_view(note))
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
        readable = sorted(self._audience(user).readable)
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
        found = next((one for one in self._curated(user) if str(one.id) == action.get("value")), None)
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

    def _curated(self, user: str) -> list[Curated]:
        """The standing answers that this admin may read."""
        audience = self._audience(user)
        return [one for one in list_curated(self.parts.engine) if audience.may_read(one.audience)]

    def _note(self, user: str, action: Mapping[str, Any]) -> SavedNote | None:
        """The note that was pressed, where it still waits as it was shown and this admin may read it."""
        audience = self._audience(user)
        notes = pending_notes(self.parts.engine, self.parts.team)
        found = (note for note in notes if page.note_value(note) == action.get("value"))
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
        content = replace(self.load(user, notice, opened), notice_at=notice_at)
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

    def load(self, user: str, notice: str = "", opened: Opened = Opened()) -> page.AdminContent:  # noqa: B008  frozen
        """Read what this admin may see of the opened part."""
        now, audience = self.now(), self._audience(user)
        waiting = pending_notes(self.parts.engine, self.parts.team)
        notes = [note for note in waiting if audience.may_read(note.audience)]
        content = page.AdminContent(opened=opened, notice=notice, notes=notes, hidden_notes=len(waiting) - len(notes))
        content = replace(content, waiting={"review": len(notes)})
        match opened.part:
            case "sources":
                return self._with_sources(content, audience, now)
            case "readers":
                return content
            case "answers":
                return self._with_answers(content, now)
            case "questions":
                return self._with_questions(content, user)
            case "review":
                return replace(content, curated=self._curated(user))
            case "channels":
                return replace(content, channels=list_channels(self.parts.engine, self.parts.team))

    def _with_sources(self, content: page.AdminContent, audience: Audience, now: datetime) -> page.AdminContent:
        """The sources of one page, those first that need a look."""
        parts = self.parts
        known = load_home(parts.engine, audience, version="", next_runs=parts.next_runs()).sources
        held = held_counts(parts.engine)
        ordered = sorted(known, key=lambda one: (not held.get(one.id), not one.last_failed, not one.unreadable))
        first = content.opened.first if content.opened.first < len(ordered) else 0
        shown = ordered[first : first + home_sources.MOST_SOURCES]
        failed = _failures(parts.engine, [one.id for one in shown])
        with reading(parts.engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(tables.source)) or 0
        return replace(
            content,
            opened=replace(content.opened, first=first),
            sources=[
                self._admin_source(one, now, audience, failed.get(one.id, ()), held.get(one.id, 0)) for one in shown
            ],
            known_sources=len(known),
            hidden_sources=total - len(known),
        )

    def _admin_source(
        self, source: HomeSource, now: datetime, audience: Audience, failures: Sequence[str], held: int
    ) -> home_sources.AdminSource:
        engine = self.parts.engine
        ended = (run for run in source_runs(engine, source.id, _RUNS_SHOWN) if run.finished_at is not None)
        return home_sources.AdminSource(
            id=source.id,
            name=source.name,
            # The names of those that could not be read stand below.
            state=state_of(replace(source, unreadable=0), now),
            failures=tuple(failures),
            held=held,
            held_titles=held_titles(engine, source.id, audience, home_sources.MOST_NAMED) if held else (),
            paused=source.paused,
            went_well=tuple(run.error is None for run in ended),
        )

    def _with_answers(self, content: page.AdminContent, now: datetime) -> page.AdminContent:
        parts = self.parts
        weeks = votes_by_week(parts.engine, parts.team, now.date())
        return replace(
            content,
            queue=queue_state(parts.engine, parts.team, now),
            weeks=weeks,
            picture=self.picture.of(weeks, now.date()) if any(week.good + week.bad for week in weeks) else "",
            threshold=_threshold(parts),
            versions=read_board(parts.engine) if list_versions(parts.engine) else None,
            alerts=list_alerts(parts.engine, parts.team, now - _ALERTS_SHOWN),
        )

    def _with_questions(self, content: page.AdminContent, user: str) -> page.AdminContent:
        questions, hidden = self._questions(user)
        advice = None if self.parts.equipment.advice is None else self.parts.equipment.advice.current()
        return replace(
            content,
            questions=questions,
            writable=self._writable(questions),
            hidden_questions=hidden,
            advice=advice,
            advises=self.parts.equipment.advice is not None,
            topics=self._topics(user, advice),
        )

    def _questions(self, user: str) -> tuple[list[Unanswered], int]:
        """What this admin may read, and how many there are besides."""
        parts = self.parts
        without = people_without_memory(parts.engine, parts.team) - {user}
        found = unanswered(parts.engine, parts.team, without=without, limit=_CANDIDATES)
        own = parts.memberships.channels_of(user)
        shown: list[Unanswered] = []
        hidden = 0
        seen: dict[str, bool] = {}
        for one in found:
            if len(shown) == page.MOST_QUESTIONS:
                break
            if one.channel not in seen:
                # Each is a question to Slack: there are only so many a minute.
                seen[one.channel] = one.channel in own or (len(seen) < _MOST_PLACES and self._is_open(one.channel))
            if seen[one.channel]:
                shown.append(one)
            else:
                hidden += 1
        return shown, hidden

    def _writable(self, questions: Sequence[Unanswered]) -> frozenset[int]:
        """Those of these questions that may be quoted to everybody."""
        may_quote = quoting(self.parts)
        asked = ((one.answer_id, find_asked(self.parts.engine, one.answer_id)) for one in questions)
        return frozenset(answer_id for answer_id, found in asked if found is not None and may_quote(found[0]))

    def _topics(self, user: str, advice: Advice | None) -> tuple[Topic, ...]:
        """Unanswered topics, named and counted by the questions that this admin may read."""
        if advice is None:
            return ()
        # Asked again now: what was found may be some hours old.
        without = people_without_memory(self.parts.engine, self.parts.team) - {user}
        own, seen = self.parts.memberships.channels_of(user), dict[str, bool]()

        def may_see(question: TopicQuestion) -> bool:
            if question.user in without or (question.visibility != "thread" and question.user != user):
                return False
            if question.channel not in seen:
                asked = len(seen) < _MOST_PLACES
                seen[question.channel] = question.channel in own or (asked and self._is_open(question.channel))
            return seen[question.channel]

        return visible(advice.topics, may_see)

    def _is_open(self, channel: str) -> bool:
        """Tell whether everybody in the workspace may read a channel."""
        return is_open(self.parts.memberships.profiles, channel)

    def _audience(self, user: str) -> Audience:
        return reach_of(self.parts.memberships, self.parts.team, user)


def _turned(opened: Opened, action: Mapping[str, Any]) -> Opened:
    """Where a press on a part's name, or on more sources, leads to."""
    name, value = str(action.get("action_id") or ""), str(action.get("value") or "")
    if name.startswith(page.PART_ACTION):
        return Opened.parse(name.removeprefix(f"{page.PART_ACTION}_"))
    return replace(opened, first=int(value) if value.isdecimal() else 0)


def _failures(engine: sa.Engine, source_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of the documents that could not be read, by source."""
    failure = tables.document_failure
    query = sa.select(failure.c.source_id, failure.c.uri).where(failure.c.source_id.in_(source_ids))
    failed: dict[str, list[str]] = {}
    with reading(engine) as connection:
        for row in connection.execute(query.order_by(failure.c.uri)):
            failed.setdefault(row.source_id, []).append(unquote(row.uri.rstrip("/").rpartition("/")[2]))
    return failed


def _threshold(parts: TeamParts) -> Threshold | None:
    answering = parts.answering
    found = answering.threshold if isinstance(answering, Answering) else None
    return None if found is None else found.current()


def admin_page(parts: TeamParts) -> AdminPage:
    """The admins' side of one team's home page."""
    return AdminPage(parts=parts, picture=Picture(parts))
