"""The app manifest that an operator pastes into Slack: Socket Mode, and no scope that is not used."""

from __future__ import annotations

from typing import Any

NAME = "Lorekeeper"
DESCRIPTION = "Answers from your team's own knowledge, with sources."

# Event -> what the bot does with it.
EVENTS = {
    "app_mention": "a question in a channel",
    "message.channels": "follow-ups in a public channel's thread, edits and deletions",
    "message.groups": "the same in private channels",
    "message.mpim": "the same in group messages",
    "message.im": "questions in direct messages",
    "reaction_added": "feedback",
    "reaction_removed": "feedback taken back",
    "app_home_opened": "the home page and the greeting",
    "member_joined_channel": "what a person may read changes at once",
    "member_left_channel": "the same",
    "agent_session_stopped": "Slack's own stop button",
}

# Scope -> what needs it. `tests/bot/test_manifest.py` checks both directions against Slack's reference.
SCOPES = {
    "app_mentions:read": "app_mention",
    "assistant:write": "the agent surface",
    "channels:history": "message.channels, and finding our own message after a crash",
    "channels:read": "which channels a person is in",
    "chat:write": "answers, status, receipts",
    "groups:history": "message.groups",
    "groups:read": "which private channels a person is in",
    "im:history": "message.im",
    "im:read": "telling a direct message from a channel",
    "mpim:history": "message.mpim",
    "mpim:read": "which group messages a person is in",
    "reactions:read": "feedback by reaction",
}


def build_manifest() -> dict[str, Any]:
    """Describe the app as api.slack.com/apps > Create New App > From a manifest expects it."""
    return {
        "display_information": {"name": NAME, "description": DESCRIPTION},
        "features": {
            "agent_view": {"agent_description": DESCRIPTION, "suggested_prompts": []},
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": sorted(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }
