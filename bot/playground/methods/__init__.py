"""The methods of the Web API that the playground serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.playground.methods import (
    assistant,
    chat,
    connection,
    conversations,
    files,
    installing,
    people,
    reactions,
    sessions,
    stream,
    views,
)
from bot.playground.playground import Playground
from bot.playground.workspace import JSON

Handler = Callable[[Playground, Mapping[str, Any]], JSON]

HANDLERS: Mapping[str, Handler] = {
    "api.test": connection.api_test,
    "auth.test": connection.auth_test,
    "apps.connections.open": connection.apps_connections_open,
    "bots.info": connection.bots_info,
    "team.info": connection.team_info,
    "chat.postMessage": chat.post_message,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.update": chat.update,
    "chat.delete": chat.delete,
    "chat.getPermalink": chat.get_permalink,
    "chat.startStream": stream.start,
    "chat.appendStream": stream.append,
    "chat.stopStream": stream.stop,
    "conversations.info": conversations.info,
    "conversations.list": conversations.list_all,
    "conversations.members": conversations.members,
    "conversations.history": conversations.history,
    "conversations.replies": conversations.replies,
    "conversations.open": conversations.open_direct,
    "users.info": people.info,
    "users.list": people.list_all,
    "users.conversations": people.conversations,
    "users.lookupByEmail": people.lookup_by_email,
    "usergroups.users.list": people.usergroup_members,
    "views.open": views.open_view,
    "views.push": views.push,
    "views.update": views.update,
    "views.publish": views.publish,
    "reactions.add": reactions.add,
    "reactions.remove": reactions.remove,
    "reactions.get": reactions.get,
    "oauth.v2.access": installing.oauth_v2_access,
    "auth.revoke": installing.auth_revoke,
    "apps.uninstall": installing.apps_uninstall,
    "files.info": files.info,
    "files.getUploadURLExternal": files.get_upload_url,
    "files.completeUploadExternal": files.complete_upload,
    "files.delete": files.delete,
    "agents.sessions.setStatus": sessions.set_status,
    "agents.sessions.rename": sessions.rename,
    "assistant.threads.setStatus": assistant.set_status,
    "assistant.threads.setSuggestedPrompts": assistant.set_suggested_prompts,
    "assistant.threads.setTitle": assistant.set_title,
}
