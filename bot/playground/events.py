"""Builds events and their envelopes as Slack sends them; pure, from workspace values to JSON."""

from __future__ import annotations

from typing import Any

from bot.playground.workspace import (
    APP_ID,
    BOT_ID,
    BOT_USER_ID,
    JSON,
    OTHER_TEAM_ID,
    TEAM_ID,
    Channel,
    User,
    Workspace,
    new_id,
)

# Slack sends a message's metadata in events of their own, and keeps the page's marks out of its events altogether.
_NOT_IN_EVENTS = frozenset({"metadata", "streaming", "ephemeral"})


def channel_of(event: JSON) -> str:
    """Give the channel that an event tells of, or nothing."""
    place = event.get("item", event)
    found = place.get("channel", event.get("channel_id", "")) if isinstance(place, dict) else ""
    return found if isinstance(found, str) else ""


def event_callback(event: JSON, *, now: float, shared: bool) -> JSON:
    """Wrap an event as the Events API does."""
    return {
        "token": "playground",
        "team_id": TEAM_ID,
        "context_team_id": TEAM_ID,
        "context_enterprise_id": None,
        "api_app_id": APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": new_id("Ev"),
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM_ID,
                "user_id": BOT_USER_ID,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": shared,
        "event_context": f"4-{new_id('')}",
    }


def bot_profile(workspace: Workspace) -> JSON:
    """Describe the app on its own messages."""
    return {
        "id": BOT_ID,
        "app_id": APP_ID,
        "user_id": BOT_USER_ID,
        "name": workspace.bot.real_name,
        "team_id": TEAM_ID,
        "deleted": False,
        "updated": 0,
        "icons": {},
    }


def message_posted(channel: Channel, message: JSON) -> JSON:
    """A new message, by a person or by the bot itself."""
    return _in_events(message) | {
        "channel": channel.id,
        "channel_type": channel.channel_type,
        "event_ts": message["ts"],
    }


def file_shared(file: JSON, channel: Channel, *, user: str, event_ts: str) -> JSON:
    """A file was shared; the message event beside it carries the file's description."""
    return {
        "type": "file_shared",
        "file_id": file["id"],
        "user_id": user,
        "file": {"id": file["id"]},
        "channel_id": channel.id,
        "event_ts": event_ts,
    }


def app_mention(channel: Channel, message: JSON) -> JSON:
    """The second event of a message that names the bot."""
    left_out = ("parent_user_id", "reactions", "subtype")
    kept = {key: value for key, value in _in_events(message).items() if key not in left_out}
    return kept | {"type": "app_mention", "channel": channel.id, "event_ts": message["ts"]}


def message_changed(channel: Channel, message: JSON, previous: JSON, event_ts: str) -> JSON:
    """An edit, an unfurl, or the stone that stands for a deleted parent."""
    return _hidden("message_changed", channel, event_ts) | {
        "message": _in_events(message),
        "previous_message": _in_events(previous),
    }


def message_deleted(channel: Channel, previous: JSON, event_ts: str) -> JSON:
    """A deleted message."""
    return _hidden("message_deleted", channel, event_ts) | {
        "deleted_ts": previous["ts"],
        "previous_message": _in_events(previous),
    }


def reaction(kind: str, *, user: str, name: str, channel: Channel, message: JSON, event_ts: str) -> JSON:
    """`reaction_added` or `reaction_removed`."""
    return {
        "type": kind,
        "user": user,
        "reaction": name,
        "item": {"type": "message", "channel": channel.id, "ts": message["ts"]},
        "item_user": message.get("user", ""),
        "event_ts": event_ts,
    }


def app_home_opened(*, user: str, channel: Channel, tab: str, view: JSON | None, event_ts: str) -> JSON:
    """Somebody looks at the bot's home or messages tab."""
    event: JSON = {"type": "app_home_opened", "user": user, "channel": channel.id, "tab": tab, "event_ts": event_ts}
    return event if view is None or tab != "home" else event | {"view": view}


def channel_shared(channel: Channel, *, event_ts: str) -> JSON:
    """`channel_shared`, or `channel_unshared` where another organisation is no longer in the channel."""
    event: JSON = {"channel": channel.id, "event_ts": event_ts}
    if channel.shared:
        return {"type": "channel_shared", "connected_team_id": OTHER_TEAM_ID, **event}
    return {
        "type": "channel_unshared",
        "previously_connected_team_id": OTHER_TEAM_ID,
        "is_ext_shared": False,
        **event,
    }


def app_context_changed(*, user: str, channel: Channel, context: JSON, event_ts: str) -> JSON:
    """Somebody looks at something else while the app is there."""
    return {
        "type": "app_context_changed",
        "user": user,
        "channel": channel.id,
        "context": context,
        "event_ts": event_ts,
    }


def member_joined_channel(*, user: str, team: str, channel: Channel, inviter: str, event_ts: str) -> JSON:
    """Somebody, maybe the bot, was added to a channel, or came by themselves."""
    event = {
        "type": "member_joined_channel",
        "user": user,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": team,
        "event_ts": event_ts,
    }
    return event | {"inviter": inviter} if inviter else event


def member_left_channel(*, user: str, team: str, channel: Channel, event_ts: str) -> JSON:
    """Somebody, maybe the bot, is no longer in a channel."""
    return {
        "type": "member_left_channel",
        "user": user,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": team,
        "event_ts": event_ts,
    }


def agent_session_stopped(channel: Channel, thread_ts: str, *, user: str, halted: list[str], event_ts: str) -> JSON:
    """Somebody pressed Stop; the streams that Slack halted are named."""
    return {
        "type": "agent_session_stopped",
        "channel": channel.id,
        "thread_ts": thread_ts,
        "user": user,
        "streaming_message_ts": halted,
        "event_ts": event_ts,
    }


def agent_session_title_changed(channel: Channel, thread_ts: str, *, user: str, title: str, event_ts: str) -> JSON:
    """Somebody gave a session another title."""
    return {
        "type": "agent_session_title_changed",
        "channel": channel.id,
        "thread_ts": thread_ts,
        "user": user,
        "title": title,
        "event_ts": event_ts,
    }


def interaction(kind: str, *, user: User, workspace: Workspace, **content: Any) -> JSON:
    """Begin an interactive payload: block_actions, view_submission or view_closed."""
    return {
        "type": kind,
        "team": {"id": TEAM_ID, "domain": workspace.domain},
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": APP_ID,
        "token": "playground",
        "enterprise": None,
        "is_enterprise_install": False,
        **content,
    }


def _in_events(message: JSON) -> JSON:
    return {key: value for key, value in message.items() if key not in _NOT_IN_EVENTS}


def _hidden(subtype: str, channel: Channel, event_ts: str) -> JSON:
    return {
        "type": "message",
        "subtype": subtype,
        "hidden": True,
        "channel": channel.id,
        "channel_type": channel.channel_type,
        "ts": event_ts,
        "event_ts": event_ts,
    }
