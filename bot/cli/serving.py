"""Runs the bot with its schedule until somebody ends it; what `run` and `playground` have in common."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from bot.app import Application
    from bot.equipment import Equipment
    from bot.settings import Secret, Settings
    from bot.slack.gateway import SlackBot, SlackOptions


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
    from bot.equipment import Equipment
    from bot.sync import sync_now

    with application.parser() as parser:
        yield Equipment(
            embedder=application.library.embedder,
            parser=parser,
            generator=application.generator,
            sync=lambda name: sync_now(application, name),
        )


@contextmanager
def scheduling(application: Application) -> Iterator[None]:
    """Read sources again at their intervals while the block runs."""
    from bot.jobs import Schedule
    from bot.memory import memory_job
    from bot.notes import notes_job
    from bot.sync import sync_jobs

    stopping = threading.Event()
    try:
        # The short ones first: a reading may take long.
        short = (memory_job(application.engine), notes_job(application.engine, application.settings.home))
        with Schedule(application.engine, lambda: (*short, *sync_jobs(application, stopping))):
            yield
            stopping.set()
    finally:
        stopping.set()


def slack_options(settings: Settings, bot_token: Secret, app_token: Secret, api_url: str) -> SlackOptions:
    """The settings of the connection, as the gateway takes them."""
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
        home=settings.home,
    )


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
