"""HTTP delivery: events, interactions and commands are POSTed to the app's address, signed with the signing secret.

As when an address is entered in the app's settings, it must first give a challenge back; until then, and after a
connection failed, this goes on knocking.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bot.errors import SettingsError
from bot.playground.delivery import Acknowledgement, Delivery, name_of
from bot.playground.faults import Faults
from bot.playground.ledger import Ledger
from bot.playground.strict_json import read_json
from bot.playground.workspace import JSON

KNOCK_SECONDS = 0.3
USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the app's server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpDelivery(Delivery):
    """Delivery to one address; used from the server's loop only."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        faults: Faults,
        ack_seconds: float,
        time_scale: float,
        url: str,
        signing_secret: str,
        when_changed: Callable[[], None],
    ) -> None:
        super().__init__(ledger=ledger, faults=faults, ack_seconds=ack_seconds, time_scale=time_scale)
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise SettingsError(
                f"The events address {url!r} is no http address. Give one like http://127.0.0.1:3000/slack/events."
            )
        self._url = url
        self._secret = signing_secret
        self._when_changed = when_changed
        self._lost = asyncio.Event()
        self._lost.set()

    @property
    def connected(self) -> bool:
        """Whether the address gave the challenge back, and answered since."""
        return self._connected.is_set()

    def begin(self) -> None:
        """Begin to knock; called once the server's loop runs."""
        self._in_background(self._knock())

    async def _knock(self) -> None:
        while True:
            await self._lost.wait()
            if await self._verify():
                self._lost.clear()
                self._connected.set()
                self._when_changed()
            else:
                await asyncio.sleep(KNOCK_SECONDS)

    async def _verify(self) -> bool:
        challenge = secrets.token_urlsafe(24)
        asked = {"token": "playground", "challenge": challenge, "type": "url_verification"}
        try:
            answer = await self._post(json.dumps(asked).encode(), _JSON, {})
        except (OSError, TimeoutError, http.client.HTTPException):
            return False
        passed = answer.status == 200 and challenge.encode() in answer.body
        self._ledger.add(
            "connection", "url_verification", "ok" if passed else "failed", request=asked, response=_shown(answer)
        )
        return passed

    async def _attempt(
        self, kind: str, payload: JSON, *, retry: tuple[int, str] | None = None, accepts_response: bool = False
    ) -> Acknowledgement:
        ledger_kind = "event" if kind == "events_api" else "interaction"
        if not self.connected:
            self._ledger.add(ledger_kind, name_of(payload), "no connection", request=payload)
            return Acknowledgement(received=False, reason="connection_failed")
        body, content_type = _encoded(kind, payload)
        number, reason = retry or (0, "")
        headers = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason} if number else {}
        self._ledger.add(
            ledger_kind, name_of(payload), "sent", request={"headers": headers, "payload": payload}, attempt=number
        )
        started = time.monotonic()
        try:
            answer = await self._post(body, content_type, headers)
        except TimeoutError:
            return self._not_acknowledged(ledger_kind, payload, "http_timeout")
        except (OSError, http.client.HTTPException):
            self._lose()
            return self._not_acknowledged(ledger_kind, payload, "connection_failed")
        if answer.status != 200:
            is_final = answer.headers.get("x-slack-no-retry") == "1"
            return self._not_acknowledged(ledger_kind, payload, "http_error", answer=answer, is_final=is_final)
        ms = (time.monotonic() - started) * 1000
        self._ledger.add("ack", "ack", "ok", ms=ms, response=_shown(answer))
        return Acknowledgement(received=True, payload=_said(answer) if accepts_response else None)

    def _not_acknowledged(
        self, ledger_kind: str, payload: JSON, reason: str, *, answer: Answer | None = None, is_final: bool = False
    ) -> Acknowledgement:
        response = None if answer is None else _shown(answer)
        self._ledger.add(ledger_kind, name_of(payload), "not acknowledged", response=response, reason=reason)
        return Acknowledgement(received=False, reason=reason, is_final=is_final)

    def _lose(self) -> None:
        self._connected.clear()
        self._lost.set()
        self._when_changed()

    async def _post(self, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        if self._faults.settings.silent:
            await asyncio.sleep(self.ack_seconds)
            raise TimeoutError("the line is silent")
        stamp = str(int(time.time()))
        signed = hmac.new(self._secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        whole = {
            "Content-Type": content_type,
            "User-Agent": USER_AGENT,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signed}",
            **headers,
        }
        # The thread's own limit ends it soon after nobody waits for it any more.
        sending = asyncio.to_thread(_send, self._url, body, whole, self.ack_seconds)
        return await asyncio.wait_for(sending, self.ack_seconds)


def _send(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(str(parts.hostname), parts.port, timeout=seconds)
    try:
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, dict(headers))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=response.read())
    finally:
        connection.close()


def _encoded(kind: str, payload: JSON) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), _JSON
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), _FORM


def _said(answer: Answer) -> JSON | None:
    """Give what an acknowledgement says: JSON, or to a command also plain text."""
    if not answer.body:
        return None
    if not answer.headers.get("content-type", "").startswith(_JSON):
        return {"text": answer.body.decode("utf-8", "replace")}
    try:
        found = read_json(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _shown(answer: Answer) -> JSON:
    return {"status": answer.status, "body": answer.body.decode("utf-8", "replace")[:2000]}
