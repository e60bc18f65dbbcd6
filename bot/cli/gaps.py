"""`lorekeeper gaps`: what was asked in vain, and who could write it down?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, plain, print_json, print_table, progress_bar, short

if TYPE_CHECKING:
    from bot.learn.gap_rows import AskedQuestion
    from bot.learn.gaps import GapReport, GapTopic, NearDocument
    from bot.settings import Settings

_TERMINAL = "terminal"


@click.command()
@click.option("--days", type=click.IntRange(min=1), default=7, show_default=True, help="Questions of the last days.")
@click.option("--private", is_flag=True, help="Also quote what was asked in private: for your eyes only.")
@json_option
@click.pass_obj
def gaps(invocation: Invocation, days: int, private: bool, as_json: bool) -> None:
    """Say what was asked in vain, by topic, with the nearest documents and who answers for them.

    Quotes what was asked in open channels, as far as Slack can be asked which these are, and counts the rest. The bot
    posts the same each week in the channel of `knowledge.gaps_to`.
    """
    from datetime import UTC, datetime

    from bot.learn.gaps import GapFinder
    from knowledge.audience import Audience

    with invocation.application(invocation.settings_for_reading()) as application, progress_bar() as progress:
        answer, is_open = application.settings.file.answer, _open_places(application.settings)

        def may_quote(question: AskedQuestion) -> bool:
            own = question.team == _TERMINAL
            return private or own or (question.in_the_open and is_open(question.channel))

        finder = GapFinder(
            engine=application.engine,
            library=application.library,
            passages=answer.passages,
            minimum_support=_threshold(application.engine, application.settings),
        )
        report = finder.report(
            datetime.now(UTC), audience=Audience.everyone(), may_quote=may_quote, days=days, progress=progress
        )
    if as_json:
        print_json(_json(report))
    else:
        _print(report)


def _threshold(engine: Any, settings: Settings) -> Callable[[], float]:
    from bot.threshold import LearnedThreshold

    answer = settings.file.answer
    learned = LearnedThreshold(
        engine=engine, setting=answer.minimum_support, learns=answer.threshold_from_votes
    ).current()
    return lambda: learned.value


def _open_places(settings: Settings) -> Callable[[str], bool]:
    """Tell open channels from others by asking Slack; where it cannot be asked, none is open."""
    if not settings.slack_bot_token:
        return lambda _channel: False
    import threading

    from bot.slack.deliver import Delivery
    from bot.slack.gateway import connect_client
    from bot.slack.profiles import Profiles, is_open

    client = connect_client(settings.slack_bot_token, settings.slack_api_url)
    profiles = Profiles(Delivery(client, stopping=threading.Event()), kept_seconds=3600.0)
    known: dict[str, bool] = {}

    def is_open_place(channel: str) -> bool:
        if channel not in known:
            known[channel] = is_open(profiles, channel)
        return known[channel]

    return is_open_place


def _print(report: GapReport) -> None:
    from bot.learn import gap_words

    click.echo(f"{click.style(gap_words.headline(report), bold=True)}\n{gap_words.summary(report)}")
    if report.topics:
        headings = ("topic", "", "asked", "people", "no answer", "bad", "before", "for example", "nearest", "next step")
        print_table(headings, [_row(topic) for topic in report.topics])
    lines = gap_words.changes(report)
    lines += [f"  {short(gap_words.answered_now(one), 200)}" for one in report.answered_now]
    for line in [*lines, *gap_words.rest(report, len(report.topics))]:
        click.echo(plain(line))


def _row(topic: GapTopic) -> tuple[object, ...]:
    from bot.learn import gap_words

    owner = topic.ask.owner if topic.ask is not None else ""
    numbers = (topic.asked, topic.people, topic.unanswered, topic.bad, topic.before)
    example = short(topic.examples[0].text, 90)
    new = gap_words.NEW if topic.is_new else ""
    return (topic.name, new, *numbers, example, gap_words.near(topic), gap_words.advice(topic, owner))


def _json(report: GapReport) -> dict[str, Any]:
    from bot.learn import gap_words

    numbers = ("asked", "unanswered", "bad", "hidden_topics", "hidden_failed", "left_out", "asked_again")
    return {
        "since": report.since,
        "until": report.until,
        **{name: getattr(report, name) for name in numbers},
        "topics": [
            {
                "name": topic.name,
                **{name: getattr(topic, name) for name in ("asked", "people", "unanswered", "bad", "unquoted")},
                "before": topic.before,
                "is_new": topic.is_new,
                "answered_now": topic.answered_now,
                "examples": [_question(one) for one in topic.examples],
                "nearest": [_document(one) for one in topic.nearest],
                "next_step": gap_words.advice(topic, topic.ask.owner if topic.ask is not None else ""),
            }
            for topic in report.topics
        ],
        "answered_now": [
            {**_question(one.question), "document": _document(one.document)} for one in report.answered_now
        ],
    }


def _question(one: AskedQuestion) -> dict[str, Any]:
    return {"answer_id": one.answer_id, "question": one.text}


def _document(one: NearDocument) -> dict[str, str]:
    return {"uri": one.uri, "path": one.path, "source": one.source, "owner": one.owner}
