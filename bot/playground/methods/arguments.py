"""Which arguments each method takes, as in Slack's reference, and how a request's raw values become typed ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.strict_json import read_json

_FLAGS = frozenset(
    "as_user exclude_archived exclude_muted full include_all_metadata include_disabled include_locale "
    "include_num_members inclusive "
    "link_names mrkdwn prevent_creation reply_broadcast return_im test unfurl_links unfurl_media".split()
)
_NUMBERS = frozenset({"limit", "count", "page", "length"})
_STRUCTURES = frozenset(
    "attachments blocks chunks file_ids files loading_messages metadata prompts unfurled_attachments view".split()
)
# What a broken structure is called depends on the argument; everything else is `invalid_arguments`.
_STRUCTURE_ERRORS = {
    "blocks": "invalid_blocks_format",
    "metadata": "invalid_metadata_format",
    "chunks": "invalid_chunks",
}


# Bolt adds the team to every call made in a listener, because a token for a whole organisation needs it.
_ON_EVERY_CALL = frozenset({"token", "team_id"})


@dataclass(frozen=True)
class Method:
    """A method's rate limit tier and the names of its arguments."""

    tier: str
    required: str = ""
    optional: str = ""
    takes_json: bool = True
    """Methods that do not, ignore a JSON body: the arguments must come as a form or in the address."""

    @property
    def names(self) -> frozenset[str]:
        """All arguments besides the token."""
        return frozenset(f"{self.required} {self.optional}".split())


METHODS: Mapping[str, Method] = {
    "api.test": Method("t4", optional="error"),
    "auth.test": Method("t5"),
    "apps.connections.open": Method("t3"),
    "bots.info": Method("t3", optional="bot team_id", takes_json=False),
    "team.info": Method("t3", optional="domain team"),
    "chat.postMessage": Method(
        "t5",
        required="channel",
        optional="as_user attachments blocks current_draft_last_updated_ts icon_emoji icon_url link_names "
        "markdown_text metadata mrkdwn parse reply_broadcast text thread_ts unfurl_links unfurl_media username",
    ),
    "chat.postEphemeral": Method(
        "t4",
        required="channel user",
        optional="as_user attachments blocks icon_emoji icon_url link_names markdown_text metadata parse text "
        "thread_ts username",
    ),
    "chat.update": Method(
        "t3",
        required="channel ts",
        optional="as_user attachments unfurled_attachments blocks markdown_text metadata link_names parse text "
        "reply_broadcast file_ids",
    ),
    "chat.delete": Method("t3", required="channel ts", optional="as_user"),
    "chat.getPermalink": Method("t5", required="channel message_ts", takes_json=False),
    "chat.startStream": Method(
        "t2",
        required="channel",
        optional="chunks markdown_text thread_ts recipient_user_id recipient_team_id task_display_mode icon_emoji "
        "icon_url username",
    ),
    # The reference calls markdown_text required; the SDK's own stream sends chunks in its place, and Slack takes them.
    "chat.appendStream": Method("t4", required="channel ts", optional="chunks markdown_text"),
    "chat.stopStream": Method("t2", required="channel ts", optional="chunks markdown_text blocks metadata"),
    "conversations.info": Method(
        "t3", required="channel", optional="include_locale include_num_members", takes_json=False
    ),
    "conversations.list": Method("t2", optional="cursor exclude_archived limit team_id types", takes_json=False),
    "conversations.members": Method("t4", required="channel", optional="cursor limit", takes_json=False),
    "conversations.history": Method(
        "t3", required="channel", optional="cursor include_all_metadata inclusive latest limit oldest"
    ),
    "conversations.replies": Method(
        "t3",
        required="channel ts",
        optional="cursor include_all_metadata inclusive latest limit oldest",
        takes_json=False,
    ),
    "conversations.open": Method("t3", optional="channel return_im users prevent_creation"),
    "users.info": Method("t4", required="user", optional="include_locale", takes_json=False),
    "users.lookupByEmail": Method("t3", required="email", takes_json=False),
    "usergroups.users.list": Method("t2", required="usergroup", optional="include_disabled team_id", takes_json=False),
    "users.list": Method("t2", optional="cursor include_locale limit team_id", takes_json=False),
    "users.conversations": Method(
        "t3", optional="cursor exclude_archived exclude_muted limit team_id types user", takes_json=False
    ),
    "views.open": Method("t4", required="view", optional="trigger_id interactivity_pointer"),
    "views.push": Method("t4", required="view", optional="trigger_id interactivity_pointer"),
    "views.update": Method("t4", required="view", optional="view_id external_id hash"),
    "views.publish": Method("t4", required="user_id view", optional="hash interactivity_pointer"),
    "reactions.add": Method("t3", required="name timestamp channel"),
    "reactions.remove": Method("t2", required="name", optional="file file_comment channel timestamp"),
    "reactions.get": Method("t3", optional="channel file file_comment full timestamp", takes_json=False),
    "oauth.v2.access": Method(
        "t5",
        optional="client_id client_secret code code_verifier redirect_uri grant_type refresh_token assertion",
        takes_json=False,
    ),
    "auth.revoke": Method("t3", optional="test", takes_json=False),
    "apps.uninstall": Method("t1", required="client_id client_secret", takes_json=False),
    "files.info": Method("t4", required="file", optional="count cursor limit page", takes_json=False),
    "files.getUploadURLExternal": Method(
        "t4", required="length filename", optional="snippet_type alt_txt", takes_json=False
    ),
    "files.completeUploadExternal": Method(
        "t4",
        required="files",
        optional="channel_id thread_ts channels initial_comment blocks username icon_url icon_emoji",
    ),
    "files.delete": Method("t3", required="file"),
    "agents.sessions.setStatus": Method(
        "t3",
        required="channel_id status",
        optional="thread_ts title initiator_user_id icon_emoji icon_url username",
    ),
    "agents.sessions.rename": Method("t3", required="channel_id title", optional="thread_ts"),
    "assistant.threads.setStatus": Method(
        "t5", required="channel_id thread_ts status", optional="loading_messages icon_emoji icon_url username"
    ),
    "assistant.threads.setSuggestedPrompts": Method("t4", required="channel_id prompts", optional="thread_ts title"),
    "assistant.threads.setTitle": Method("t4", required="channel_id thread_ts title"),
}


