"""`lorekeeper advise`: what would help most, documents, syncing, tuning or asking back?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, plain, print_json, progress_bar, short

if TYPE_CHECKING:
    from bot.learn.advise import Advice
    from bot.learn.attribute import Attribution
    from bot.learn.topics import Topic

_BAR = 24
_EXAMPLES, _TOPICS = 2, 10
_LONGEST_QUESTION = 90


@click.command()
@click.option("--days", type=click.IntRange(min=1), default=30, show_default=True, help="Answers of the last days.")
@click.option("--limit", type=click.IntRange(min=1), default=1_000, show_default=True, help="At most so many failures.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into this PNG file.")
@json_option
@click.pass_obj
def advise(invocation: Invocation, days: int, limit: int, plot: Path | None, as_json: bool) -> None:
    """Say why answers failed, and what would help most of them.

    Each answer that was voted down, corrected, asked again, handed to a person, or not found is searched for again.
    """
    from datetime import UTC, datetime

    from bot.learn.advise import advise as look

    with invocation.application() as application, progress_bar() as progress:
        answer = application.settings.file.answer
        advice = look(
            application.engine,
            application.library,
            datetime.now(UTC),
            days=days,
            passages=answer.passages,
            minimum_support=answer.minimum_support,
            limit=limit,
            progress=progress,
        )
    if plot is not None:
        _draw(plot, advice)
    if as_json:
        print_json(_json(advice))
        return
    _print(advice)
    if plot is not None:
        click.echo(f"The picture is in {plot}.", err=True)


def _print(advice: Advice) -> None:
    from bot.learn import words
    from bot.learn.advise import LEAST_FAILURES

    share = advice.failed / advice.answers if advice.answers else 0.0
    click.echo(f"{advice.answers:,} answers in {advice.days} days, {advice.failed:,} failed ({share:.0%}).")
    headline = words.advice_headline(advice.best, advice.failed, LEAST_FAILURES)
    click.echo(f"\n{click.style(headline, bold=True)}")
    if not advice.failed:
        _print_rest(advice)
        return
    if advice.best is not None:
        click.echo(f"  {words.NEXT_STEPS[advice.best]}")
    click.echo(f"  {words.tuning_or_knowledge(advice.knowledge_ahead)}\n")
    for one in advice.levers:
        filled = round(_BAR * one.likely / advice.failed)
        bar = "█" * filled + "·" * (_BAR - filled)
        name = words.LEVER_NAMES[one.lever]
        click.echo(f"  {name:<34}{bar}  {words.lever_line(one.likely, advice.failed, one.low, one.high)}")
        for cause, count in one.by_cause.items():
            click.echo(click.style(f"      {words.CAUSE_NAMES[cause]}: {count:,}", dim=True))
    _print_rest(advice)
    if advice.topics:
        click.echo(f"\n{click.style(words.TOPICS_TITLE, bold=True)}")
    for topic in advice.topics[:_TOPICS]:
        click.echo(f"  {topic.count:>3} × {plain(topic.name)}")
        for question in topic.questions[:_EXAMPLES]:
            click.echo(click.style(f"        {plain(short(question.text, _LONGEST_QUESTION))}", dim=True))
    if len(advice.topics) > _TOPICS:
        rest = advice.topics[_TOPICS:]
        click.echo(f"  and {len(rest):,} more topics with {sum(topic.count for topic in rest):,} questions (--json)")


def _print_rest(advice: Advice) -> None:
    from bot.learn import words

    if said := words.unexplained(advice.unknown, advice.left_out):
        click.echo(f"  {said}")


def _json(advice: Advice) -> dict[str, Any]:
    return {
        "days": advice.days,
        "answers": advice.answers,
        "failed": advice.failed,
        "unknown": advice.unknown,
        "left_out": advice.left_out,
        "best": advice.best,
        "knowledge_ahead": round(advice.knowledge_ahead, 4),
        "levers": [
            {
                "lever": one.lever,
                "count": one.count,
                "likely": round(one.likely, 2),
                "low": one.low,
                "high": one.high,
                "by_cause": dict(one.by_cause),
            }
            for one in advice.levers
        ],
        "topics": [_topic(topic) for topic in advice.topics],
        "answers_looked_at": [_attribution(one) for one in advice.attributions],
    }


def _topic(topic: Topic) -> dict[str, Any]:
    questions = [{"answer_id": one.answer_id, "question": one.text} for one in topic.questions]
    return {"name": topic.name, "count": topic.count, "questions": questions}


def _attribution(one: Attribution) -> dict[str, Any]:
    return {
        "answer_id": one.failure.answer_id,
        "question": one.failure.question.text,
        "version": one.failure.version,
        "signs": list(one.failure.signs),
        "cause": one.cause,
        "confidence": round(one.confidence, 3),
        "shares": {cause: round(share, 3) for cause, share in one.shares.items()},
        "evidence": list(one.reasons),
    }


def _draw(path: Path, advice: Advice) -> None:
    from bot.learn import words
    from bot.learn.panels import Bar, draw_bars

    bars = [
        Bar(
            label=words.LEVER_NAMES[one.lever],
            value=one.likely,
            low=one.low,
            high=one.high,
            note=f"{one.likely:.0f} ({one.low:.0f} to {one.high:.0f})",
        )
        for one in advice.levers
    ]
    title = f"What would help the {advice.failed:,} answers that failed in {advice.days} days"
    draw_bars(title, bars, path)
