"""Dialogues in a channel that is a source: what people delete there is found by nobody from that second on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bot.playground.process import PlaygroundProcess
from bot.playground.workspace import BOT_USER_ID
from knowledge.parse import Parser
from tests.bot.channel_world import ChannelWorld, channel_world
from tests.bot.dialogue import ADA, BEN, ScriptedAnswering, StartBot, wait_until


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture
def world(
    playground: PlaygroundProcess, engine: sa.Engine, parser: Parser, start_bot: StartBot
) -> Iterator[ChannelWorld]:
    """A private channel that was read, in a workspace where the bot listens."""
    with channel_world(playground, engine, parser, private=True) as world:
        bot = start_bot(ScriptedAnswering())
        wait_until(lambda: bot.ready)
        yield world


def test_a_deleted_message_takes_its_documents_along_without_a_run(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    reply = world.say(BEN, "Maria does, with the quetzal stamp.", root, plan_md=b"# Stamps\n\nAn okapi holds it.")
    world.say(ADA, "The van comes at nine.")
    world.sync()
    assert "okapi" in world.everything
    world.delete(BEN, reply)
    wait_until(lambda: "quetzal" not in world.everything and "okapi" not in world.everything, 5.0)
    assert "van comes" in world.everything
    world.options = {"rechecks": 0}
    world.sync()
    assert "Who issues badges?" in world.everything
    world.delete(ADA, root)
    wait_until(lambda: "badges" not in world.everything, 5.0)


def test_an_edit_is_read_with_the_next_run_and_decoration_is_no_edit(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    reply = world.say(BEN, "Maria does.", root)
    world.sync()
    world.options = {"rechecks": 0}
    world.workspace.act("react", user=ADA, channel=world.channel, ts=reply, name="+1")
    world.workspace.act("edit", user=BEN, channel=world.channel, ts=reply, text="Peter does.")
    wait_until(lambda: bool(_changes(world)))
    world.sync()
    assert "Peter does." in world.everything
    assert _changes(world) == 0


@pytest.mark.parametrize("how", ["removed", "archived", "shared"])
def test_a_channel_that_the_bot_must_not_read_any_more_is_forgotten_at_once(world: ChannelWorld, how: str) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    place = {"user": ADA, "channel": world.channel}
    if how == "removed":
        world.workspace.act("remove", **place, member=BOT_USER_ID)
    else:
        world.workspace.act({"archived": "archive", "shared": "share"}[how], **place)
    wait_until(lambda: world.documents() == [], 5.0)


def _changes(world: ChannelWorld) -> int:
    with world.engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM channel_change")).scalar_one())
