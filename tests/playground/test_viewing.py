"""What people look at, as the agent's surface tells it, and as the older assistant's container does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.playground.site import ADA, ADA_DM, BEN, BOT, GENERAL, HELP, PRIVATE, Listener, Site, error_of


def events_of(app: Listener) -> list[dict[str, Any]]:
    """Acknowledge all that comes and give the events."""
    envelopes = app.read_all()
    for envelope in envelopes:
        app.acknowledge(envelope)
    return [envelope["payload"]["event"] for envelope in envelopes]


def test_the_app_hears_what_somebody_looks_at_and_finds_it_on_their_message(site: Site) -> None:
    with site.app_connection() as app:
        site.say("before", channel=ADA_DM)
        for channel in (HELP, HELP, ADA_DM):
            site.act("context", user=ADA, channel=channel)
        site.say("what is this channel about?", channel=ADA_DM)
        site.act("context", user=ADA, channel=None)
        before, changed, asked, nothing = events_of(app)
    entities = [{"type": "slack#/types/channel_id", "value": HELP, "team_id": "T0PLAYGROUND"}]
    changed.pop("event_ts")
    assert changed == {
        "type": "app_context_changed",
        "user": ADA,
        "channel": ADA_DM,
        "context": {"entities": entities},
    }
    assert ("app_context" in before, asked["app_context"]) == (False, {"entities": entities})
    assert nothing["context"] == {}
    assert site.try_to("context", user=BEN, channel=PRIVATE)["error"] == "not_in_channel"


def test_without_agents_nobody_is_told(start: Callable[..., Site]) -> None:
    site = start(features={"agent": False})
    with site.app_connection() as app:
        site.act("context", user=ADA, channel=HELP)
        site.say("hello", channel=ADA_DM)
        (message,) = events_of(app)
    assert "app_context" not in message


def test_the_container_opens_in_a_thread_and_messages_go_into_it(start: Callable[..., Site]) -> None:
    site = start(surface="assistant")
    with site.app_connection() as app:
        site.act("context", user=ADA, channel=GENERAL)
        thread = site.act("open_home", user=ADA, tab="messages")["thread_ts"]
        assert site.act("open_home", user=ADA, tab="messages")["thread_ts"] == thread, "nothing was said in it yet"
        site.act("context", user=ADA, channel=HELP)
        asked = site.say("how many?", channel=ADA_DM)
        started, again, changed, message = events_of(app)
        newer = site.act("open_home", user=ADA, tab="messages")["thread_ts"]
        assert newer > asked
        assert [event["type"] for event in events_of(app)] == ["assistant_thread_started"]
    assert [event["type"] for event in (started, again, changed)] == [
        *("assistant_thread_started", "assistant_thread_started"),
        "assistant_thread_context_changed",
    ]
    assert started["assistant_thread"] == {
        "user_id": ADA,
        "channel_id": ADA_DM,
        "thread_ts": thread,
        "context": {"channel_id": GENERAL, "team_id": "T0PLAYGROUND", "enterprise_id": None},
    }
    assert changed["assistant_thread"]["context"]["channel_id"] == HELP
    assert (message["thread_ts"], message["parent_user_id"]) == (thread, BOT)


def test_a_message_without_a_container_opens_one(start: Callable[..., Site]) -> None:
    site = start(surface="assistant")
    with site.app_connection() as app:
        site.say("how many?", channel=ADA_DM)
        started, message = events_of(app)
    assert started["type"] == "assistant_thread_started"
    assert started["assistant_thread"]["context"] == {}
    assert message["thread_ts"] == started["assistant_thread"]["thread_ts"]


def test_the_container_has_titles_and_prompts_by_thread(start: Callable[..., Site]) -> None:
    site = start(surface="assistant")
    client = site.client()
    thread = site.act("open_home", user=ADA, tab="messages")["thread_ts"]
    prompts = [{"title": "a", "message": "b"}]
    suggest = client.assistant_threads_setSuggestedPrompts
    assert error_of(suggest, channel_id=ADA_DM, thread_ts=None, prompts=prompts) == "not_agent_app"
    suggest(channel_id=ADA_DM, thread_ts=thread, prompts=prompts)
    with site.app_connection() as app:
        events_of(app)
        client.assistant_threads_setTitle(channel_id=ADA_DM, thread_ts=thread, title="Holidays")
        (changed,) = events_of(app)
    assert (changed["subtype"], changed["message"]["subtype"], changed["message"]["text"]) == (
        *("message_changed", "assistant_app_thread"),
        "Holidays",
    )


def test_the_home_tab_is_the_same_on_both_surfaces(start: Callable[..., Site]) -> None:
    site = start(surface="assistant")
    with site.app_connection() as app:
        site.act("open_home", user=ADA, tab="home")
        (opened,) = events_of(app)
    assert (opened["type"], opened["tab"]) == ("app_home_opened", "home")
