"""What people do with answers without voting is kept apart, once each, and never learned from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.learn.signals import count_signals, note_message
from bot.turn import Incoming
from knowledge.database import writing
from tests.bot.learn_world import BADGES, BEN, CHLOE, MESSAGES, PLACE, TEAM, World, everything, open_world

WHO = "Who issues the badges?"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = open_world(tmp_path)
    world.learn_documents(BADGES)
    world.ask(WHO)
    yield world
    world.engine.dispose()


def say(world: World, text: str, *, user: str = BEN, thread: str | None = None, channel: str = PLACE) -> None:
    incoming = Incoming(
        team=TEAM,
        channel=channel,
        channel_kind="public",
        user=user,
        ts="000900.1",
        thread_ts=thread,
        text=text,
        mentioned=True,
    )
    with writing(world.engine) as connection:
        note_message(connection, incoming)


def test_thanks_in_the_thread_are_noted_once(world: World) -> None:
    say(world, "Thanks a lot!", thread="000001.1")
    say(world, "thank you", thread="000001.1")
    assert count_signals(world.engine) == {"thanked": 1}


def test_thanks_elsewhere_are_for_nobody(world: World) -> None:
    say(world, "Thanks a lot!", thread="000777.1")
    assert count_signals(world.engine) == {}


@pytest.mark.parametrize("text", [WHO, "who issues badges"])
def test_the_same_question_again_in_the_same_place_is_noted(world: World, text: str) -> None:
    say(world, text)
    assert count_signals(world.engine) == {"asked_again": 1}


def test_another_question_person_or_place_is_not(world: World) -> None:
    say(world, "What does a lost badge cost?")
    say(world, WHO, user=CHLOE)
    say(world, WHO, channel="C0OTHER")
    assert count_signals(world.engine) == {}


def test_signals_never_become_rows(world: World, tmp_path: Path) -> None:
    world.consent(BEN)
    say(world, "Thanks a lot!", thread="000001.1")
    report = world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert [row for row in everything(tmp_path / "d") if row.lane != "documents"] == []
    assert report.signals == {"thanked": 1}
