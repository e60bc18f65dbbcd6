"""Slack's side of HTTP mode for tests: signs and sends what Slack would."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bot.slack.signature import sign

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came back."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SlackCaller:
    """Sends requests to one port, signed with the secret."""

    port: int
    secret: str = SECRET

    def event(self, event: dict[str, Any], team: str, event_id: str, **more: Any) -> Answered:
        """Deliver an event."""
        body = {
            "type": "event_callback",
            "team_id": team,
            "api_app_id": "A1",
            "event": event,
            "event_id": event_id,
            "event_time": int(time.time()),
            "authorizations": [{"team_id": team, "enterprise_id": None, "is_bot": True}],
        }
        return self.send(json.dumps(body | more).encode(), "application/json")

    def interact(self, payload: dict[str, Any]) -> Answered:
        """Deliver what a person did with a button, a form or a shortcut."""
        return self.send(urlencode({"payload": json.dumps(payload)}).encode(), "application/x-www-form-urlencoded")

    def command(self, **fields: str) -> Answered:
        """Deliver a slash command."""
        return self.send(urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def send(self, body: bytes, content_type: str, *, at: float | None = None, **headers: str) -> Answered:
        """Send bytes, signed now or as of another time."""
        stamp = str(int(time.time() if at is None else at))
        signed = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign(self.secret.encode(), stamp, body),
        }
        return self.ask("POST", "/slack/events", body, signed | {k.replace("_", "-"): v for k, v in headers.items()})

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answered:
        """Send anything at all."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answered(status=reply.status, body=reply.read().decode(), headers=found)
        finally:
            connection.close()
