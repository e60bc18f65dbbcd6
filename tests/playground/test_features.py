"""A workspace that lacks something: every method of it says so in Slack's words, and all else goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from slack_sdk.errors import SlackApiError

from tests.playground.site import ADA, ADA_DM, GENERAL, Site, error_of

BUTTONS = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "+1"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "-1"},
        }
    ],
}


def test_without_streaming_the_methods_are_unknown_and_posts_work(start: Callable[..., Site]) -> None:
    site = start(features={"streaming": False})
    client = site.client()
    question = site.say("q", channel=ADA_DM)
    assert error_of(client.chat_startStream, channel=ADA_DM, thread_ts=question) == "unknown_method"
    assert error_of(client.chat_appendStream, channel=ADA_DM, ts=question, markdown_text="x") == "unknown_method"
    assert error_of(client.chat_stopStream, channel=ADA_DM, ts=question) == "unknown_method"
    ts = client.chat_postMessage(channel=ADA_DM, text="a", thread_ts=question)["ts"]
    assert client.chat_update(channel=ADA_DM, ts=ts, text="ab")["ok"]


def test_without_agents_sessions_and_the_status_are_refused(start: Callable[..., Site]) -> None:
    site = start(features={"agent": False})
    client = site.client()
    thread = {"channel_id": ADA_DM, "thread_ts": site.say("q", channel=ADA_DM)}
    prompts = [{"title": "a", "message": "b"}]
    assert error_of(client.agents_sessions_setStatus, **thread, status="active") == "feature_disabled"
    assert error_of(client.agents_sessions_rename, **thread, title="x") == "feature_disabled"
    assert error_of(client.assistant_threads_setStatus, **thread, status="thinks") == "access_denied"
    assert error_of(client.assistant_threads_setTitle, **thread, title="x") == "access_denied"
    refused = error_of(client.assistant_threads_setSuggestedPrompts, **thread, prompts=prompts)
    assert refused == "not_agent_app"


def test_feedback_buttons_can_be_missing(start: Callable[..., Site]) -> None:
    site = start(features={"feedback_buttons": False})
    post = site.client().chat_postMessage
    assert error_of(post, channel=GENERAL, text="a", blocks=[BUTTONS]) == "invalid_blocks"
    post(channel=GENERAL, text="a", blocks=[{"type": "divider"}])


def test_a_limited_history_gives_fifteen_messages_once_a_minute(start: Callable[..., Site]) -> None:
    site = start(features={"history_limit": True}, time_scale=30.0)
    client = site.client()
    for n in range(17):
        site.say(f"message {n}")
    page = client.conversations_history(channel=GENERAL, limit=200)
    assert (len(page["messages"]), page["has_more"]) == (15, True)
    with pytest.raises(SlackApiError) as refused:
        client.conversations_history(channel=GENERAL)
    assert (refused.value.response["error"], refused.value.response.status_code) == ("ratelimited", 429)
    assert int(refused.value.response.headers["Retry-After"]) in (1, 2)
    client.conversations_replies(channel=GENERAL, ts=page["messages"][0]["ts"])


def test_features_change_while_it_runs_and_pages_hear_of_it(site: Site) -> None:
    with site.page(ADA) as page:
        snapshot = page.read()
        assert snapshot["features"] == {
            "streaming": True,
            "agent": True,
            "feedback_buttons": True,
            "history_limit": False,
        }
        assert snapshot["surface"] == "agent"
        site.act("features", streaming=False)
        told = page.read_until("features")
        assert (told["features"]["streaming"], told["features"]["agent"], told["surface"]) == (False, True, "agent")
        answer = site.act("features", streaming=True, surface="assistant")
        assert (answer["features"]["streaming"], answer["surface"]) == (True, "assistant")
    assert site.try_to("features", dancing=True)["error"] == "invalid_arguments"
    assert site.try_to("features", streaming="no")["error"] == "invalid_arguments"
    assert site.try_to("features", surface="wall")["error"] == "invalid_arguments"