def read_arguments(method: Method, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check and convert a request's values; absent and null ones are left out. Raises ApiError."""
    given = {name: value for name, value in raw.items() if value is not None and name in method.names}
    missing = [name for name in method.required.split() if name not in given]
    if missing:
        raise ApiError("invalid_arguments", *(f"[ERROR] missing required field: {name}" for name in missing))
    return {name: _convert(name, value) for name, value in given.items()}


def unknown_arguments(method: Method, raw: Mapping[str, Any]) -> list[str]:
    """List what Slack would silently ignore; the ledger keeps it, so that a test can refuse a misspelt name."""
    return sorted(raw.keys() - method.names - _ON_EVERY_CALL)


def _convert(name: str, value: Any) -> Any:
    if name in _FLAGS:
        return _flag(name, value)
    if name in _NUMBERS:
        return _number(name, value)
    if name in _STRUCTURES:
        return _structure(name, value)
    if isinstance(value, bool | int | float) and name in ("text", "markdown_text"):
        return str(value)
    if not isinstance(value, str):
        raise ApiError("invalid_arguments", f"[ERROR] must provide a string [json-pointer:/{name}]")
    return value


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("1", "true"):
        return True
    if str(value).lower() in ("0", "false", "", "none"):
        return False
    raise ApiError("invalid_arguments", f"[ERROR] must provide a boolean [json-pointer:/{name}]")


def _number(name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ApiError("invalid_arguments", f"[ERROR] must provide a number [json-pointer:/{name}]") from error


def _structure(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError as error:
        code = _STRUCTURE_ERRORS.get(name, "invalid_arguments")
        raise ApiError(code, f"[ERROR] failed to parse JSON [json-pointer:/{name}]") from error
