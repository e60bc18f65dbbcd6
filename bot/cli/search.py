"""`lorekeeper search`: the passages that an answer would be made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, plain, print_json, question_text
from bot.cli.reader import Reader, reader_options

if TYPE_CHECKING:
    from knowledge.document import Passage

_SHOWN_CHARACTERS = 300


@click.command()
@click.argument("question")
@click.option("-k", "count", type=click.IntRange(1, 100), default=10, show_default=True, help="How many.")
@reader_options
@json_option
@click.pass_obj
def search(
    invocation: Invocation, question: str, count: int, user: str | None, channel: str | None, as_json: bool
) -> None:
    """Find the passages that fit QUESTION best.

    `-` reads the question from stdin.
    """
    from knowledge.document import Question

    text = question_text(question)
    reader = Reader(user=user, channel=channel)
    with invocation.application() as application:
        found = application.library.retrieve(Question(text=text), reader.audience, count)
    if as_json:
        print_json({"passages": [_row(passage) for passage in found.passages], "seconds": asdict(found.seconds)})
        return
    for number, passage in enumerate(found.passages, 1):
        click.echo(_block(number, passage))
    if not found.passages:
        click.echo("Nothing found. `lorekeeper sources list` shows what is known.", err=True)


def _row(passage: Passage) -> dict[str, object]:
    return {
        "id": passage.id,
        "uri": passage.uri,
        "line": passage.line,
        "title": passage.title,
        "text": passage.text,
        "score": round(passage.score, 6),
    }


def _block(number: int, passage: Passage) -> str:
    from knowledge.lines import at_passage

    words = " ".join(plain(passage.text).split())
    shown = words if len(words) <= _SHOWN_CHARACTERS else f"{words[:_SHOWN_CHARACTERS].rsplit(' ', 1)[0]} …"
    heading = click.style(plain(passage.header or passage.title), bold=True)
    address = at_passage(passage.uri, uri=passage.uri, line=passage.line, header=passage.header, quote=passage.text)
    return f"{number}. {heading}  ({passage.score:.2f})\n   {plain(address)}\n   {shown}\n"
