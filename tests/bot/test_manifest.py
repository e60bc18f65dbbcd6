"""The app manifest: Socket Mode, the agent surface, and no scope without a use.

The facts come from Slack's reference: which scope an event or a method needs.
"""

from __future__ import annotations

from bot.slack.manifest import EVENTS, SCOPES, build_manifest

SCOPE_OF_EVENT = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "app_home_opened": None,
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "agent_session_stopped": "chat:write",
}
# What the bot calls, and what Slack asks of a bot token for it (for every kind of conversation).
SCOPES_OF_METHODS = {
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "assistant.threads.setStatus": {"chat:write"},
    "assistant.threads.setSuggestedPrompts": {"assistant:write"},
    "conversations.replies": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "users.conversations": {"channels:read", "groups:read", "im:read", "mpim:read"},
    "auth.test": set(),
    "views.open": set(),
    "views.publish": set(),
}


def test_it_asks_for_socket_mode_and_interactivity() -> None:
    settings = build_manifest()["settings"]
    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"]["is_enabled"] is True


def test_it_declares_an_agent_that_people_can_write_to() -> None:
    features = build_manifest()["features"]
    assert features["agent_view"]["agent_description"]
    assert features["app_home"]["messages_tab_enabled"] is True
    assert features["app_home"]["messages_tab_read_only_enabled"] is False
    assert features["app_home"]["home_tab_enabled"] is True


def test_every_event_has_the_scope_that_slack_asks_for() -> None:
    assert set(EVENTS) == set(SCOPE_OF_EVENT)
    assert {scope for scope in SCOPE_OF_EVENT.values() if scope} <= set(SCOPES)


def test_no_scope_is_asked_for_without_a_use() -> None:
    used = {scope for scope in SCOPE_OF_EVENT.values() if scope}.union(*SCOPES_OF_METHODS.values())
    assert set(SCOPES) == used


def test_it_lists_events_and_scopes_in_a_stable_order() -> None:
    manifest = build_manifest()
    assert manifest["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)
    assert manifest["settings"]["event_subscriptions"]["bot_events"] == sorted(EVENTS)
