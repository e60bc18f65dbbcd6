"""What the workspace offers: streaming, agents, feedback buttons, whole histories; each can be switched off.

A workspace that lacks a capability answers with the error that Slack's reference gives for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.playground.errors import ApiError

Surface = Literal["agent", "assistant"]
HISTORY_SECONDS = 60.0
HISTORY_MESSAGES = 15
_HISTORY = frozenset({"conversations.history", "conversations.replies"})
_STREAMS = frozenset({"chat.startStream", "chat.appendStream", "chat.stopStream"})
_NO_AGENT = {
    "agents.sessions.setStatus": "feature_disabled",
    "agents.sessions.rename": "feature_disabled",
    "assistant.threads.setSuggestedPrompts": "not_agent_app",
    # Their reference names no error for this; access_denied is one that every method may answer.
    "assistant.threads.setStatus": "access_denied",
    "assistant.threads.setTitle": "access_denied",
}


class FeatureSettings(BaseModel):
    """All switches, as a workspace of today has them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    streaming: bool = True
    agent: bool = True
    feedback_buttons: bool = True
    history_limit: bool = False
    """One request a minute and 15 messages, as for apps that are distributed without being listed."""


class Features:
    """The switches, with the clock of limited methods; used from the server's loop only."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = FeatureSettings()
        self._next_history: dict[str, float] = {}
        self.change(settings)

    def change(self, settings: Mapping[str, Any]) -> None:
        """Set the given switches and leave the others; raises ApiError for an unknown one."""
        try:
            given = FeatureSettings.model_validate(dict(settings))
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ApiError("invalid_arguments", *lines) from error
        self.settings = self.settings.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

    def before_call(self, method: str, now: float, time_scale: float) -> None:
        """Raise the refusal of a method that this workspace does not have, or only once a minute."""
        if method in _STREAMS and not self.settings.streaming:
            raise ApiError("unknown_method")
        if method in _NO_AGENT and not self.settings.agent:
            raise ApiError(_NO_AGENT[method])
        if method in _HISTORY and self.settings.history_limit:
            left = self._next_history.get(method, 0.0) - now
            if left > 0:
                raise ApiError("ratelimited", status=429, retry_after=max(1, round(left)))
            self._next_history[method] = now + HISTORY_SECONDS / time_scale

    def limited(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Give the arguments as this workspace takes them; raises ApiError for blocks that it does not have."""
        if not self.settings.feedback_buttons:
            _refuse_feedback_buttons(arguments)
        if method in _HISTORY and self.settings.history_limit:
            return arguments | {"limit": min(arguments.get("limit") or HISTORY_MESSAGES, HISTORY_MESSAGES)}
        return arguments


def _refuse_feedback_buttons(arguments: Mapping[str, Any]) -> None:
    blocks = arguments.get("blocks")
    for n, block in enumerate(blocks if isinstance(blocks, list) else []):
        if isinstance(block, dict) and block.get("type") == "context_actions":
            raise ApiError("invalid_blocks", f"[ERROR] unsupported type: context_actions [json-pointer:/blocks/{n}]")
