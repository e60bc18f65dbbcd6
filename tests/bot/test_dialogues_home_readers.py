"""Dialogues about who sees what: an admin asks on the home page, and is told no more than they may read themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from slack_sdk.models.views import View

from bot import words
from bot.cli.invocation import Invocation
from bot.cli.root import lorekeeper
from bot.playground import blocks as playground_blocks
from bot.slack.admins import AUDIT
from bot.slack.gateway import SlackBot
from bot.slack.readers_view import document_view, person_view
from bot.visible import DocumentReaders, VisibleSource
from knowledge import tables
from knowledge.audience import channel_audience, group_audience, held_audience, person_audience
from knowledge.database import writing
from knowledge.document import Readers
from knowledge.readers import save_readers
from tests.bot.answer_dialogue import BADGES, shelve
from tests.bot.dialogue import ADA, BEN, CHLOE, LEADS, ScriptedAnswering, Workspace, link, options, wait_until
from tests.bot.pages import Pages, said
from tests.bot.slack_oracle import read_message

EVIL = "<!channel> <https://attacker.example|x> \u202e" + "n" * 4_000
GROUP = group_audience("handbook", {ADA, "chloe@example.org"})


@pytest.fixture
def ada(workspace: Workspace, engine: sa.Engine) -> Iterator[Pages]:
    """Ada's pages, who is an admin and among the leads; the documents are for all kinds of readers."""
    shelve(
        engine,
        ("Travel policy", BADGES, "everyone"),
        ("Offsite of the leads", BADGES, channel_audience(LEADS)),
        ("Ben's travel diary", BADGES, person_audience(BEN)),
        ("Budget", BADGES, GROUP),
        ("Travel offers", BADGES, held_audience("everyone")),
    )
    with writing(engine) as connection:
        save_readers(connection, "handbook", [Readers(audience=GROUP, members=frozenset({ADA, "chloe@example.org"}))])
        connection.execute(sa.update(tables.source).values(permissions_at=datetime.now(UTC)))
    with ExitStack() as stack:
        bot = SlackBot(
            engine, ScriptedAnswering(), options(workspace.playground), link=link, version=lambda: "scripted-1"
        )
        stack.enter_context(bot)
        pages = Pages(workspace, ADA)
        pages.open_home()
        pages.use_and_see("home_admin")
        pages.use_and_see("home_part_readers")
        yield pages


def told(workspace: Workspace, count: int = 1) -> str:
    """What the page in front says once it is known."""

    def updates() -> list[dict[str, Any]]:
        return [call for call in workspace.ledger("call", "views.update") if call["status"] == "ok"]

    wait_until(lambda: len(updates()) >= count)
    return said(updates()[count - 1]["response"]["view"]["blocks"])


def test_an_admin_learns_who_can_see_a_document_and_why(workspace: Workspace, ada: Pages) -> None:
    ada.enter("home_who_sees", "  policy   TRAVEL ")
    page = told(workspace)
    assert "Travel policy" in page
    assert words.READERS_EVERYONE in page
    assert words.READERS_WHY["source"] in page
    ada.enter("home_who_sees", "offsite")
    assert words.READERS_CHANNEL[0] in told(workspace, 2)
    assert words.READERS_WHY["document"] in told(workspace, 2)
    ada.enter("home_who_sees", "budget")
    page = told(workspace, 3)
    assert words.readers_people(2) in page
    assert "chloe@example.org" in page
    assert words.READERS_WHY["permissions"] in page


def test_what_an_admin_may_not_read_is_not_found_not_even_as_a_number(workspace: Workspace, ada: Pages) -> None:
    """Who could try words would learn from a number what the titles of others are."""
    ada.enter("home_who_sees", "diary")
    assert told(workspace) == words.READERS_NONE
    ada.enter("home_who_sees", "nothing of the kind")
    assert told(workspace, 2) == words.READERS_NONE
    ada.enter("home_who_sees", "travel offers")
    assert told(workspace, 3) == words.READERS_NONE
    ada.enter("home_who_sees", "file:///handbook/3.md")
    assert told(workspace, 4) == words.READERS_NONE


