"""The app manifest that an operator gives to Slack: what the bot hears and may do, and nothing that it does not use.

Knows Slack's form of a manifest and what each capability needs; `lorekeeper doctor` takes its words from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

from bot.errors import MisuseError

Surface = Literal["agent", "assistant", "none"]
"""How direct messages with the app look: Slack's agent experience, the older assistant pane, or plain messages where a
workspace's plan has neither."""

NAME = "Lorekeeper"
DESCRIPTION = "Answers from your team's own knowledge, with sources."
LONG_DESCRIPTION = (
    "Ask in a channel, in a thread or in a direct message. Lorekeeper looks through the documents that everybody who "
    "reads the answer may read, phrases an answer from them on your organisation's own machine, and shows its sources. "
    "Where they say nothing, it says so. Thumbs up, thumbs down and corrections make the next answers better; what it "
    "keeps about you can be seen, exported and deleted on its home page."
)
EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH = "/slack/events", "/slack/install", "/slack/oauth_redirect"
CREATE_APP = "https://api.slack.com/apps"

# Event -> what does not work without it.
EVENTS = {
    "app_home_opened": "the home page and the greeting",
    "app_mention": "questions in channels",
    "app_uninstalled": "removing all that is kept when the app is uninstalled",
    "channel_id_changed": "keeping a channel's settings when Slack gives the channel another id",
    "channel_left": "forgetting a channel that is a source at once when the app is taken out of it",
    "channel_shared": "falling silent at once in a channel that is shared with another organisation",
    "channel_unshared": "answering again in a channel that is no longer shared",
    "file_deleted": "forgetting a file at once when it is deleted, of a channel that is a source or kept as knowledge",
    "group_left": "forgetting a private channel that is a source at once when the app is taken out of it",
    "member_joined_channel": "letting a person read what their new channel may, at once",
    "member_left_channel": "no longer letting a person read what their former channel may, at once",
    "message.channels": "follow-ups, edits and deletions in public channels",
    "message.groups": "follow-ups, edits and deletions in private channels",
    "message.im": "questions in direct messages",
    "message.mpim": "questions in group messages",
    "reaction_added": "feedback by reaction",
    "reaction_removed": "taking feedback by reaction back",
    "tokens_revoked": "removing all that is kept when the app's token is revoked",
    "user_change": "noticing at once that a person became a guest, or is one no longer",
}
SURFACE_EVENTS: Mapping[Surface, Mapping[str, str]] = {
    "agent": {
        "agent_session_stopped": "Slack's own Stop button",
        "app_context_changed": 'knowing which channel "this channel" is in a direct message',
    },
    "assistant": {
        "assistant_thread_context_changed": 'knowing which channel "this channel" is in the assistant pane',
        "assistant_thread_started": "the greeting in the assistant pane",
    },
    "none": {},
}

# Scope -> what does not work without it.
SCOPES = {
    "app_mentions:read": "questions in channels",
    "channels:history": "follow-ups in public channels, finding our own message again, and channels as sources",
    "channels:read": "knowing which public channels a person is in, and which are shared with others",
    "chat:write": "every answer",
    "commands": "/lore and the shortcuts in the message menu",
    "files:read": "reading files that are attached to a question or to be kept as knowledge",
    "files:write": "sending people their own data as a file, and the picture of votes on the home page",
    "groups:history": "follow-ups in private channels",
    "groups:read": "knowing which private channels a person is in",
    "im:history": "questions in direct messages",
    "im:read": "telling a direct message from a channel",
    "im:write": "writing to a person first, such as answering in private what was asked elsewhere",
    "mpim:history": "questions in group messages",
    "mpim:read": "knowing which group messages a person is in",
    "reactions:read": "feedback by reaction",
    "usergroups:read": "knowing who is in a user group that documents are for; without it they are shown to nobody",
    "users:read": "telling members from guests; without it everybody may count as a guest",
    "users:read.email": "knowing whom a source's permissions name; without it such documents are shown to nobody",
}
SURFACE_SCOPES: Mapping[Surface, Mapping[str, str]] = {
    "agent": {"assistant:write": "the agent experience: suggested prompts, and what a person is looking at"},
    "assistant": {"assistant:write": "the assistant pane: status, suggested prompts and titles"},
    "none": {},
}
# Whoever installs the app may leave these out; the bot works without them, minus what stands beside them above.
OPTIONAL_SCOPES = frozenset({"files:read", "files:write", "usergroups:read", "users:read.email"})

