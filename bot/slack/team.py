"""The bot of one workspace, however its events arrive: intake in front, the inbox behind it, the threads that answer.

The only module that builds a Bolt app. Bolt acknowledges an event when the middleware here returns, and that is
after the event is committed; interactions (buttons, forms) are small and handled at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from slack_bolt import App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot import words
from bot.composing import MOST_ATTEMPTS, Answering, Composing, doing
from bot.conversation import seconds_of_answers
from bot.equipment import Equipment
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import LEASE_SECONDS, FinalState, Inbox, Kind, LaterError, Lease, Waiting
from bot.lanes import Lane, Lanes
from bot.notes import note_links
from bot.purge import Removal, ask_for_removal, removal_of
from bot.runs import Runs
from bot.sending import Sending
from bot.slack.answer_menu import menu_blocks
from bot.slack.back_fill import PAUSE_SECONDS, BackFill
from bot.slack.briefing import Briefing
from bot.slack.channel_watch import ChannelWatch
from bot.slack.context import context_gatherer
from bot.slack.deliver import Delivery, Place
from bot.slack.directory import Directory
from bot.slack.earlier import earlier_recall
from bot.slack.features import Feature, TeamParts, build_features
from bot.slack.gate import GateRules, SlackGate
from bot.slack.intake import Intake
from bot.slack.live import Pace
from bot.slack.membership import Memberships
from bot.slack.render import render_status
from bot.slack.stream import ROLL_SECONDS
from bot.worker import QuestionWorker
from knowledge.database import writing
from knowledge.readers import PERMISSIONS_HOLD, groups_of, usergroups_named

logger = logging.getLogger(__name__)

# Together below the 20 s that a supervisor grants after SIGTERM.
_STOP_PATIENCE_SECONDS = 13.0
_INTERACTION_THREADS = 4
_LOOK_BACK_STOPS_WITHIN = 1.0
# What somebody asked for by a command or a shortcut is not lost with a silent Slack; much later nobody waits for it.
# A weekly report is still read a day later.
_WAITS_FOR_SLACK: Mapping[Kind, timedelta] = {
    "command": timedelta(hours=1),
    "shortcut": timedelta(hours=1),
    "gaps": timedelta(days=2),
}
_LONGEST_PAUSE_SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class TeamOptions:
    """How a team's bot behaves; the settings' values."""

    workers: int = 2
    update_seconds: float = 1.3
    stream_seconds: float = 1.2
    roll_seconds: float = ROLL_SECONDS
    lease_seconds: float = LEASE_SECONDS
    settle_seconds: float = 2.0
    look_back_seconds: float = PAUSE_SECONDS
    """Between two reads while looking for missed questions."""
    admins: frozenset[str] = frozenset()
    escalate_to: str = ""
    gate: GateRules = field(default_factory=GateRules)
    permissions_hold: timedelta = PERMISSIONS_HOLD
    """How long a source's word on who may read what holds."""
    home: Path | None = None