def test_of_what_a_person_can_see_an_admin_is_told_only_titles_that_they_may_read_themselves(
    workspace: Workspace, ada: Pages, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"id": "ben", "kind": "files", "name": "Ben's own", "location": "/b", "audience": person_audience(BEN)}
    row = {"source_id": "ben", "uri": "file:///b.md", "title": "Resignation", "content_hash": "h"}
    now = datetime.now(UTC)
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.source).values(**own, added_at=now))
        connection.execute(sa.insert(tables.document).values(**row, synced_at=now, audience=person_audience(BEN)))
    with caplog.at_level(logging.INFO, AUDIT.name):
        ada.use("home_sees_what", selected_user=BEN)
        page = told(workspace)
    assert words.sees(3) in page
    assert words.sees_of_source(2, 1) in page
    assert "Travel policy" in page
    assert f"{words.SEES_ELSEWHERE}: 1 document" in page
    assert not any(hidden in page for hidden in ("diary", "Resignation", "Ben's own", "Offsite", "offers"))
    audit = [record.getMessage() for record in caplog.records if record.name == AUDIT.name]
    assert audit == [f"{ADA} looked up what {BEN} can see: 3 documents"]


def test_where_slack_does_not_say_who_is_where_less_is_named_and_that_is_said(workspace: Workspace, ada: Pages) -> None:
    workspace.act("faults", error={"users.conversations": "internal_error"})
    # Whoever joined or left is asked for anew.
    for person in (ADA, BEN):
        workspace.act("change_person", person=person, admin=person == ADA)
    wait_until(lambda: len(workspace.ledger("event", "user_change")) == 2)
    ada.use("home_sees_what", selected_user=BEN)
    assert words.SEES_PERHAPS_MORE in told(workspace)
    ada.enter("home_who_sees", "offsite")
    assert told(workspace, 2) == words.READERS_NONE


def test_of_a_guest_nothing_is_told(workspace: Workspace, ada: Pages) -> None:
    workspace.act("change_person", person=CHLOE, guest="multi")
    try:
        wait_until(lambda: workspace.ledger("event", "user_change") != [])
        ada.use("home_sees_what", selected_user=CHLOE)
        page = told(workspace)
        assert words.SEES_NOTHING_HERE in page
        assert words.sees(0) in page
        assert "Travel" not in page
    finally:
        workspace.act("change_person", person=CHLOE, guest="")


def test_it_is_said_of_an_account_that_is_deactivated(workspace: Workspace, ada: Pages) -> None:
    workspace.act("change_person", person=CHLOE, deleted=True)
    try:
        wait_until(lambda: workspace.ledger("event", "user_change") != [])
        ada.use("home_sees_what", selected_user=CHLOE)
        assert words.SEES_DEACTIVATED in told(workspace)
    finally:
        workspace.act("change_person", person=CHLOE, deleted=False)


def test_who_is_no_admin_any_more_is_told_nothing(workspace: Workspace, ada: Pages) -> None:
    workspace.act("change_person", person=ADA, admin=False)
    try:
        wait_until(lambda: workspace.ledger("event", "user_change") != [])
        ada.enter("home_who_sees", "travel policy")
        assert told(workspace) == words.ADMINS_ONLY
        ada.use("home_sees_what", selected_user=BEN)
        assert told(workspace, 2) == words.ADMINS_ONLY
    finally:
        workspace.act("change_person", person=ADA, admin=True)


def test_the_pages_keep_to_the_limits_and_stay_inert() -> None:
    one = DocumentReaders(uri="u", title=EVIL, source=EVIL, kind="group", members=(EVIL, BEN) * 200)
    kinds = [one, replace(one, kind="nobody", reason=EVIL), replace(one, kind="usergroup", who="S1")]
    seen = VisibleSource(source=EVIL, documents=500, titles=(EVIL,) * 50, uris=(), unnamed=9)
    for view in (document_view(kinds * 70), person_view(BEN, [seen] * 200, [EVIL] * 3), document_view(())):
        View(**view).validate_json()
        playground_blocks.modal_view(view)
        assert len(view["blocks"]) < 100
        found = read_message({"text": "", "blocks": view["blocks"]})
        assert (found.links, found.hidden) == ([], [])


def test_what_admins_did_is_logged_where_nobody_asked_for_more(tmp_path: Path) -> None:
    AUDIT.setLevel(logging.NOTSET)
    done = CliRunner().invoke(lorekeeper, ["sources", "list"], obj=Invocation(environment={}, home=tmp_path))
    assert (done.exit_code, AUDIT.level) == (0, logging.INFO)