COMMAND = "/lore"
_COMMANDS = (
    {
        "command": COMMAND,
        "description": "Ask, see the sources, sync, status, or have yourself forgotten",
        "usage_hint": "[ask QUESTION | sources | sync | status | forget me | help]",
        "should_escape": False,
    },
)
_SHORTCUTS = (
    {
        "type": "message",
        "name": "Answer this",
        "callback_id": "answer_this",
        "description": "Answer this message from your team's documents",
    },
    {
        "type": "message",
        "name": "Summarise this thread",
        "callback_id": "summarise_thread",
        "description": "Sum up what was said in this thread, for you alone",
    },
    {
        "type": "message",
        "name": "Save as knowledge",
        "callback_id": "save_as_knowledge",
        "description": "Suggest this message as knowledge; an admin approves it",
    },
    {
        "type": "global",
        "name": "Ask Lorekeeper",
        "callback_id": "ask_lorekeeper",
        "description": "Ask a question and get an answer from your team's documents",
    },
)


def events_of(surface: Surface = "agent") -> dict[str, str]:
    """Every event that the app hears, with what does not work without it."""
    return EVENTS | dict(SURFACE_EVENTS[surface])


def scopes_of(surface: Surface = "agent") -> dict[str, str]:
    """Every scope that the app asks for, with what does not work without it."""
    return SCOPES | dict(SURFACE_SCOPES[surface])


def build_manifest(*, http: str | None = None, surface: Surface = "agent") -> dict[str, Any]:
    """Describe the app as Slack's "From a manifest" expects it, for Socket Mode.

    With `http`, the public address under which Slack reaches the bot, for HTTP mode. Raises MisuseError for an
    address that Slack would refuse.
    """
    url = None if http is None else f"{public_address(http)}{EVENTS_PATH}"
    called = {} if url is None else {"request_url": url}
    events = {**called, "bot_events": sorted(events_of(surface))}
    return {
        "display_information": {
            "name": NAME,
            "description": DESCRIPTION,
            "long_description": LONG_DESCRIPTION,
            "background_color": "#1f3a5f",
        },
        "features": _surface(surface)
        | {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "shortcuts": [dict(one) for one in _SHORTCUTS],
            "slash_commands": [dict(one) | ({} if url is None else {"url": url}) for one in _COMMANDS],
        },
        "oauth_config": _oauth(http, surface),
        "settings": {
            "event_subscriptions": events,
            "interactivity": {"is_enabled": True, **called},
            # One organisation-wide installation would put all its workspaces' knowledge into one: each installs it.
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }


def create_app_link(manifest: Mapping[str, Any]) -> str:
    """The address where Slack makes an app of this manifest."""
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    return f"{CREATE_APP}?{urlencode({'new_app': '1', 'manifest_json': text})}"


def public_address(text: str, *, own_machine: bool = False) -> str:
    """A public base address without its slash at the end; raises MisuseError for one that Slack would not call.

    A browser's way back may also lead to this very machine, without https, with `own_machine`.
    """
    address = text.strip().rstrip("/")
    here = own_machine and address.startswith(("http://127.0.0.1:", "http://localhost:"))
    has_name = address.startswith("https://") and len(address) > len("https://")
    if not (has_name or here) or any(one in address for one in " ?#&"):
        raise MisuseError(
            f"{text!r} is no address that Slack would call. Give the public one, such as https://lore.example.com"
        )
    return address


def _surface(surface: Surface) -> dict[str, Any]:
    match surface:
        case "agent":
            return {"agent_view": {"agent_description": DESCRIPTION, "suggested_prompts": []}}
        case "assistant":
            return {"assistant_view": {"assistant_description": DESCRIPTION, "suggested_prompts": []}}
        case "none":
            return {}


def _oauth(http: str | None, surface: Surface) -> dict[str, Any]:
    redirects = {} if http is None else {"redirect_urls": [f"{public_address(http)}{REDIRECT_PATH}"]}
    scopes = {"bot": sorted(scopes_of(surface)), "bot_optional": sorted(OPTIONAL_SCOPES)}
    return {**redirects, "scopes": scopes}