class TeamBot:
    """A running bot of one team; `start` and `stop` belong to one thread, `take` and `app` to any."""

    def __init__(
        self,
        engine: sa.Engine,
        answering: Answering,
        client: WebClient,
        identity: AuthorizeResult,
        options: TeamOptions,
        *,
        link: Callable[[str], str],
        version: Callable[[], str],
        next_runs: Callable[[], Mapping[str, datetime]] = dict,
        equipment: Equipment = Equipment(),  # noqa: B008  it cannot be changed
        at_edge: Callable[[str], None] = lambda _name: None,
        stopping: threading.Event | None = None,
        removed: Callable[[Removal], None] = lambda _removal: None,
    ) -> None:
        link = note_links(engine, options.home, link)
        self._engine = engine
        self._workers = options.workers
        self._removed = removed
        self._stopping = stopping or threading.Event()
        self._runs = Runs()
        self._inbox = Inbox(engine, lease_seconds=options.lease_seconds)
        self._delivery = Delivery(client, stopping=self._stopping)
        groups = partial(groups_of, engine, holds=options.permissions_hold)
        memberships = Memberships(self._delivery, groups=groups, usergroups=partial(usergroups_named, engine))
        directory = Directory(client, stopping=self._stopping)
        self._parts = TeamParts(
            team=str(identity.team_id or identity.enterprise_id or ""),
            bot_user_id=str(identity.bot_user_id),
            engine=engine,
            inbox=self._inbox,
            client=client,
            delivery=self._delivery,
            memberships=memberships,
            directory=directory,
            runs=self._runs,
            answering=answering,
            link=link,
            version=version,
            next_runs=next_runs,
            permissions_hold=options.permissions_hold,
            admins=options.admins,
            escalate_to=options.escalate_to,
            gate=options.gate,
            equipment=equipment,
            home=options.home,
        )
        self._features = build_features(self._parts)
        sending = Sending(
            engine=engine,
            inbox=self._inbox,
            delivery=self._delivery,
            link=link,
            author=str(identity.bot_user_id),
            tail=menu_blocks,
            settle_seconds=options.settle_seconds,
            at_edge=at_edge,
        )
        composing = Composing(
            engine=engine,
            answering=answering,
            sending=sending,
            briefing=build_briefing(self._parts),
            pace=Pace(options.update_seconds, options.stream_seconds),
            runs=self._runs,
            roll_seconds=options.roll_seconds,
        )
        self._worker = QuestionWorker(
            engine=engine,
            inbox=self._inbox,
            composing=composing,
            sending=sending,
            runs=self._runs,
            at_edge=at_edge,
        )
        self._intake = Intake(
            engine=engine,
            inbox=self._inbox,
            runs=self._runs,
            memberships=memberships,
            bot_user_id=str(identity.bot_user_id),
            kind_of=directory.kind_of,
            watch=ChannelWatch(engine=engine, team=self._parts.team, bot_user_id=str(identity.bot_user_id)).heed,
        )
        self._executor = ThreadPoolExecutor(max_workers=_INTERACTION_THREADS, thread_name_prefix="interaction")
        self.app = build_bolt_app(client, identity, self._executor, self._features, self.take)
        self._lanes = Lanes(self._inbox, self._lane_plan(options.workers), announce=self._announce, clear=self._clear)
        self._back_fill = BackFill(
            team=self._parts.team,
            engine=engine,
            intake=self._intake,
            delivery=self._delivery,
            stopping=self._stopping,
            pause_seconds=options.look_back_seconds,
        )
        self._last_kept: datetime | None = None
        self._looking_back: threading.Thread | None = None
        self._started = False

    def start(self) -> None:
        """Begin to answer: what waits from earlier first."""
        self._inbox.prune()
        self._last_kept = self._back_fill.last_kept()
        self._lanes.start()
        self._started = True

    def catch_up(self, since: datetime | None = None) -> None:
        """Look, in the background, for questions that were asked since then, or since the last event before `start`."""
        since = since or self._last_kept
        if since is not None and not self._stopping.is_set():
            self._looking_back = threading.Thread(target=self._look_back, args=(since,), name="look-back", daemon=True)
            self._looking_back.start()

    def _look_back(self, since: datetime) -> None:
        try:
            self._back_fill.run(since)
        except Exception:
            logger.exception("looking for missed questions failed")

    def stop(self) -> None:
        """Take nothing more in and put unfinished questions back; within 15 s."""
        self._stopping.set()
        self._runs.shut_down()
        if self._started:
            self._lanes.stop(patience_seconds=_STOP_PATIENCE_SECONDS)
        if self._looking_back is not None:
            self._looking_back.join(_LOOK_BACK_STOPS_WITHIN)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def take(self, body: Mapping[str, Any]) -> bool:
        """Keep an event; True when it may be acknowledged, and if not, Slack brings it again."""
        if self._stopping.is_set():
            return False
        try:
            if removal := removal_of(body, self._parts.team):
                ask_for_removal(self._engine, removal)
                self._removed(removal)
            else:
                self._intake.accept(body)
        except Exception:
            logger.exception("event %s could not be kept; Slack will bring it again", body.get("event_id"))
            return False
        return True

    def _lane_plan(self, workers: int) -> list[Lane]:
        works: dict[Kind, Callable[[Lease], None]] = {}
        for feature in self._features:
            for kind, work in feature.works().items():
                assert kind not in works, f"two features work off the kind {kind}"
                works[kind] = work

        def work_light(lease: Lease) -> None:
            self._work_light(lease, works[lease.kind])

        questions = Lane(name="answer", kinds=("question", "revision"), threads=workers, work=self._worker.work)
        # A sync or a summary takes minutes: votes and visits do not wait behind it.
        slow = tuple(kind for kind in works if kind in _WAITS_FOR_SLACK)
        light = tuple(kind for kind in works if kind not in slow and kind != "reading")
        return [
            questions,
            Lane(name="light", kinds=light, threads=1, work=work_light),
            Lane(name="slow", kinds=slow, threads=2, work=work_light),
            # It looks every few seconds how far a reading is, which may be one that the slow lane does.
            Lane(name="telling", kinds=("reading",), threads=1, work=work_light),
        ]

    def _work_light(self, lease: Lease, work: Callable[[Lease], None]) -> None:
        """A vote or a visit of the home page: worth a few tries, not a queue."""
        try:
            work(lease)
        except LaterError as later:
            self._inbox.give_back(lease, delay_seconds=later.seconds)
            return
        except SlackSilentError as error:
            age = datetime.now(UTC) - lease.received_at
            if age < _WAITS_FOR_SLACK.get(lease.kind, timedelta(0)):
                logger.info("%s %d waits for Slack: %s", lease.kind, lease.id, error)
                pause = min(_LONGEST_PAUSE_SECONDS, max(1.0, age.total_seconds() / 2))
                self._inbox.give_back(lease, delay_seconds=pause)
                return
            logger.warning("%s %d stays without a reply in Slack: %s", lease.kind, lease.id, error)
        except SlackRefusedError as error:
            logger.warning("%s %d stays without a reply in Slack: %s", lease.kind, lease.id, error)
        except Exception:
            if lease.attempt < MOST_ATTEMPTS:
                raise
            logger.exception("%s %d failed %d times", lease.kind, lease.id, lease.attempt)
            self._finish(lease, "failed")
            return
        self._finish(lease, "done")

    def _finish(self, lease: Lease, state: FinalState) -> None:
        with writing(self._engine) as connection:
            self._inbox.finish(connection, lease, state)

    def _announce(self, waiting: Waiting) -> None:
        place = Place(channel=waiting.channel, thread_ts=waiting.thread_ts)
        measured = seconds_of_answers(self._engine)
        seconds = None if measured is None else measured * waiting.ahead / self._workers
        text = words.waiting_for(waiting.ahead, seconds)
        is_seen = self._delivery.set_status(place, doing(text))
        if waiting.told:
            return
        self._delivery.begin_session(place, waiting.user)
        if not is_seen:
            # Where there are no statuses it is said once: such a message cannot be changed or taken back.
            thread_ts = waiting.thread_ts if waiting.in_thread else None
            self._delivery.whisper_surely(waiting.channel, thread_ts, waiting.user, render_status(text))

    def _clear(self, waiting: Waiting) -> None:
        place = Place(channel=waiting.channel, thread_ts=waiting.thread_ts)
        self._delivery.set_status(place, "")
        self._delivery.end_session(place, closed=True)


