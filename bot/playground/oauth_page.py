"""Asks a person whether to install the app, and sends them back to it with a code, or with their no."""

from __future__ import annotations

import html
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.playground.plain_page import plain_page
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID


async def authorize(request: Request, playground: Playground) -> Response:
    """Serve /oauth/v2/authorize: the question first, and the way back once it is answered."""
    asked = request.query_params
    refusal = _refusal(playground, asked.get("client_id", ""), asked.get("redirect_uri", ""), asked.get("scope", ""))
    if refusal:
        return plain_page(
            "Something went wrong when authorizing this app", f"<p>{html.escape(refusal)}</p>", status=400
        )
    answer = asked.get("answer")
    if answer == "no":
        return _back(asked["redirect_uri"], error="access_denied", state=asked.get("state", ""))
    if answer == "yes":
        user = asked.get("user", "")
        if not _may_install(playground, user):
            return plain_page("Not installed", "<p>Only an admin of this workspace can install an app.</p>", status=403)
        code = playground.installation.allow(user, asked["redirect_uri"])
        return _back(asked["redirect_uri"], code=code, state=asked.get("state", ""))
    return _question(playground, dict(asked))


def _question(playground: Playground, asked: dict[str, str]) -> Response:
    admin = asked.get("user") or next(
        user.id for user in playground.workspace.users.values() if _may_install(playground, user.id)
    )
    scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in _scopes(asked.get("scope", "")))
    links = {
        answer: html.escape(f"?{urlencode({**asked, 'user': admin, 'answer': answer})}") for answer in ("yes", "no")
    }
    name = playground.workspace.bot.real_name
    body = (
        f"<p>{html.escape(name)} will be able to use:</p><ul class='scopes'>{scopes}</ul>"
        f"<p><a class='allow' href='{links['yes']}'>Allow</a> <a class='allow' href='{links['no']}'>Cancel</a></p>"
    )
    return plain_page(f"{name} asks to come into the {playground.workspace.team_name} workspace", body)


def _refusal(playground: Playground, client_id: str, redirect_uri: str, scope: str) -> str:
    if client_id != playground.tokens.client_id:
        return "invalid_client_id: the app with this client_id is not known here."
    if urlsplit(redirect_uri).scheme not in ("http", "https") or not urlsplit(redirect_uri).hostname:
        return "bad_redirect_uri: redirect_uri must be an http address."
    if not playground.app.may_redirect_to(redirect_uri):
        return "bad_redirect_uri: redirect_uri does not begin with any of the app's redirect_urls."
    unknown = [each for each in _scopes(scope) if not playground.app.may(each)]
    if not _scopes(scope):
        return "no_scopes: scope names nothing."
    return f"invalid_scope: the app's manifest has no {', '.join(unknown)}." if unknown else ""


def _scopes(scope: str) -> list[str]:
    return [each for each in scope.replace(",", " ").split() if each]


def _may_install(playground: Playground, user_id: str) -> bool:
    user = playground.workspace.users.get(user_id)
    return user is not None and user.is_admin and not user.deleted and user_id != BOT_USER_ID


def _back(redirect_uri: str, **answer: str) -> Response:
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(f"{redirect_uri}{separator}{urlencode(answer)}", status_code=302)
