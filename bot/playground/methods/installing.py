"""The methods that begin and end an installation: oauth.v2.access, auth.revoke, apps.uninstall."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from bot.playground.errors import ApiError
from bot.playground.playground import Playground
from bot.playground.workspace import APP_ID, BOT_USER_ID, JSON, TEAM_ID


def oauth_v2_access(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """oauth.v2.access: a code for the bot's token; tokens here do not rotate, so there is nothing to refresh."""
    check_secret(playground, arguments)
    grant_type = arguments.get("grant_type", "authorization_code")
    if grant_type == "refresh_token":
        raise ApiError("invalid_refresh_token")
    if grant_type != "authorization_code":
        raise ApiError("invalid_grant_type")
    if "code_verifier" in arguments:
        raise ApiError("pkce_not_allowed")
    grant = playground.installation.exchange(arguments.get("code", ""), arguments.get("redirect_uri"))
    return {
        "app_id": APP_ID,
        "authed_user": {"id": grant.user},
        "scope": ",".join(playground.app.scopes),
        "token_type": "bot",
        "access_token": playground.tokens.bot,
        "bot_user_id": BOT_USER_ID,
        "team": {"id": TEAM_ID, "name": playground.workspace.team_name},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def auth_revoke(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """auth.revoke: an app has one token for the bot here, so that revoking it ends the installation."""
    if arguments.get("test"):
        return {"revoked": False}
    playground.installation.end()
    return {"revoked": True}


def apps_uninstall(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """apps.uninstall."""
    check_secret(playground, arguments)
    playground.installation.end()
    return {"uninstalled": True}


def check_secret(playground: Playground, arguments: Mapping[str, Any]) -> None:
    """Refuse another app's id, or a wrong secret."""
    tokens = playground.tokens
    if not hmac.compare_digest(arguments.get("client_id", "").encode(), tokens.client_id.encode()):
        raise ApiError("invalid_client_id")
    if not hmac.compare_digest(arguments.get("client_secret", "").encode(), tokens.client_secret.encode()):
        raise ApiError("bad_client_secret")
