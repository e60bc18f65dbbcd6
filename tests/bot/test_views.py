"""The form behind 👎 and the home page: what they show, what they read, and Slack's limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.views import View

from bot import words
from bot.feedback import REASONS
from bot.playground import blocks as playground
from bot.slack.feedback_form import (
    FormAnswer,
    FormErrors,
    feedback_form,
    parse_form,
    reason_request,
    receipt_message,
)
from bot.slack.home import HomeContent, HomeSource, home_view, load_home
from bot.slack.render import RenderedMessage
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import open_engine, writing
from tests.bot.slack_oracle import read_message

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def said(value: object) -> str:
    """Every text of a view or block, joined."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return " ".join(own + [said(inner) for inner in value.values() if isinstance(inner, dict | list)])
    return " ".join(said(inner) for inner in value) if isinstance(value, list) else ""


def submission(reason: str | None, correction: str | None, key: str = "7") -> dict[str, Any]:
    option = {"value": reason, "text": {"type": "plain_text", "text": "x"}} if reason else None
    values = {
        "reason": {"reason": {"type": "radio_buttons", "selected_option": option}},
        "correction": {"correction": {"type": "plain_text_input", "value": correction}},
    }
    return {"type": "modal", "private_metadata": key, "state": {"values": values}}


def test_the_form_is_a_valid_view_that_offers_every_reason() -> None:
    form = feedback_form("7")
    View(**form).validate_json()
    playground.modal_view(form)
    assert len(form["title"]["text"]) <= 24
    options = form["blocks"][0]["element"]["options"]
    assert [option["value"] for option in options] == list(REASONS) == list(words.REASONS)
    assert all(SdkBlock.parse(block) is not None for block in form["blocks"])


def test_a_sent_form_comes_back_with_its_answer() -> None:
    assert parse_form(submission("outdated", " By plane. ")) == FormAnswer(
        key="7", reason="outdated", correction="By plane."
    )
    assert parse_form(submission("wrong", None)) == FormAnswer(key="7", reason="wrong", correction="")


@pytest.mark.parametrize(
    ("reason", "correction", "block"),
    [(None, "x", "reason"), ("bored", "", "reason"), ("other", " ", "correction")],
)
def test_a_form_that_lacks_something_says_what(reason: str | None, correction: str, block: str) -> None:
    parsed = parse_form(submission(reason, correction))
    assert isinstance(parsed, FormErrors)
    assert list(parsed.errors) == [block]


def test_a_form_without_state_asks_for_a_reason() -> None:
    assert isinstance(parse_form({}), FormErrors)


@pytest.mark.parametrize("message", [reason_request("7"), receipt_message(words.RECEIPT_GOOD)])
def test_receipts_are_valid_small_and_quiet(message: RenderedMessage) -> None:
    assert all(SdkBlock.parse(block) is not None for block in message.blocks)
    reading = read_message({"text": message.text, "blocks": message.blocks})
    assert not reading.links
    assert not reading.mentions


def test_the_home_page_says_what_is_known_how_fresh_and_what_failed() -> None:
    sources = (
        HomeSource(
            name="Handbook",
            documents=890,
            unreadable=2,
            last_run=NOW - timedelta(minutes=125),
            next_run=NOW + timedelta(minutes=29, seconds=59),
        ),
        HomeSource(name="Wiki", documents=1, last_failed=True, last_run=NOW - timedelta(days=3)),
        HomeSource(name="New", documents=0),
        HomeSource(name="Busy", documents=5, running=True),
    )
    text = said(home_view(HomeContent(sources=sources, version="smollm2"), now=NOW)["blocks"])
    assert "890 documents · read 2 hours ago · next in 29 minutes · 2 could not be read" in text
    assert "1 document · read 3 days ago · ⚠️ the last reading failed" in text
    assert "0 documents · not read yet" in text
    assert "5 documents · being read now" in text
    assert "Answering with smollm2" in text


def test_an_empty_home_page_says_how_to_begin() -> None:
    assert "no sources yet" in said(home_view(HomeContent(sources=(), version="v"), now=NOW)["blocks"])


def test_a_home_page_with_many_evil_sources_keeps_to_the_limits_and_stays_inert() -> None:
    name = "<!channel> <https://attacker.example|x> \u202e" + "n" * 4_000
    sources = tuple(HomeSource(name=name, documents=n) for n in range(300))
    view = home_view(HomeContent(sources=sources, version="v"), now=NOW)
    View(**view).validate_json()
    playground.home_view(view)
    assert len(view["blocks"]) <= 100
    assert "and 265 more" in said(view["blocks"])
    found = read_message({"text": "", "blocks": [block for block in view["blocks"] if block["type"] != "rich_text"]})
    assert (found.links, found.mentions, found.hidden) == ([], [], [])


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    tables.create_tables(engine)
    yield engine
    engine.dispose()


def test_a_person_sees_only_the_sources_that_they_may_read(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        for name, audience in (("open", "everyone"), ("leads", "channel:C9"), ("ada", "person:U1")):
            source = {"id": name, "kind": "files", "name": name, "location": "/x", "audience": audience}
            connection.execute(sa.insert(tables.source).values(source | {"added_at": NOW}))
        common = {"source_id": "open", "content_hash": "h", "synced_at": NOW, "title": "t"}
        for uri, audience in (("a", "everyone"), ("b", "person:U2")):
            connection.execute(sa.insert(tables.document).values(common | {"uri": uri, "audience": audience}))
        done = {"source_id": "open", "started_at": NOW, "finished_at": NOW}
        connection.execute(sa.insert(tables.sync_run).values(done))
        connection.execute(sa.insert(tables.sync_run).values(done | {"error": "disk"}))
    next_runs = {"open": NOW + timedelta(hours=1)}
    content = load_home(engine, Audience.of_person("U1"), version="v", next_runs=next_runs)
    assert [source.name for source in content.sources] == ["ada", "open"]
    assert content.sources[1] == HomeSource(
        id="open", name="open", documents=1, last_run=NOW, last_failed=True, next_run=NOW + timedelta(hours=1)
    )
