"""What is taken for the wish that something be remembered, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.conversation import load_history
from bot.database import open_database
from bot.privacy import export, forget
from bot.remember import forget_remembered, list_remembered, wish_to_remember, write_remembered
from bot.turn import Incoming
from knowledge.audience import person_audience
from knowledge.database import writing

ASKED = Incoming(
    team="T1", channel="D1", channel_kind="im", user="U1", ts="1.1", thread_ts=None, text="…", mentioned=True
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("remember that our staging cluster is called blue", "our staging cluster is called blue"),
        ("Please remember this: the door code is 4711.", "the door code is 4711."),
        ("remember: Ada is on holiday until May", "Ada is on holiday until May"),
        ("Hey, could you remember that I work from Lisbon", "I work from Lisbon"),
        ("Keep in mind that invoices go to Ben", "invoices go to Ben"),
        ("don't forget that standup is at nine", "standup is at nine"),
    ],
)
def test_a_wish_is_recognised_and_kept_in_its_own_words(said: str, what: str) -> None:
    assert wish_to_remember(said) == what


@pytest.mark.parametrize(
    "said",
    [
        "do you remember that our cluster is called blue",
        "remember that thread about the cluster?",
        "remember that our cluster is blue, and where does it stand?",
        "remember to call me",
        "remember that",
        "remember this please",
        "what should I remember: names or numbers",
        "I remember that the cluster is called blue",
        "",
    ],
)
def test_what_asks_for_something_else_is_no_wish(said: str) -> None:
    assert wish_to_remember(said) == ""


def keep(engine: sa.Engine, text: str, incoming: Incoming = ASKED) -> None:
    with writing(engine) as connection:
        write_remembered(connection, incoming, text, person_audience(incoming.user) if text else "")


def test_a_message_keeps_one_thing_which_its_edit_changes_or_takes_back(engine: sa.Engine) -> None:
    keep(engine, "the cluster is called blue")
    keep(engine, "the cluster is called green")
    (one,) = list_remembered(engine, "U1")
    assert (one.text, one.audience) == ("the cluster is called green", "person:U1")
    keep(engine, "")
    assert list_remembered(engine, "U1") == ()


def test_it_is_no_part_of_the_conversation_s_history(engine: sa.Engine) -> None:
    keep(engine, "the cluster is called blue")
    assert load_history(engine, ASKED.conversation, 12) == ()


def test_one_s_own_can_be_forgotten_and_nobody_else_s(engine: sa.Engine) -> None:
    keep(engine, "the cluster is called blue")
    (one,) = list_remembered(engine, "U1")
    assert not forget_remembered(engine, "U2", one.id)
    assert forget_remembered(engine, "U1", one.id)
    assert not forget_remembered(engine, "U1", one.id)
    assert list_remembered(engine, "U1") == ()


def test_it_is_handed_out_and_forgotten_with_all_else_of_a_person(engine: sa.Engine) -> None:
    keep(engine, "the cluster is called blue")
    assert "the cluster is called blue" in repr(export(engine, "U1"))
    assert forget(engine, "U1").turns == 1
    assert list_remembered(engine, "U1") == ()


def test_without_an_audience_nothing_is_kept(engine: sa.Engine) -> None:
    with writing(engine) as connection, pytest.raises(ValueError, match="document audience"):
        write_remembered(connection, ASKED, "the cluster is called blue", "")
