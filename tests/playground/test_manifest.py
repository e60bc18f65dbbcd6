"""With a manifest: only the events that the app is subscribed to, and only the methods that it has scopes for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.errors import SettingsError
from bot.playground.methods.arguments import METHODS
from bot.playground.options import Tokens
from bot.playground.process import start_playground
from bot.playground.scopes import scopes_of
from tests.playground import reference
from tests.playground.site import ADA, ADA_DM, GENERAL, PRIVATE, Listener, Site, error_of


def manifest(*, events: str = "", scopes: str = "") -> dict[str, Any]:
    """Make a manifest with these events and scopes."""
    return {
        "oauth_config": {"scopes": {"bot": scopes.split()}},
        "features": {"agent_view": {"agent_description": "Answers"}, "app_home": {"home_tab_enabled": True}},
        "settings": {"event_subscriptions": {"bot_events": events.split()}},
    }


def events_of(app: Listener) -> list[str]:
    """Acknowledge all that comes and give the names of the events."""
    envelopes = app.read_all()
    for envelope in envelopes:
        app.acknowledge(envelope)
    return [envelope["payload"]["event"]["type"] for envelope in envelopes]


def refusal(site: Site, method: str, **arguments: Any) -> tuple[str, str, str]:
    """Call a method that must be refused; gives the error, and the scopes that are needed and provided."""
    with pytest.raises(SlackApiError) as refused:
        site.client().api_call(method, params=arguments)
    answer = refused.value.response
    return answer["error"], answer["needed"], answer["provided"]


def test_only_what_the_app_is_subscribed_to_is_delivered(start: Callable[..., Site]) -> None:
    site = start(manifest=manifest(events="message.im app_mention"))
    with site.app_connection() as app:
        ts = site.say("hello @Lorekeeper")
        site.say("hello", channel=PRIVATE)
        site.act("react", user=ADA, channel=GENERAL, ts=ts, name="+1", add=True)
        site.say("hello", channel=ADA_DM)
        site.act("open_home", user=ADA, tab="home")
        site.act("context", user=ADA, channel=GENERAL)
        assert events_of(app) == ["app_mention", "message"]


def test_a_method_without_its_scope_names_it(start: Callable[..., Site]) -> None:
    site = start(manifest=manifest(scopes="channels:history channels:read im:read"))
    provided = "channels:history,channels:read,im:read"
    client = site.client()
    assert refusal(site, "chat.postMessage", channel=GENERAL, text="x") == ("missing_scope", "chat:write", provided)
    assert refusal(site, "conversations.history", channel=PRIVATE)[1] == "groups:history"
    assert refusal(site, "conversations.history", channel=ADA_DM)[1] == "im:history"
    assert client.conversations_history(channel=GENERAL)["ok"]
    assert client.conversations_info(channel=ADA_DM)["ok"]
    assert (
        refusal(site, "conversations.list", types="public_channel,private_channel,mpim")[1] == "groups:read,mpim:read"
    )
    assert client.conversations_list(types="public_channel,im")["ok"]
    assert refusal(site, "conversations.open", users=ADA)[1] == "im:write"
    assert refusal(site, "users.info", user=ADA)[1] == "users:read"
    assert client.views_publish(user_id=ADA, view={"type": "home", "blocks": []})["ok"]


def test_every_answer_says_which_scopes_there_are(start: Callable[..., Site]) -> None:
    site = start(manifest=manifest(scopes="chat:write im:read"))
    assert site.client().auth_test().headers["x-oauth-scopes"] == "chat:write,im:read"
    assert "x-oauth-scopes" not in start().client().auth_test().headers


def test_stop_is_there_for_apps_that_hear_of_it(start: Callable[..., Site]) -> None:
    deaf, keen = (
        start(manifest=manifest(scopes="chat:write", events=events)) for events in ("", "agent_session_stopped")
    )
    shown, warnings = [], []
    for site in (deaf, keen):
        question = site.say("q")
        status = {"channel_id": GENERAL, "thread_ts": question, "status": "processing"}
        warnings.append(site.call("agents.sessions.setStatus", **status).get("warning"))
        with site.page(ADA) as page:
            shown += [session["stoppable"] for session in page.read()["sessions"]]
        answer = site.try_to("stop_session", user=ADA, channel=GENERAL, thread_ts=question)
        assert answer.get("error") == ("app_not_subscribed" if site is deaf else None)
    assert shown == [False, True]
    assert warnings == ["missing_agent_session_stopped_event_subscription", None]


def test_a_process_takes_manifest_features_and_surface() -> None:
    described = manifest(scopes="chat:write") | {"features": {"slash_commands": [{"command": "/lore"}]}}
    with start_playground(port=0, manifest=described, features={"streaming": False}, surface="assistant") as process:
        site = Site(process.url, Tokens.create(bot=process.bot_token))
        with site.page(ADA) as page:
            snapshot = page.read()
        assert [command["command"] for command in snapshot["commands"]] == ["/lore"]
        assert (snapshot["features"]["streaming"], snapshot["surface"]) == (False, "assistant")
        assert refusal(site, "users.info", user=ADA)[0] == "missing_scope"
        site.http.close()


def test_surfaces_and_tabs_are_those_of_the_manifest(start: Callable[..., Site]) -> None:
    described = manifest(scopes="chat:write assistant:write", events="app_context_changed message.im")
    prompts = {"channel_id": ADA_DM, "thread_ts": None, "prompts": [{"title": "a", "message": "b"}]}
    shapes: list[dict[str, Any]] = [{}, {"assistant_view": {}}]
    plain, older = (start(manifest=described | {"features": features}) for features in shapes)
    for site, surface in ((plain, "agent"), (older, "assistant")):
        with site.page(ADA) as page:
            assert page.read()["surface"] == surface
        with site.app_connection() as app:
            site.act("context", user=ADA, channel=GENERAL)
            assert events_of(app) == []
        assert error_of(site.client().assistant_threads_setSuggestedPrompts, **prompts) == "not_agent_app"
        view = {"type": "home", "blocks": []}
        assert error_of(site.client().views_publish, user_id=ADA, view=view) == "not_enabled"
    assert plain.try_to("shortcut", user=ADA, callback_id="ask")["error"] == "app_not_interactive"


def test_a_broken_switch_is_named_at_start() -> None:
    with pytest.raises(SettingsError, match="dancing"):
        start_playground(port=0, features={"dancing": True})


@pytest.mark.skipif(not reference.REFERENCE.exists(), reason=reference.MISSING)
@pytest.mark.parametrize("name", METHODS)
def test_the_scopes_are_slacks(name: str) -> None:
    expected = (reference.method(name).get("scope") or {}).get("bot", [])
    assert scopes_of(name) == set(expected)
