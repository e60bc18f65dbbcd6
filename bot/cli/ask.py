"""`lorekeeper ask`: one question through ANSWER, as the bot would answer it."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, plain, print_json, question_text
from bot.cli.reader import Reader, reader_options
from bot.words import citation_facts

if TYPE_CHECKING:
    from bot.app import Application
    from bot.turn import Answer, AnswerEvent, Citation, Incoming

TEAM = "terminal"
# As many as fit a prompt anyway; the prompt takes what its budget allows.
_HISTORY_TURNS = 20


@click.command()
@click.argument("question")
@click.option("--thread", "key", metavar="KEY", help="Continue, or begin, the conversation of this name.")
@reader_options
@json_option
@click.pass_obj
def ask(
    invocation: Invocation,
    question: str,
    key: str | None,
    user: str | None,
    channel: str | None,
    as_json: bool,
) -> None:
    """Answer QUESTION from what is known, with sources.

    `-` reads the question from stdin.
    """
    text = question_text(question)
    reader = Reader(user=user, channel=channel)
    incoming = _incoming(text, reader, key or uuid.uuid4().hex[:8])
    with invocation.application(with_generator=True) as application:
        answer = _answer(application, incoming, reader, watched=not as_json and sys.stdout.isatty())
    if as_json:
        print_json(_row(answer))
    else:
        click.echo(_page(answer, incoming.thread_ts))


def _answer(application: Application, incoming: Incoming, reader: Reader, *, watched: bool) -> Answer:
    from bot.conversation import load_history, save_answer, save_user_turn
    from knowledge.document import Question

    history = load_history(
        application.engine,
        incoming.conversation,
        _HISTORY_TURNS,
        audience=reader.audience,
        before=incoming.ts,
    )
    question = Question(text=incoming.text, history=history)
    events = application.answering.answer(question, reader.audience)
    answer = _finish(_show(events) if watched else events)
    # Both are kept together: a question that failed here is asked again, not continued.
    save_user_turn(application.engine, incoming)
    save_answer(application.engine, incoming, answer)
    return answer


def _incoming(text: str, reader: Reader, key: str) -> Incoming:
    from bot.turn import Incoming

    return Incoming(
        team=TEAM,
        channel=reader.place,
        channel_kind="im" if reader.channel is None else "private",
        user=reader.name,
        ts=f"{time.time():.6f}",
        thread_ts=key,
        text=text,
        mentioned=True,
    )


def _finish(events: Iterator[AnswerEvent]) -> Answer:
    from bot.turn import Done

    *_, last = events
    if not isinstance(last, Done):
        raise TypeError(f"ANSWER ended with {type(last).__name__}, not with Done")
    return last.answer


def _show(events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
    """Show the text while it is written; it goes away again, because the finished answer may differ."""
    from rich.live import Live
    from rich.text import Text

    from bot.turn import Delta, Status

    written = ""
    with Live(transient=True, refresh_per_second=12, vertical_overflow="visible") as live:
        for event in events:
            if isinstance(event, Delta):
                written += event.text
                live.update(Text(plain(written)))
            elif isinstance(event, Status) and not written:
                live.update(Text(event.text, style="dim"))
            yield event


def _row(answer: Answer) -> dict[str, object]:
    return {
        "answer": answer.text,
        "citations": [_cited(one) for one in answer.citations],
        "note": answer.note,
        "abstained": answer.abstained,
        "version": answer.version,
        "seconds": asdict(answer.seconds),
        "tokens": asdict(answer.tokens),
    }


def _cited(citation: Citation) -> dict[str, object]:
    facts = {"dated": citation.dated, "owner": citation.owner, "trust": citation.trust}
    return {"n": citation.n, "uri": citation.uri, "title": citation.title, **facts}


def _page(answer: Answer, key: str | None) -> str:
    from knowledge.lines import at_passage

    lines = [plain(answer.text)]
    lines += ["", plain(answer.note)] if answer.note else []
    sources = answer.nearest if answer.abstained else answer.citations
    if sources:
        lines += ["", "Nearest sources:" if answer.abstained else "Sources:"]
        for one in sources:
            facts = citation_facts(one.trust, plain(one.owner), one.dated)
            shown = click.style(f" · {facts}", dim=True) if facts else ""
            address = at_passage(one.uri, uri=one.uri, line=one.line, header=one.header, quote=one.quote)
            lines.append(f"  {one.n}. {plain(one.header or one.title)}{shown}  {plain(address)}")
    time_taken = f"{answer.seconds.total:.1f} s, {answer.version}"
    lines += ["", click.style(f"{time_taken}; continue with: --thread {key}", dim=True)]
    return "\n".join(lines)
