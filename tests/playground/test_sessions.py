"""Agent sessions: their status, their title, and the Stop button."""

from __future__ import annotations

from typing import Any

from tests.playground.site import ADA, ADA_DM, BEN, GENERAL, Site, error_of

TEAM = "T0PLAYGROUND"


def test_a_session_begins_with_its_first_status_and_pages_see_it(site: Site) -> None:
    question = site.say("how many?")
    client = site.client()
    with site.page(BEN) as page:
        page.read_until("snapshot")
        answer = client.agents_sessions_setStatus(
            channel_id=GENERAL, thread_ts=question, status="processing", title="Holidays"
        )
        assert (answer["status"], answer["agent_status"], answer["title"]) == ("processing", "processing", "Holidays")
        shown = page.read_until("session")
        assert (shown["channel"], shown["thread_ts"], shown["status"], shown["title"], shown["stoppable"]) == (
            *(GENERAL, question, "processing", "Holidays"),
            True,
        )
        later = client.agents_sessions_setStatus(channel_id=GENERAL, thread_ts=question, status="active", title="Other")
        assert later["title"] == "Holidays", "a title counts only when the session begins"
        page.read_until("session")
        assert client.agents_sessions_rename(channel_id=GENERAL, thread_ts=question, title="Days off")["ok"]
        assert page.read_until("session")["title"] == "Days off"
    with site.page(ADA) as page:
        assert [session["title"] for session in page.read()["sessions"]] == ["Days off"]


def test_what_sessions_refuse(site: Site) -> None:
    client = site.client()
    status, rename = client.agents_sessions_setStatus, client.agents_sessions_rename
    question = site.say("q")
    lunch = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    assert error_of(status, channel_id=GENERAL, status="processing") == "thread_ts_required"
    assert error_of(status, channel_id=ADA_DM, status="processing") == "thread_ts_required"
    assert error_of(status, channel_id=GENERAL, thread_ts=question, status="busy") == "invalid_status"
    assert error_of(status, channel_id="C0NO", thread_ts=question, status="active") == "channel_not_found"
    assert error_of(status, channel_id=lunch, thread_ts=question, status="active") == "not_authorized"
    assert error_of(status, channel_id=GENERAL, thread_ts=question, status="active", title="t" * 201)
    assert error_of(status, channel_id=GENERAL, thread_ts=question, status="active", initiator_user_id="U0NOBODY") == (
        "user_not_found"
    )
    assert error_of(rename, channel_id=GENERAL, thread_ts=question, title="x") == "session_not_found"
    stop = {"user": ADA, "channel": GENERAL, "thread_ts": question}
    assert site.try_to("stop_session", **stop)["error"] == "session_not_found"
    status(channel_id=GENERAL, thread_ts=question, status="active")
    assert site.try_to("stop_session", **stop)["error"] == "session_not_processing"


def test_stop_halts_the_streams_of_the_thread_and_tells_the_app(site: Site) -> None:
    question, other = site.say("how many?"), site.say("and who?")
    client = site.client()
    whom: dict[str, Any] = {"recipient_team_id": TEAM, "recipient_user_id": ADA, "markdown_text": "Twenty"}
    ts = client.chat_startStream(channel=GENERAL, thread_ts=question, **whom)["ts"]
    elsewhere = client.chat_startStream(channel=GENERAL, thread_ts=other, **whom)["ts"]
    client.agents_sessions_setStatus(channel_id=GENERAL, thread_ts=question, status="processing")
    with site.app_connection() as app:
        for envelope in app.read_all():
            app.acknowledge(envelope)
        site.act("stop_session", user=BEN, channel=GENERAL, thread_ts=question)
        envelope = app.read()
        app.acknowledge(envelope)
        event = envelope["payload"]["event"]
    assert (event["type"], event["channel"], event["thread_ts"], event["user"], event["streaming_message_ts"]) == (
        *("agent_session_stopped", GENERAL, question, BEN),
        [ts],
    )
    assert error_of(client.chat_appendStream, channel=GENERAL, ts=ts, markdown_text="-eight") == "stopped_by_user"
    client.chat_appendStream(channel=GENERAL, ts=elsewhere, markdown_text="-eight")
    assert client.chat_stopStream(channel=GENERAL, ts=ts)["message"]["text"] == "Twenty"


def test_a_halted_stream_can_be_updated(site: Site) -> None:
    question = site.say("how many?", channel=ADA_DM)
    client = site.client()
    ts = client.chat_startStream(channel=ADA_DM, thread_ts=question, markdown_text="Twenty")["ts"]
    client.agents_sessions_setStatus(channel_id=ADA_DM, thread_ts=question, status="processing")
    assert error_of(client.chat_update, channel=ADA_DM, ts=ts, text="x") == "streaming_state_conflict"
    site.act("stop_session", user=ADA, channel=ADA_DM, thread_ts=question)
    assert client.chat_update(channel=ADA_DM, ts=ts, text="Stopped.")["message"]["text"] == "Stopped."
    assert error_of(client.chat_stopStream, channel=ADA_DM, ts=ts) == "message_not_in_streaming_state"


def test_a_person_renames_a_session(site: Site) -> None:
    question = site.say("q", channel=ADA_DM)
    site.client().agents_sessions_setStatus(channel_id=ADA_DM, thread_ts=question, status="active")
    with site.app_connection() as app:
        for envelope in app.read_all():
            app.acknowledge(envelope)
        site.act("rename_session", user=ADA, channel=ADA_DM, thread_ts=question, title=" Mine ")
        envelope = app.read()
        app.acknowledge(envelope)
    assert (envelope["payload"]["event"]["type"], envelope["payload"]["event"]["title"]) == (
        "agent_session_title_changed",
        "Mine",
    )
    assert site.try_to("rename_session", user=ADA, channel=ADA_DM, thread_ts=question, title=" ")["error"]
