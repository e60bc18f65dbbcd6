"""`lorekeeper versions`: which version of the model answers, and which one is tried out."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, moment, print_json, print_table, short

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bot.learn.versions import Version

_why_option = click.option("--why", default="", help="Why; it is kept in the version's history.")
_FOLLOWED = "A bot that runs follows within seconds."


@click.group()
def versions() -> None:
    """List versions of the model, try one out, put one in service, or go back."""


@versions.command("list")
@json_option
@click.pass_obj
def list_(invocation: Invocation, as_json: bool) -> None:
    """List all versions with their state and what people thought of their answers."""
    from bot.learn.board import figures_of
    from bot.learn.versions import list_versions

    base = invocation.settings().file.model.name
    with invocation.database() as engine:
        found = [(one, figures_of(engine, one.name)) for one in list_versions(engine)]
        of_base = figures_of(engine, "")
    in_service = next((one.name for one, _ in found if one.state == "in_service"), None)
    if as_json:
        rows = [{**_row(one), "figures": asdict(figures)} for one, figures in found]
        print_json({"versions": rows, "in_service": in_service, "base": base, "base_figures": asdict(of_base)})
        return
    table = [
        (
            "*" if one.state == "in_service" else "",
            one.name,
            f"canary {one.share:.0%}" if one.state == "canary" else one.state.replace("_", " "),
            moment(one.state_at),
            one.base,
            str(len(one.examples)),
            *(figures.answers, figures.good, figures.bad),
        )
        for one, figures in found
    ]
    star = "" if in_service else "*"
    table.append((star, f"({base})", "base model", "", "", "", of_base.answers, of_base.good, of_base.bad))
    print_table(("", "name", "state", "since", "base", "examples", "answers", "👍", "👎"), table)


@versions.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(invocation: Invocation, name: str, as_json: bool) -> None:
    """Show a version: where it comes from, what happened to it, and how it compares."""
    from bot.learn.board import figures_of
    from bot.learn.canary import compare_canary
    from bot.learn.versions import find_version, history

    with invocation.database() as engine:
        version = find_version(engine, name)
        events, figures = history(engine, name), figures_of(engine, name)
        verdict = compare_canary(engine, version) if version.state == "canary" else None
    if as_json:
        compared = None if verdict is None else asdict(verdict)
        happened = [asdict(one) for one in events]
        print_json({**_row(version), "figures": asdict(figures), "history": happened, "comparison": compared})
        return
    click.echo(f"{version.name}: {version.state.replace('_', ' ')} since {moment(version.state_at)}")
    click.echo(f"  made from {version.base}, {len(version.examples)} examples, file {version.adapter}")
    if version.run:
        click.echo(f"  run {version.run}")
    if version.state == "canary":
        where = ", ".join(version.channels) or "all channels"
        click.echo(f"  answers {version.share:.0%} of new conversations in {where}")
    click.echo(f"  {figures.answers} answers, {figures.abstained} times unknown, {figures.good} 👍, {figures.bad} 👎")
    if verdict is not None:
        click.echo(f"  {verdict.decision}: {verdict.why}")
    print_table(
        ("when", "state", "who", "why"),
        [(moment(one.at), one.state.replace("_", " "), one.user, short(one.why, 200)) for one in events],
    )


@versions.command()
@click.argument("name")
@click.option("--share", type=float, default=0.2, show_default=True, help="Share of new conversations, up to 1.")
@click.option("--channel", "channels", multiple=True, help="Only in this channel, by its id; may be given again.")
@_why_option
@json_option
@click.pass_obj
def canary(invocation: Invocation, name: str, share: float, channels: tuple[str, ...], why: str, as_json: bool) -> None:
    """Let NAME answer a share of the conversations that begin from now on, beside the version in service."""
    from bot.learn.versions import start_canary

    with invocation.database() as engine:
        start_canary(engine, name, share=share, channels=channels, by=_who(), why=why)
        _say(engine, name, as_json, f"{name} answers {share:.0%} of new conversations. {_FOLLOWED}")


@versions.command()
@click.argument("name")
@_why_option
@json_option
@click.pass_obj
def promote(invocation: Invocation, name: str, why: str, as_json: bool) -> None:
    """Put NAME in service; its file is checked first."""
    from bot.app import models_folder
    from bot.learn import versions as life
    from models.tuned import open_tuned

    settings = invocation.settings()
    with invocation.database() as engine:
        life.find_version(engine, name)
        open_tuned(models_folder(settings), name)
        before = life.promote(engine, name, by=_who(), why=why)
        _say(engine, name, as_json, f"{name} is in service instead of {before or 'the base model'}. {_FOLLOWED}")


@versions.command()
@_why_option
@json_option
@click.pass_obj
def rollback(invocation: Invocation, why: str, as_json: bool) -> None:
    """End the canary; where there is none, put the version before in service again, or the base model."""
    from bot.learn.versions import roll_back

    with invocation.database() as engine:
        done = roll_back(engine, by=_who(), why=why)
    if as_json:
        print_json(asdict(done))
        return
    was = "is no canary any more" if done.was_canary else "is not in service any more"
    click.echo(f"{done.left} {was}; {done.now or 'the base model'} answers. {_FOLLOWED}")


def _say(engine: sa.Engine, name: str, as_json: bool, sentence: str) -> None:
    from bot.learn.versions import find_version

    if as_json:
        print_json(_row(find_version(engine, name)))
        return
    click.echo(sentence)


def _row(version: Version) -> dict[str, Any]:
    return {**asdict(version), "examples": len(version.examples)}


def _who() -> str:
    try:
        return f"terminal:{getpass.getuser()}"
    except (OSError, KeyError):
        return "terminal"
