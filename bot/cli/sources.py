"""`lorekeeper sources`: where knowledge comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import in_minutes, json_option, moment, print_json, print_table
from bot.cli.times import changed_times, times_options
from bot.cli.visible import readers, visible
from knowledge.priors import TRUSTS, Trust

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.jobs import JobState
    from knowledge.store import SourceStatus, StoredSource, Times

_SHOWN_FAILURES = 10


@click.group()
def sources() -> None:
    """Add, list or remove the places documents come from."""


sources.add_command(readers)
sources.add_command(visible)


@sources.command()
@click.argument("location")
@click.option(
    "--kind",
    type=click.Choice(
        ("files", "git", "web", "sql", "feed", "github", "drive", "notion", "confluence", "jira", "slack")
    ),
    help="What it is, where LOCATION does not tell.",
)
@click.option("--name", help="How people will see it; the last part of the location unless given.")
@click.option(
    "--audience",
    default="everyone",
    show_default=True,
    help="Who may read it: everyone, channel:ID, usergroup:ID or person:ID.",
)
@click.option("--credential", metavar="NAME", help="What opens it: kept with `lorekeeper credentials set NAME`.")
@click.option("--code", is_flag=True, help="Read source code and configuration, too, of a folder or repository.")
@times_options
@click.option(
    "--trust",
    type=click.Choice(TRUSTS),
    default="usual",
    show_default=True,
    help="Which of two sources that say about the same comes first.",
)
@json_option
@click.pass_obj
def add(
    invocation: Invocation,
    /,
    location: str,
    kind: str | None,
    name: str | None,
    audience: str,
    credential: str | None,
    code: bool,
    trust: Trust,
    as_json: bool,
    **times: Any,
) -> None:
    """Add LOCATION, after reading one document of it.

    \b
    a folder or file   path/to/docs
    git repository     https://example.com/team/handbook.git, git@example.com:team/handbook.git, or
                       a folder with --kind git; #BRANCH or #BRANCH:FOLDER behind it names a part
    web site           https://docs.example.com/handbook/: the pages at that address and below
    database           faq.sql.toml, a file that tells how rows become documents (--kind sql)
    news feed          https://blog.example.com/feed.xml (else with --kind feed)
    GitHub             https://github.com/OWNER/REPOSITORY/issues or /discussions
    Confluence         https://example.atlassian.net/wiki/spaces/TEAM (elsewhere --kind confluence)
    Jira               https://example.atlassian.net/browse/TEAM (elsewhere with --kind jira)
    Google Drive       https://drive.google.com/drive/folders/ID
    Notion             https://www.notion.so/...: a page, a database or all that is shared
    Slack channel      slack:C0123ABCD; off until the settings switch it on

    Services, private repositories and pages behind a sign-in need a --credential: a token, USER:TOKEN, EMAIL:API_TOKEN
    for Atlassian's cloud, or the JSON key of a service account for Drive. The guide says for each where to get it.
    """
    from bot.app import open_parser
    from bot.channel_ledger import KIND, SCHEME
    from bot.credentials import open_credential
    from bot.sync import COPIES_FOLDER, no_copy_left, timetable
    from knowledge.sources import SourcePlace, kind_of, open_source, whole_location
    from knowledge.sources.source import NO_SECRET
    from knowledge.store import Times, add_source, source_id, try_source

    asked = changed_times(Times(), times)
    if kind == KIND or (kind is None and location.startswith(SCHEME)):
        if audience != "everyone" or credential:
            raise click.UsageError("a channel is for its own members and opens with the bot's token: leave that out")
        _add_channel(invocation, location, name=name, times=asked, trust=trust, as_json=as_json)
        return
    kind = kind or kind_of(location)
    place, settings = whole_location(kind, location), invocation.settings()
    timetable(asked, settings)
    added_id = source_id(kind, place)
    with invocation.database() as engine, no_copy_left(engine, settings.home, added_id):
        with open_parser(settings.file) as parser:
            opened = SourcePlace(
                id=added_id,
                location=place,
                audience=audience,
                keep=settings.home / COPIES_FOLDER,
                secret=open_credential(engine, settings, credential) if credential else NO_SECRET,
                code=code,
            )
            tried = try_source(open_source(kind, opened), parser)
        added = add_source(
            engine,
            kind=kind,
            location=place,
            audience=audience,
            name=name,
            times=asked,
            trust=trust,
            credential=credential,
            code=code,
        )
    if as_json:
        print_json(asdict(added))
        return
    click.echo(f"Added {added.name!r} ({added.id}); its document {tried.title!r} can be read.")
    click.echo("`lorekeeper sync` reads it now.")


def _add_channel(
    invocation: Invocation, location: str, *, name: str | None, times: Times, trust: Trust, as_json: bool
) -> None:
    from bot.channel_ledger import KIND, SCHEME
    from bot.slack.channel_kind import NOTICE, channel_of, open_channel
    from knowledge.audience import channel_audience
    from knowledge.sources import SourcePlace
    from knowledge.store import add_source, source_id

    channel = channel_of(location)
    place = f"{SCHEME}{channel}"
    with invocation.database() as engine:
        settings = invocation.settings_for_reading()
        opened = open_channel(SourcePlace(id=source_id(KIND, place), location=place), engine, settings)
        called = opened.check()
        added = add_source(
            engine,
            kind=KIND,
            location=place,
            audience=channel_audience(channel),
            name=name or f"#{called}",
            times=times,
            trust=trust,
        )
    if as_json:
        print_json(asdict(added))
        return
    click.echo(f"Added {added.name!r} ({added.id}), for the members of the channel.")
    click.echo(NOTICE, err=True)
    click.echo("`lorekeeper sync` reads it now.")


@sources.command("list")
@json_option
@click.pass_obj
def list_(invocation: Invocation, as_json: bool) -> None:
    """List all sources with their last run, their next run and what could not be read."""
    from bot.sync import sync_states, timetable, timetable_of
    from knowledge.store import Times, source_statuses

    settings = invocation.settings()
    with invocation.database() as engine:
        statuses = source_statuses(engine)
        states = sync_states(engine, settings)
    times = {status.source.id: timetable_of(status.source, settings).said for status in statuses}
    if as_json:
        rows = [_row(status, states[status.source.id], times[status.source.id]) for status in statuses]
        print_json({"sources": rows})
        return
    if not statuses:
        click.echo("No sources yet. Add one: lorekeeper sources add FOLDER")
        return
    headings = ("id", "name", "location", "audience", "trust", "documents", "chunks", "last run", "next run", "failed")
    print_table(headings, [_cells(status, states[status.source.id]) for status in statuses])
    usual = timetable(Times(), settings).said
    for status in statuses:
        if times[status.source.id] != usual:
            click.echo(f"{status.source.name}: read {times[status.source.id]}")
        if status.source.code:
            click.echo(f"{status.source.name}: with its source code")
        _print_failures(status)


@sources.command()
@click.argument("source")
@click.argument("level", type=click.Choice(TRUSTS))
@json_option
@click.pass_obj
def trust(invocation: Invocation, source: str, level: Trust, as_json: bool) -> None:
    """Say how far the word of SOURCE (its id, name or location) goes, from the next question on."""
    from knowledge.store import trust_source

    with invocation.database() as engine:
        found = find_source_named(engine, source)
        trust_source(engine, found.id, level)
    if as_json:
        print_json(asdict(found) | {"trust": level})
        return
    click.echo(f"{found.name!r} counts as {level}; it was {found.trust}.")


@sources.command()
@click.argument("source")
@click.argument("state", type=click.Choice(("on", "off")))
@json_option
@click.pass_obj
def code(invocation: Invocation, source: str, state: str, as_json: bool) -> None:
    """Say whether source code and configuration of SOURCE (its id, name or location) are read, from the next run on."""
    from bot.errors import MisuseError
    from knowledge.sources import HAS_CODE
    from knowledge.store import read_code

    with invocation.database() as engine:
        found = find_source_named(engine, source)
        if state == "on" and found.kind not in HAS_CODE:
            raise MisuseError(
                f"{found.name!r} is of kind {found.kind!r}; code is read of: {', '.join(sorted(HAS_CODE))}."
            )
        read_code(engine, found.id, code=state == "on")
    if as_json:
        print_json(asdict(found) | {"code": state == "on"})
        return
    click.echo(f"The code of {found.name!r} is {'read' if state == 'on' else 'forgotten'} with the next run.")


@sources.command()
@click.argument("source")
@json_option
@click.pass_obj
def release(invocation: Invocation, source: str, as_json: bool) -> None:
    """Let in what is held of SOURCE (its id, name or location), from the next question on."""
    from knowledge.store import release_held

    _decide(invocation, source, as_json, release_held, "are let in.")


@sources.command()
@click.argument("source")
@json_option
@click.pass_obj
def discard(invocation: Invocation, source: str, as_json: bool) -> None:
    """Forget what is held of SOURCE (its id, name or location)."""
    from knowledge.store import discard_held

    _decide(invocation, source, as_json, discard_held, "are forgotten. What stays where they come from may come again.")


def _decide(
    invocation: Invocation, source: str, as_json: bool, decide: Callable[[sa.Engine, str], int], done: str
) -> None:
    """Do this with all that is held of a source, and say of how many documents it is done."""
    with invocation.database() as engine:
        found = find_source_named(engine, source)
        count = decide(engine, found.id)
    if as_json:
        print_json({"id": found.id, "name": found.name, "documents": count})
    elif count:
        click.echo(f"{count} documents of {found.name!r} {done}")
    else:
        click.echo(f"{found.name!r} has nothing held.")


@sources.command()
@click.argument("source")
@json_option
@click.pass_obj
def remove(invocation: Invocation, source: str, as_json: bool) -> None:
    """Remove SOURCE (its id, name or location) with everything that is known from it."""
    from bot.sync import forget_source

    with invocation.database() as engine:
        found = find_source_named(engine, source)
        count = forget_source(engine, invocation.settings().home, found.id)
    if as_json:
        print_json({"id": found.id, "name": found.name, "documents": count})
        return
    click.echo(f"Removed {found.name!r} with {count} documents.")


def find_source_named(engine: sa.Engine, key: str) -> StoredSource:
    """The source of that id, name or location. Raises MisuseError where there is none."""
    from bot.errors import MisuseError
    from knowledge.store import find_source

    found = find_source(engine, key) or find_source(engine, str(Path(key).expanduser().resolve()))
    if found is None:
        raise MisuseError(f"there is no source {key!r}. `lorekeeper sources list` shows them.")
    return found


def _row(status: SourceStatus, state: JobState, times: str) -> dict[str, object]:
    return {
        **asdict(status.source),
        "documents": status.documents,
        "chunks": status.chunks,
        "held": status.held,
        "last_run": None if status.last_run is None else asdict(status.last_run),
        "next_run": state.next_at,
        "times": times,
        "failures": [asdict(failure) for failure in status.failures],
    }


def _cells(status: SourceStatus, state: JobState) -> tuple[object, ...]:
    source, run = status.source, status.last_run
    last = "never" if run is None else "running" if run.finished_at is None else moment(run.finished_at)
    return (
        source.id,
        source.name,
        source.location,
        source.audience,
        source.trust,
        status.documents,
        status.chunks,
        last,
        "paused" if source.paused and state.next_at is None else in_minutes(state.next_at),
        len(status.failures),
    )


def _print_failures(status: SourceStatus) -> None:
    if status.last_run is not None and status.last_run.error:
        click.echo(f"{status.source.name}: the last run failed: {status.last_run.error}")
    if status.held:
        click.echo(
            f"{status.source.name}: {status.held} documents are held, as a run brought many more than usual. "
            f"`lorekeeper sources release {status.source.id}` lets them in, `discard` forgets them."
        )
    if status.failures:
        click.echo(f"{status.source.name}: could not be read:")
        for failure in status.failures[:_SHOWN_FAILURES]:
            click.echo(f"  {failure.uri}: {failure.reason}")
    if len(status.failures) > _SHOWN_FAILURES:
        click.echo(f"  … and {len(status.failures) - _SHOWN_FAILURES} more; --json lists all.")
