"""`lorekeeper sources readers` and `lorekeeper sources visible`: who can see what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, plain, print_json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.settings import Settings
    from bot.slack.whereabouts import Whereabouts
    from bot.visible import DocumentReaders
    from knowledge.audience import Audience

_SHOWN_MEMBERS = 20


@click.command()
@click.argument("document")
@json_option
@click.pass_obj
def readers(invocation: Invocation, document: str, as_json: bool) -> None:
    """Tell who may read DOCUMENT: its address, its title, or a part of the title."""
    from bot import words
    from bot.errors import MisuseError
    from bot.visible import find_readers

    settings = invocation.settings_for_reading()
    with invocation.database() as engine:
        found = find_readers(engine, document, holds=_holds(settings))
    if not found:
        raise MisuseError(f"there is no document {document!r}. `lorekeeper sources visible` lists documents.")
    slack = _whereabouts(settings)
    told = [(one, () if slack is None else slack.members_of(one.kind, one.who)) for one in found]
    if as_json:
        print_json({"documents": [asdict(one) | {"people": people} for one, people in told]})
        return
    for one, people in told:
        click.echo(f"{plain(one.title)}  ({plain(one.source)}, {plain(one.uri)})")
        why = "" if one.kind == "nobody" else f" {words.READERS_WHY[one.set_by]}"
        click.echo(f"  {_in_words(one, people)}{why}")


@click.command()
@click.option("--as", "user", metavar="USER", help="The person: their id in Slack, or their e-mail address.")
@click.option("--in", "channel", metavar="CHANNEL", help="The channel (its id); a direct message without it.")
@click.option("--titles", type=click.IntRange(min=0), default=5, show_default=True, help="So many of each source.")
@json_option
@click.pass_obj
def visible(invocation: Invocation, user: str | None, channel: str | None, titles: int, as_json: bool) -> None:
    """List the documents that an answer to a person, or in a channel, may stand on."""
    from bot.channels import load_channel
    from bot.visible import list_visible

    settings = invocation.settings_for_reading()
    slack = _whereabouts(settings)
    with invocation.database() as engine:
        audience, notes = _audience(engine, settings, slack, user, channel)
        place = None if slack is None or channel is None else load_channel(engine, slack.team, channel)
        narrowed = None if place is None else place.sources
        found = list_visible(engine, audience, titles=None if as_json else titles, sources=narrowed)
    if as_json:
        print_json({"audience": sorted(audience.readable), "notes": notes, "sources": [asdict(one) for one in found]})
        return
    for note in notes:
        click.echo(note, err=True)
    if not found:
        click.echo("No document.")
    for one in found:
        click.echo(f"{plain(one.source)}: {one.documents} documents")
        for title in one.titles:
            click.echo(f"  {plain(title)}")
        if titles and one.documents > len(one.titles):
            click.echo(f"  … and {one.documents - len(one.titles)} more; --json lists all.")


def _audience(
    engine: sa.Engine, settings: Settings, slack: Whereabouts | None, user: str | None, channel: str | None
) -> tuple[Audience, list[str]]:
    """Who reads along, and what is not known of them."""
    from knowledge.audience import Audience
    from knowledge.readers import groups_of

    if channel is not None:
        # Everybody in it reads the answer: who asks makes no difference.
        return Audience.of_channel(channel), []
    if user is None:
        return Audience.everyone(), ["Without --as or --in: what everyone may read."]

    def groups(identities: frozenset[str]) -> frozenset[str]:
        return groups_of(engine, identities, holds=_holds(settings))

    if slack is None:
        known = Audience.of_person(user, groups=groups(frozenset({user, user.lower()})))
        unknown = "No Slack token is set: this person's channels, user groups and other names are not known."
        return known, [f"{unknown} Documents that they open are missing here."]
    return slack.audience_of(engine, user, groups)


def _in_words(one: DocumentReaders, people: tuple[str, ...]) -> str:
    known = f": {_listed(people)}" if people else ""
    ways: dict[str, Callable[[], str]] = {
        "everyone": lambda: "Everyone in the workspace.",
        "channel": lambda: f"The members of channel {one.who}{known}. In that channel, and each of them directly.",
        "person": lambda: f"One person alone: {people[0] if people else one.who}.",
        "usergroup": lambda: f"The members of user group {one.who}{known}. Each of them alone.",
        "group": lambda: f"{len(one.members)} people, each of them alone: {_listed(one.members)}.",
    }
    return ways[one.kind]() if one.kind in ways else f"Nobody: {one.reason}."


def _listed(people: tuple[str, ...]) -> str:
    shown = ", ".join(plain(one) for one in people[:_SHOWN_MEMBERS])
    return shown if len(people) <= _SHOWN_MEMBERS else f"{shown} and {len(people) - _SHOWN_MEMBERS} more"


def _holds(settings: Settings) -> timedelta:
    return timedelta(hours=settings.file.knowledge.permissions_hours)


def _whereabouts(settings: Settings) -> Whereabouts | None:
    """What Slack says, where a token is set."""
    from bot.slack.gateway import connect_client
    from bot.slack.whereabouts import Whereabouts

    if not settings.slack_bot_token:
        return None
    return Whereabouts(connect_client(settings.slack_bot_token, settings.slack_api_url))
