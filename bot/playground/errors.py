"""How a method of the Web API says no: Slack's error code, and the lines Slack adds for the developer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A refusal that the caller sees as `{"ok": false, "error": code}`."""

    def __init__(
        self,
        code: str,
        *messages: str,
        status: int = 200,
        retry_after: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, *messages)
        self.code = code
        self.messages = messages
        self.status = status
        self.retry_after = retry_after
        self.details = details or {}

    def body(self) -> dict[str, Any]:
        """Give the response as Slack writes it."""
        if not self.messages:
            return {"ok": False, "error": self.code, **self.details}
        # Slack repeats the lines in `errors` for block errors; the SDKs show response_metadata.messages.
        body: dict[str, Any] = {"ok": False, "error": self.code, "response_metadata": {"messages": list(self.messages)}}
        if self.code == "invalid_blocks":
            body["errors"] = [line.removeprefix("[ERROR] ") for line in self.messages]
        return body
