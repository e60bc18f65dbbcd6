"""Runs the bot with its schedule until somebody ends it; what `run` and `playground` have in common."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from types import FrameType

    import sqlalchemy as sa

    from bot.app import Application
    from bot.equipment import Equipment
    from bot.learn.advise import Advice
    from bot.learn.timing import Learn
    from bot.purge import Removal
    from bot.settings import Settings
    from bot.slack.gateway import SlackBot, SlackOptions
    from knowledge.secret import Secret

_MOST_FAILURES = 300


@contextmanager
def connected(application: Application, options: SlackOptions, link: Callable[[str], str]) -> Iterator[SlackBot]:
    """Connect the bot; it answers while the block runs."""
    from bot.slack.gateway import SlackBot
    from bot.sync import next_runs

    answering = application.answering
    with (
        equipped(application) as equipment,
        SlackBot(
            application.engine,
            answering,
            options,
            link=link,
            version=lambda: answering.generator.version,
            next_runs=lambda: next_runs(application.engine, application.settings),
            equipment=equipment,
        ) as bot,
    ):
        yield bot


@contextmanager
def equipped(application: Application) -> Iterator[Equipment]:
    """What the surfaces in Slack need beside answers; its parser's child ends with the block."""
    from bot.earlier.search import Earlier, EarlierOptions
    from bot.equipment import Equipment
    from bot.learn.gaps import GapFinder
    from bot.learn.latest import LatestAdvice
    from bot.sync import sync_now

    embedder, most = application.library.embedder, application.settings.file.answer.earlier
    with application.parser() as parser:
        yield Equipment(
            embedder=embedder,
            parser=parser,
            generator=application.generator,
            advice=LatestAdvice(lambda: advice_of(application)),
            earlier=Earlier(application.engine, embedder, EarlierOptions(most=most)) if most else None,
            gaps=GapFinder(
                engine=application.engine,
                library=application.library,
                passages=application.settings.file.answer.passages,
                minimum_support=lambda: application.answering.minimum_support,
            ),
            sync=lambda name: sync_now(application, name),
        )


def advice_of(application: Application) -> Advice:
    """Why the answers of the last month failed; the newest few hundred are enough for a page."""
    from datetime import UTC, datetime

    from bot.learn.advise import advise

    answer = application.settings.file.answer
    return advise(
        application.engine,
        application.library,
        datetime.now(UTC),
        passages=answer.passages,
        minimum_support=application.answering.minimum_support,
        limit=_MOST_FAILURES,
    )


@contextmanager
def scheduling(application: Application, learn: Learn | None = None) -> Iterator[None]:
    """Read sources again at their intervals while the block runs, and passages ahead of questions.

    `learn` makes a better version; the settings say whether and when.
    """
    from bot.answer_cache import cache_job
    from bot.earlier.recollect import recollect_job
    from bot.jobs import Job, Schedule
    from bot.learn.canary import canary_job
    from bot.learn.gaps import gaps_job
    from bot.learn.stale import stale_datasets_job
    from bot.learn.watch import watch_job
    from bot.memory import memory_job
    from bot.notes import notes_job
    from bot.sync import sync_jobs
    from bot.timetable import Timetable

    stopping = threading.Event()
    try:
        short: list[Job] = [
            memory_job(application.engine),
            notes_job(application.engine, application.settings.home),
            cache_job(application.engine, application.cache_limits),
            stale_datasets_job(application.engine, application.settings.home),
            watch_job(application.engine, application.settings.file.tuning.alerts_to),
        ]
        knowledge = application.settings.file.knowledge
        if knowledge.gaps_to:
            times = Timetable(cron=knowledge.gaps_at, zone=knowledge.gaps_zone)
            short.append(gaps_job(application.engine, knowledge.gaps_to, times))
        if application.versions is not None:
            short.append(canary_job(application.engine, promotes=application.settings.file.tuning.promote))
        if application.settings.file.answer.earlier:
            short.append(recollect_job(application.engine, application.library.embedder))
        application.library.read_ahead()
        with (
            application.versions or nullcontext(),
            _learning(application, learn),
            # Two of them: a long reading holds up nothing but the next reading.
            Schedule(application.engine, lambda: short),
            Schedule(application.engine, lambda: sync_jobs(application, stopping)),
        ):
            yield
            stopping.set()
    finally:
        stopping.set()


def _learning(application: Application, learn: Learn | None) -> AbstractContextManager[None]:
    from bot.learn.timing import LearnTimes, learning

    tuning = application.settings.file.tuning
    if learn is None or application.versions is None or not tuning.scheduled:
        return nullcontext()
    return learning(application.engine, LearnTimes(hour=tuning.hour, new_rows=tuning.new_rows), learn)


def slack_options(settings: Settings, bot_token: Secret, app_token: Secret, api_url: str) -> SlackOptions:
    """The settings of the connection, as the gateway takes them."""
    from datetime import timedelta

    from bot.slack.gate import GateRules
    from bot.slack.gateway import SlackOptions
    from bot.use_limits import UseLimits

    slack = settings.file.slack
    limits = UseLimits(per_minute=slack.questions_per_minute, per_day=slack.questions_per_day)
    return SlackOptions(
        bot_token=bot_token,
        app_token=app_token,
        api_url=api_url,
        workers=slack.workers,
        update_seconds=slack.update_seconds,
        admins=frozenset(slack.admins),
        escalate_to=slack.escalate_to,
        gate=GateRules(channels=frozenset(slack.channels), limits=limits),
        permissions_hold=timedelta(hours=settings.file.knowledge.permissions_hours),
        home=settings.home,
    )


def finish_removals(engine: sa.Engine, settings: Settings) -> list[Removal]:
    """Purge what a workspace took away, say so, and return which; also what an interruption left behind."""
    from bot.purge import open_removals, purge
    from bot.settings import SLACK_FILE, read_slack_file, write_slack_file

    removals = open_removals(engine)
    for removal in removals:
        removed = purge(engine, removal, settings.home)
        counts = ", ".join(f"{count} {what}" for what, count in removed.items() if count) or "nothing was left"
        click.echo(
            f"The workspace {removal.team} took the app away ({removal.reason}). Everything that came from it is "
            f"removed: {counts}. `lorekeeper purge-check {removal.team}` proves it; install the app again to go on.",
            err=True,
        )
        kept = settings.home / SLACK_FILE
        # The app's own token stays: it belongs to the app and not to the workspace. So does that of another workspace,
        # where this one is the playground.
        if read_slack_file(kept).get("SLACK_BOT_TOKEN") == settings.slack_bot_token.reveal():
            write_slack_file(kept, {"SLACK_BOT_TOKEN": ""})
    return list(removals)


def wait_until_stopped(alive: Callable[[], bool] = lambda: True) -> None:
    """Sleep until Ctrl-C or SIGTERM, or until `alive` says no."""
    never = threading.Event()
    while alive():
        never.wait(1.0)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Make SIGTERM end the block as Ctrl-C does: in order, everything closed. Neither is an error."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
