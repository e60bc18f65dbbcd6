"""Which scopes each method and event needs, as in Slack's reference; the tests hold both tables against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bot.playground.workspace import JSON, Workspace

# A name that begins with a star stands for four: channels:, groups:, im: and mpim:, by the kind of conversation.
_METHODS = {
    "bots.info": "users:read",
    "team.info": "team:read",
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write",
    "chat.stopStream": "chat:write",
    "conversations.info": "*:read",
    "conversations.list": "*:read",
    "conversations.members": "*:read",
    "conversations.history": "*:history",
    "conversations.replies": "*:history",
    "conversations.open": "*:write",
    "users.info": "users:read",
    "users.list": "users:read",
    "users.lookupByEmail": "users:read.email",
    "usergroups.users.list": "usergroups:read",
    "users.conversations": "*:read",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "reactions.get": "reactions:read",
    "files.info": "files:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.delete": "files:write",
    "agents.sessions.setStatus": "chat:write",
    "agents.sessions.rename": "chat:write",
    "assistant.threads.setStatus": "chat:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
    "assistant.threads.setTitle": "assistant:write",
}
_FAMILY = {"public": "channels", "private": "groups", "im": "im", "mpim": "mpim"}
_FAMILY_OF_TYPE = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}


def scopes_of(method: str) -> frozenset[str]:
    """List the scopes of which a method needs one, or none."""
    scope = _METHODS.get(method)
    if scope is None:
        return frozenset()
    if method == "conversations.open":
        # There are no channels:write and groups:write of a bot that would open a channel here.
        return frozenset({"channels:manage", "groups:write", "im:write", "mpim:write"})
    return frozenset(_of_families(scope, _FAMILY.values())) if scope.startswith("*") else frozenset({scope})


def missing_scopes(workspace: Workspace, method: str, raw: Mapping[str, Any], granted: Iterable[str]) -> list[str]:
    """List the scopes that a call lacks: all that its conversations need, or one where it names none that we know."""
    scope, having = _METHODS.get(method), set(granted)
    if scope is None:
        return []
    if not scope.startswith("*"):
        return [] if scope in having else [scope]
    needed = _of_families(scope, _families(workspace, method, raw))
    if needed:
        return [each for each in needed if each not in having]
    alternatives = _of_families(scope, _FAMILY.values())
    return [] if having & set(alternatives) else alternatives


def event_subscription(event: JSON) -> str:
    """Give the name under which an app subscribes to an event."""
    if event["type"] != "message":
        return str(event["type"])
    kinds = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
    return f"message.{kinds[event['channel_type']]}"


def _families(workspace: Workspace, method: str, raw: Mapping[str, Any]) -> list[str]:
    if method in ("conversations.list", "users.conversations"):
        types = str(raw.get("types") or "public_channel").split(",")
        return [_FAMILY_OF_TYPE[kind.strip()] for kind in types if kind.strip() in _FAMILY_OF_TYPE]
    channel = workspace.channels.get(str(raw.get("channel")))
    if channel is not None:
        return [_FAMILY[channel.kind]]
    if method == "conversations.open" and raw.get("users"):
        return ["mpim" if "," in str(raw["users"]) else "im"]
    return []


def _of_families(scope: str, families: Iterable[str]) -> list[str]:
    return [f"{family}{scope.removeprefix('*')}" for family in families]
