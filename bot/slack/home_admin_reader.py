"""Reads what one admin may see of their side of the home page: counts of everything, names of what they may read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote

import sqlalchemy as sa

from bot import words
from bot.answer import Answering
from bot.channels import list_channels
from bot.chart import draw_votes
from bot.curated import Curated, list_curated
from bot.errors import SlackRefusedError, SlackSilentError
from bot.learn.advise import Advice
from bot.learn.alerts import list_alerts
from bot.learn.board import read_board
from bot.learn.gap_rows import find_asked
from bot.learn.topics import Topic, TopicQuestion, visible
from bot.learn.versions import list_versions
from bot.memory import people_without_memory
from bot.notes import pending_notes
from bot.overview import Unanswered, WeekVotes, queue_state, unanswered, votes_by_week
from bot.slack import home_admin as page
from bot.slack import home_sources
from bot.slack.features import TeamParts
from bot.slack.gaps import quoting
from bot.slack.gate import reach_of
from bot.slack.home import HomeSource, load_home, state_of
from bot.slack.home_admin import Opened
from bot.slack.profiles import is_open
from bot.slack.upload import upload
from bot.threshold import Threshold
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.held import held_counts, held_titles
from knowledge.store import source_runs

logger = logging.getLogger(__name__)

# Looked at for the few that are shown: some stand in places that an admin may not read.
_CANDIDATES, _MOST_PLACES = 60, 20
_RUNS_SHOWN = 8
_ALERTS_SHOWN = timedelta(days=14)


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
class AdminReader:
    """Reads one part of the page for one admin."""

    parts: TeamParts
    picture: Picture
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def load(self, user: str, opened: Opened) -> page.AdminContent:
        """Read what this admin may see of the opened part."""
        now, audience = self.now(), self.audience(user)
        waiting = pending_notes(self.parts.engine, self.parts.team)
        notes = [note for note in waiting if audience.may_read(note.audience)]
        content = page.AdminContent(opened=opened, notes=notes, hidden_notes=len(waiting) - len(notes))
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
                return replace(content, curated=self.curated(user))
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

    def curated(self, user: str) -> list[Curated]:
        """The standing answers that this admin may read."""
        audience = self.audience(user)
        return [one for one in list_curated(self.parts.engine) if audience.may_read(one.audience)]

    def audience(self, user: str) -> Audience:
        """What this admin may read themselves."""
        return reach_of(self.parts.memberships, self.parts.team, user)


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