def build_briefing(parts: TeamParts) -> Briefing:
    """Who may be answered, for whom, and with what beside the library."""
    gate = SlackGate(team=parts.team, engine=parts.engine, profiles=parts.memberships.profiles, rules=parts.gate)
    context = context_gatherer(parts)
    return Briefing(
        engine=parts.engine,
        memberships=parts.memberships,
        gate=gate,
        context=context,
        recall=earlier_recall(parts),
    )


def build_bolt_app(
    client: WebClient,
    identity: AuthorizeResult,
    executor: ThreadPoolExecutor,
    features: Sequence[Feature],
    take: Callable[[Mapping[str, Any]], bool],
) -> App:
    """Build the Bolt app: events end in `take`, and are acknowledged only where it returns True."""
    # Who we are is known: Bolt need not ask Slack again before the first acknowledgement. It would warn that a token
    # in the environment is not used then, and of every press on a button that only opens a link.
    bolt_logger = logging.getLogger(f"{__name__}.bolt")
    bolt_logger.setLevel(logging.ERROR)
    app = App(client=client, authorize=lambda: identity, listener_executor=executor, logger=bolt_logger)

    @app.middleware
    def keep_before_acknowledging(body: dict[str, Any], next: Callable[[], None]) -> BoltResponse | None:
        if body.get("type") != "event_callback":
            next()
            return None
        return BoltResponse(status=200, body="") if take(body) else BoltResponse(status=503, body="")

    for feature in features:
        feature.listen(app)
    return app
