"""Who may read a document, and what somebody may be told of, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from bot import words
from bot.cli.invocation import Invocation
from bot.cli.root import lorekeeper
from bot.database import open_database
from bot.visible import find_readers, list_visible
from knowledge.audience import Audience, channel_audience, group_audience, nobody_audience, usergroup_audience
from knowledge.database import writing
from knowledge.document import Readers
from knowledge.readers import save_readers
from knowledge.tables import document, source
from tests.bot.slack_double import slack_double
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

PEOPLE = frozenset({"ada@example.org", "U0BEN"})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """One document of each kind."""
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    shelf, group = Shelf(engine, FakeEmbedder()), group_audience("s1", PEOPLE)
    kinds = {"open": "everyone", "team": channel_audience("C1"), "own": "person:U0ADA"}
    kinds |= {"board": group, "shut": nobody_audience("s1"), "crew": usergroup_audience("S1"), "odd": "held:review"}
    for name, audience in kinds.items():
        shelf.put(f"file:///{name}.md", f"The text {name}.", audience=audience)
    with writing(engine) as connection:
        save_readers(connection, "s1", [Readers(audience=group, members=PEOPLE)])
    yield engine
    engine.dispose()


def told(engine: sa.Engine, hours: float | None) -> None:
    """The source told its permissions so long ago."""
    at = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    with writing(engine) as connection:
        connection.execute(sa.update(source).values(permissions_at=at))


def test_each_document_says_who_may_read_it(engine: sa.Engine) -> None:
    told(engine, 1)
    found = {one.uri.removeprefix("file:///"): one for one in find_readers(engine, "file:///")}
    kinds = {name: (one.kind, one.who) for name, one in found.items()}
    assert kinds["open.md"] == ("everyone", "")
    assert kinds["team.md"] == ("channel", "C1")
    assert kinds["own.md"] == ("person", "U0ADA")
    assert kinds["crew.md"] == ("usergroup", "S1")
    assert found["board.md"].members == ("U0BEN", "ada@example.org")
    assert (found["shut.md"].kind, found["odd.md"].kind) == ("nobody", "nobody")
    assert "held back" in found["odd.md"].reason


@pytest.mark.parametrize(("hours", "reason"), [(None, "never told"), (25.0, "25 h ago")])
def test_permissions_that_are_too_old_are_for_nobody_with_the_reason(
    engine: sa.Engine, hours: float | None, reason: str
) -> None:
    told(engine, hours)
    (one,) = find_readers(engine, "file:///board.md")
    assert one.kind == "nobody"
    assert reason in one.reason


def test_what_is_visible_is_what_an_answer_may_stand_on(engine: sa.Engine) -> None:
    (one,) = list_visible(engine, Audience.of_channel("C1"), titles=1)
    assert (one.documents, one.titles) == (2, ("file:///open.md",))
    assert list_visible(engine, Audience(readable=frozenset())) == ()


def test_words_of_a_title_find_it_in_any_order(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(
            sa.update(document).where(document.c.title == "file:///open.md").values(title="Travel policy")
        )
    assert [one.title for one in find_readers(engine, "POLICY travel")] == ["Travel policy"]
    assert find_readers(engine, "policy holidays") == ()


def test_who_asks_for_others_is_told_only_of_what_they_may_read_themselves(engine: sa.Engine) -> None:
    mine = Audience.of_channel("C1")
    assert [one.uri for one in find_readers(engine, "file:///", within=mine)] == ["file:///open.md", "file:///team.md"]
    assert find_readers(engine, "file:///own.md", within=mine) == ()
    (seen,) = list_visible(engine, Audience.of_person("U0ADA", ("C2",)), shown_to=mine)
    assert (seen.documents, seen.titles, seen.unnamed) == (2, ("file:///open.md",), 1)
    (unnamed,) = list_visible(engine, Audience.of_person("U0ADA"), shown_to=Audience(readable=frozenset()))
    assert (unnamed.source, unnamed.documents, unnamed.titles) == ("", 2, ())


def test_it_is_said_where_it_is_set_who_may_read_a_document(engine: sa.Engine) -> None:
    told(engine, 1)
    found = {one.uri.removeprefix("file:///"): one.set_by for one in find_readers(engine, "file:///")}
    assert (found["open.md"], found["own.md"], found["board.md"]) == ("source", "document", "permissions")


def test_the_command_line_names_people_where_a_token_is_set(engine: sa.Engine, tmp_path: Path) -> None:
    told(engine, 1)
    replies = {
        "auth.test": {"ok": True, "team_id": "T1"},
        "conversations.members": {"ok": True, "members": ["U0ADA"], "response_metadata": {"next_cursor": ""}},
        "users.info": {
            "ok": True,
            "user": {
                "id": "U0ADA",
                "team_id": "T1",
                "real_name": "Ada Park",
                "is_restricted": False,
                "is_ultra_restricted": False,
                "is_email_confirmed": True,
                "profile": {"email": "ada@example.org"},
            },
        },
        "users.lookupByEmail": {"ok": True, "user": {"id": "U0ADA"}},
        "users.conversations": {"ok": True, "channels": [{"id": "C1"}]},
        "usergroups.users.list": {"ok": True, "users": ["U0BEN"]},
    }
    with slack_double(replies) as double:
        environment = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_API_URL": double.url}
        invocation = Invocation(environment=environment, home=tmp_path)
        said = CliRunner().invoke(lorekeeper, ["sources", "readers", "file:///team.md"], obj=invocation)
        assert "Ada Park (U0ADA)" in said.output, said.output
        assert words.READERS_WHY["document"] in said.output
        asked = ["sources", "visible", "--as", "ada@example.org", "--json"]
        seen = json.loads(CliRunner().invoke(lorekeeper, asked, obj=invocation).output)
    (one,) = seen["sources"]
    assert sorted(one["uris"]) == [f"file:///{name}.md" for name in ("board", "open", "own", "team")]


def test_without_a_token_it_says_what_is_not_known(engine: sa.Engine, tmp_path: Path) -> None:
    told(engine, 1)
    invocation = Invocation(environment={}, home=tmp_path)
    said = CliRunner().invoke(lorekeeper, ["sources", "visible", "--as", "U0BEN"], obj=invocation)
    assert "not known" in said.output
    assert "Shelf: 2 documents" in said.output
    unknown = CliRunner().invoke(lorekeeper, ["sources", "readers", "nothing like it"], obj=invocation)
    assert unknown.exit_code != 0
