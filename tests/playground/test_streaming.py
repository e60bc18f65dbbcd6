"""Streamed messages: they grow, they end, and they end by themselves after five minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.playground.site import ADA, ADA_DM, GENERAL, Site, error_of, wait_for

TEAM = "T0PLAYGROUND"


def test_a_stream_grows_and_is_finished_with_blocks_below(site: Site) -> None:
    question = site.say("how many?", channel=ADA_DM)
    client = site.client()
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=question)["ts"]
    with site.page(ADA) as page:
        page.read_until("snapshot")
        client.chat_appendStream(channel=ADA_DM, ts=ts, markdown_text="**28** ")
        shown = page.read_until("message")["message"]
        assert (shown["text"], shown["streaming"]) == ("**28** ", True)
    client.chat_appendStream(channel=ADA_DM, ts=ts, markdown_text="days")
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "1. Handbook"}}
    message = client.chat_stopStream(channel=ADA_DM, ts=ts, blocks=[section])["message"]
    assert [block["type"] for block in message["blocks"]] == ["markdown", "section"]
    assert message["text"] == message["blocks"][0]["text"] == "**28** days"
    assert (
        error_of(client.chat_appendStream, channel=ADA_DM, ts=ts, markdown_text="x") == "message_not_in_streaming_state"
    )


def test_the_sdks_own_stream_works(site: Site) -> None:
    question = site.say("how many?")
    stream = site.client().chat_stream(
        channel=GENERAL, thread_ts=question, recipient_team_id=TEAM, recipient_user_id=ADA, buffer_size=4
    )
    for piece in ("twenty", "-", "eight", " days"):
        stream.append(markdown_text=piece)
    answer = stream.stop()
    assert answer is not None
    assert answer["message"]["text"] == "twenty-eight days"


def test_a_stream_in_a_channel_says_for_whom(site: Site) -> None:
    question = site.say("how many?")
    start = site.client().chat_startStream
    assert error_of(start, channel=GENERAL, thread_ts=question) == "missing_recipient_user_id"
    no_team = error_of(start, channel=GENERAL, thread_ts=question, recipient_user_id=ADA)
    assert no_team == "missing_recipient_team_id"
    start(channel=GENERAL, thread_ts=question, recipient_user_id=ADA, recipient_team_id=TEAM)


def test_a_message_that_streams_cannot_be_updated(site: Site) -> None:
    client = site.client()
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=site.say("q", channel=ADA_DM), markdown_text="a")["ts"]
    assert error_of(client.chat_update, channel=ADA_DM, ts=ts, text="b") == "streaming_state_conflict"
    client.chat_stopStream(channel=ADA_DM, ts=ts)
    client.chat_update(channel=ADA_DM, ts=ts, text="b")


def test_a_stream_ends_after_five_minutes_and_can_then_be_updated(start: Callable[..., Site]) -> None:
    site = start(time_scale=1000.0)
    client = site.client()
    question = site.say("q", channel=ADA_DM)
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=question, markdown_text="a")["ts"]
    client.chat_appendStream(channel=ADA_DM, ts=ts, markdown_text="b")
    time.sleep(0.35)
    assert (
        error_of(client.chat_appendStream, channel=ADA_DM, ts=ts, markdown_text="c") == "message_not_in_streaming_state"
    )
    assert error_of(client.chat_stopStream, channel=ADA_DM, ts=ts) == "message_not_in_streaming_state"
    assert client.chat_update(channel=ADA_DM, ts=ts, text="whole")["message"]["text"] == "whole"


def test_a_stream_that_a_restart_left_open_ends_by_itself(start: Callable[..., Site], tmp_path: Path) -> None:
    state = tmp_path / "playground.json"
    first = start(state=state)
    question = first.say("q", channel=ADA_DM)
    ts = first.client().chat_startStream(channel=ADA_DM, thread_ts=question, markdown_text="a")["ts"]
    wait_for(lambda: state.exists() and f'"ts": "{ts}", "started_at"' in state.read_text("utf-8"))
    second = start(state=state, time_scale=300.0)
    with second.page(ADA) as page:
        assert [m["ts"] for m in page.read()["messages"][ADA_DM] if m.get("streaming")] == [ts]
        ended = page.read_until("message")["message"]
        assert (ended["ts"], "streaming" in ended) == (ts, False)


def test_what_a_stream_refuses(site: Site) -> None:
    client = site.client()
    question = site.say("q", channel=ADA_DM)
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=question)["ts"]
    append = client.chat_appendStream
    assert site.call("chat.appendStream", channel=ADA_DM, ts=ts)["error"] == "no_text"
    assert error_of(append, channel=ADA_DM, ts=ts, markdown_text="a" * 12_001) == "msg_blocks_too_long"
    append(channel=ADA_DM, ts=ts, markdown_text="a" * 11_000)
    assert error_of(append, channel=ADA_DM, ts=ts, markdown_text="a" * 1_001) == "msg_blocks_too_long"
    broken = [{"type": "markdown_text", "words": "x"}]
    assert site.call("chat.appendStream", channel=ADA_DM, ts=ts, chunks=broken)["error"] == "invalid_chunks"
    assert error_of(append, channel=ADA_DM, ts=question, markdown_text="x") == "message_not_owned_by_app"
    dividers = [{"type": "divider"}] * 50
    assert error_of(client.chat_stopStream, channel=ADA_DM, ts=ts, blocks=dividers) == "msg_blocks_too_many"


def test_task_cards_replace_their_older_selves(site: Site) -> None:
    client = site.client()
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=site.say("q", channel=ADA_DM))["ts"]
    for status in ("in_progress", "complete"):
        card = {"type": "task_update", "id": "1", "title": "Searching", "status": status}
        client.chat_appendStream(channel=ADA_DM, ts=ts, markdown_text="", chunks=[card])
    blocks = client.chat_stopStream(channel=ADA_DM, ts=ts)["message"]["blocks"]
    assert [(block["type"], block["status"]) for block in blocks] == [("task_card", "complete")]


def test_a_stream_can_show_its_tasks_as_a_plan(site: Site) -> None:
    client = site.client()
    question = site.say("q", channel=ADA_DM)
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=question, task_display_mode="plan")["ts"]
    for n, status in ((1, "complete"), (2, "in_progress")):
        card = {"type": "task_update", "id": str(n), "title": f"Step {n}", "status": status}
        chunks = [{"type": "plan_update", "title": "Looking"}, card]
        client.chat_appendStream(channel=ADA_DM, ts=ts, markdown_text="", chunks=chunks)
    divider = {"type": "divider"}
    blocks = client.chat_stopStream(channel=ADA_DM, ts=ts, markdown_text="28", blocks=[divider])["message"]["blocks"]
    assert [block["type"] for block in blocks] == ["markdown", "plan", "divider"]
    assert (blocks[1]["title"], [task["title"] for task in blocks[1]["tasks"]]) == ("Looking", ["Step 1", "Step 2"])


def test_what_the_client_is_shown_can_be_sent_as_blocks_too(site: Site) -> None:
    details = {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "3 passages"}]}],
    }
    source = {"type": "url", "url": "https://a.example", "text": "Handbook"}
    card = {"type": "task_card", "task_id": "1", "title": "Searched", "status": "complete"}
    blocks: list[dict[str, Any]] = [
        card | {"details": details, "sources": [source]},
        {"type": "plan", "title": "Plan", "tasks": [card]},
    ]
    posted = site.client().chat_postMessage(channel=GENERAL, text="x", blocks=blocks)["message"]["blocks"]
    assert [block["type"] for block in posted] == ["task_card", "plan"]
