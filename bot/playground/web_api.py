"""The Web API over HTTP: reads token and arguments, asks the faults, calls the method, writes the ledger."""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.playground.errors import ApiError
from bot.playground.methods import HANDLERS
from bot.playground.methods.arguments import METHODS, Method, read_arguments, unknown_arguments
from bot.playground.playground import Playground
from bot.playground.scopes import missing_scopes
from bot.playground.strict_json import read_json
from bot.playground.workspace import JSON

APP_TOKEN_METHODS = frozenset({"apps.connections.open"})
OPEN_METHODS = frozenset({"api.test", "oauth.v2.access"})
_SECRETS = frozenset({"client_secret", "code", "access_token"})
MOST_BODY_BYTES = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it came: the token apart from the arguments."""

    token: str | None
    arguments: Mapping[str, Any]


async def call(request: Request, playground: Playground) -> Response:
    """Serve one call of a method."""
    name = request.path_params["method"]
    started = time.monotonic()
    received = Received(token=None, arguments={})
    status = 200
    headers = {"x-oauth-scopes": ",".join(playground.app.scopes)} if playground.app.is_described else {}
    try:
        received = await _receive(request, METHODS.get(name))
        body = _answer(playground, name, received)
    except ApiError as refusal:
        body, status = refusal.body(), refusal.status
        if refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
    known = METHODS.get(name)
    playground.ledger.add(
        "call",
        name,
        "ok" if body["ok"] else body["error"],
        ms=(time.monotonic() - started) * 1000,
        request=_without_secrets(received.arguments),
        response=_without_secrets(body),
        http_status=status,
        unknown_arguments=unknown_arguments(known, received.arguments) if known else [],
    )
    await _spoil_reply(request, playground, name)
    return JSONResponse(body, status_code=status, headers=headers)


def _answer(playground: Playground, name: str, received: Received) -> JSON:
    method = METHODS.get(name)
    if method is None:
        raise ApiError("unknown_method")
    _check_token(playground, name, received.token)
    _check_scopes(playground, name, received.arguments)
    playground.features.before_call(name, time.monotonic(), playground.socket.time_scale)
    playground.faults.before_call(name, method.tier, time.monotonic())
    arguments = playground.features.limited(name, read_arguments(method, received.arguments))
    playground.files.check_blocks(arguments)
    return {"ok": True, **HANDLERS[name](playground, arguments)}


def _check_token(playground: Playground, name: str, token: str | None) -> None:
    if name in OPEN_METHODS:
        return
    if not token:
        raise ApiError("not_authed")
    right, other = playground.tokens.bot, playground.tokens.app
    if name in APP_TOKEN_METHODS:
        right, other = other, right
    if hmac.compare_digest(token.encode(), other.encode()):
        raise ApiError("not_allowed_token_type")
    playground.installation.check_token(token)
    if not hmac.compare_digest(token.encode(), right.encode()):
        raise ApiError("invalid_auth")


def _check_scopes(playground: Playground, name: str, raw: Mapping[str, Any]) -> None:
    if not playground.app.is_described:
        return
    missing = missing_scopes(playground.workspace, name, raw, playground.app.scopes)
    if missing:
        details = {"needed": ",".join(missing), "provided": ",".join(playground.app.scopes)}
        raise ApiError("missing_scope", details=details)


async def _receive(request: Request, method: Method | None) -> Received:
    raw: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if len(body) > MOST_BODY_BYTES:
        raise ApiError("invalid_arguments", "[ERROR] request body too large", status=413)
    if body and kind == "application/json":
        # A method that takes no JSON looks for its arguments elsewhere, as if there were no body.
        raw |= _from_json(body) if method is None or method.takes_json else {}
    elif body and kind == "application/x-www-form-urlencoded":
        raw |= _from_form(body)
    elif body:
        raise ApiError("invalid_post_type" if kind else "missing_post_type")
    token = raw.pop("token", None)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = bearer.strip()
    if scheme.lower() == "basic":
        raw |= _from_basic(bearer)
    return Received(token=token, arguments=raw)


def _from_basic(credentials: str) -> dict[str, Any]:
    """Read the client's id and secret, as an app sends them for its token."""
    try:
        name, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except ValueError as error:
        raise ApiError("invalid_auth") from error
    return {"client_id": name, "client_secret": secret}


def _without_secrets(values: Mapping[str, Any]) -> JSON:
    return {key: "(hidden)" if key in _SECRETS else value for key, value in values.items()}


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        value = read_json(body)
    except ValueError as error:
        raise ApiError("invalid_json") from error
    if not isinstance(value, dict):
        raise ApiError("json_not_object")
    return value


def _from_form(body: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=False))
    except UnicodeDecodeError as error:
        raise ApiError("invalid_charset") from error


async def _spoil_reply(request: Request, playground: Playground, name: str) -> None:
    spoiled = playground.faults.after_call(name)
    if spoiled.delay_seconds:
        await asyncio.sleep(spoiled.delay_seconds)
    if spoiled.lose_reply:
        await request.scope["playground.cut"]()
