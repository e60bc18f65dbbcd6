"""`lorekeeper history`: what was asked and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, plain, print_json, print_table, short
from bot.words import citation_facts

if TYPE_CHECKING:
    from bot.history import SpokenTurn


@click.command()
@click.argument("conversation", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many to list.")
@json_option
@click.pass_obj
def history(invocation: Invocation, conversation: str | None, limit: int, as_json: bool) -> None:
    """List the newest conversations, or show one of them.

    CONVERSATION is its name or its key.
    """
    from bot.history import find_conversation, list_conversations, read_conversation

    with invocation.database() as engine:
        if conversation is not None:
            turns = read_conversation(engine, find_conversation(engine, conversation))
            _print_turns(turns, as_json)
            return
        conversations = list_conversations(engine, limit)
    if as_json:
        print_json({"conversations": [asdict(one) for one in conversations]})
        return
    rows = [
        (one.conversation, one.turns, ", ".join(one.people), moment(one.last_at), short(one.first_question))
        for one in conversations
    ]
    print_table(("conversation", "turns", "people", "last", "first question"), rows)


def _print_turns(turns: tuple[SpokenTurn, ...], as_json: bool) -> None:
    if as_json:
        print_json({"turns": [asdict(one) for one in turns]})
        return
    for turn in turns:
        who = turn.user or f"Lorekeeper ({turn.version})"
        click.echo(click.style(f"{who}, {moment(turn.created_at)}", bold=True))
        click.echo(plain(turn.text))
        for citation in turn.citations:
            facts = citation_facts(citation.trust, plain(citation.owner), citation.dated)
            shown = click.style(f" · {facts}", dim=True) if facts else ""
            click.echo(f"  {citation.n}. {plain(citation.title)}{shown}  {plain(citation.uri)}")
        if turn.votes:
            click.echo(f"  votes: {sum(vote > 0 for vote in turn.votes)} 👍 {sum(vote < 0 for vote in turn.votes)} 👎")
        click.echo()
