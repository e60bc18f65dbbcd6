"""Are the tokens any good: asked of Slack before anything starts, with words that say which one to mend."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot.errors import SlackSetupError
from bot.settings import Settings
from bot.slack.manifest import OPTIONAL_SCOPES, SCOPES, scopes_of
from knowledge.secret import Secret

_SECONDS = 10
# Slack's have 32 characters.
_SHORTEST_SECRET = 16


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What Slack says about the tokens."""

    team: str
    bot: str
    missing_scopes: tuple[str, ...]
    """Without these the bot does not work as it should."""
    optional_scopes: tuple[str, ...] = ()
    """Not granted either, but made to be left out."""
    team_id: str = ""
    bot_user_id: str = ""
    clock_skew_seconds: float = 0.0
    """How far this machine's clock is ahead of Slack's."""


def check_credentials(settings: Settings) -> Installation:
    """Ask Slack about both tokens; raises SlackSetupError that names the token and the next step."""
    require_tokens(settings)
    installation = check_bot_token(settings)
    check_app_token(settings)
    return installation


def check_http_credentials(settings: Settings) -> Installation | None:
    """Check what HTTP mode needs; None where workspaces install the app by themselves. Raises SlackSetupError."""
    require_signing_secret(settings)
    if settings.slack_client_id:
        if not settings.slack_client_secret:
            raise SlackSetupError(
                "SLACK_CLIENT_ID is set and SLACK_CLIENT_SECRET is not. Both are on the app's page Basic Information > "
                "App Credentials."
            )
        return None
    require_bot_token(settings)
    return check_bot_token(settings)


def check_bot_token(settings: Settings) -> Installation:
    """Ask Slack who the bot is and what it may do; raises SlackSetupError."""
    identity = _ask(settings, "SLACK_BOT_TOKEN", settings.slack_bot_token, "auth.test")
    headers = {name.lower(): str(value) for name, value in identity.headers.items()}
    stated = headers.get("x-oauth-scopes", "")
    granted = {scope.strip() for scope in stated.split(",")} if stated else set(scopes_of())
    lacking = set(scopes_of()) - granted
    needed = set(SCOPES) - OPTIONAL_SCOPES
    return Installation(
        team=str(identity.get("team", "")),
        bot=str(identity.get("user", "")),
        missing_scopes=tuple(sorted(lacking & needed)),
        optional_scopes=tuple(sorted(lacking - needed)),
        team_id=str(identity.get("team_id", "")),
        bot_user_id=str(identity.get("user_id", "")),
        clock_skew_seconds=_skew(headers.get("date", "")),
    )


def check_app_token(settings: Settings) -> None:
    """Ask Slack whether a line can be opened with the app token; raises SlackSetupError."""
    ask_for_line(settings)


def ask_for_line(settings: Settings) -> str:
    """Ask Slack for the address of a line; raises SlackSetupError."""
    return str(_ask(settings, "SLACK_APP_TOKEN", settings.slack_app_token, "apps.connections.open").get("url") or "")


def require_tokens(settings: Settings) -> None:
    """Raise SlackSetupError where a token is not set or is one of another kind."""
    require_bot_token(settings)
    require_app_token(settings)


def require_bot_token(settings: Settings) -> None:
    """Raise SlackSetupError where the bot token is not set or is one of another kind."""
    _require("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-", "OAuth & Permissions")


def require_app_token(settings: Settings) -> None:
    """Raise SlackSetupError where the app token is not set or is one of another kind."""
    _require("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-", "Basic Information > App-Level Tokens")


def require_signing_secret(settings: Settings) -> None:
    """Raise SlackSetupError where the signing secret is not set or is something else."""
    where = "It is on the app's page Basic Information > App Credentials."
    secret = settings.slack_signing_secret.reveal()
    if not secret:
        raise SlackSetupError(
            f"SLACK_SIGNING_SECRET is not set: without it nobody can tell Slack's requests from others'. {where}"
        )
    if len(secret) < _SHORTEST_SECRET or secret.startswith(("xox", "xapp")):
        raise SlackSetupError(f"SLACK_SIGNING_SECRET is no signing secret. {where}")


def _skew(date: str) -> float:
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return 0.0


def _require(name: str, token: Secret, prefix: str, page: str) -> None:
    where = f"It is on the app's page {page} and begins with {prefix}"
    if not token:
        raise SlackSetupError(
            f"{name} is not set. {where}; `lorekeeper manifest` prints what makes the app, and "
            "`lorekeeper playground` needs no token at all."
        )
    if not token.reveal().startswith(prefix):
        raise SlackSetupError(f"{name} is not a token of the right kind. {where}.")


def _ask(settings: Settings, name: str, token: Secret, method: str) -> SlackResponse:
    client = WebClient(token=token.reveal(), base_url=settings.slack_api_url, timeout=_SECONDS, retry_handlers=[])
    try:
        return client.api_call(method)
    except SlackApiError as error:
        code = error.response.get("error", "unknown_error")
        raise SlackSetupError(
            f"Slack refuses {name} ({method}: {code}). Copy it again from the app's page, "
            "and reinstall the app if its scopes have changed."
        ) from error
    except (SlackClientError, OSError, HTTPException) as error:
        raise SlackSetupError(
            f"{settings.slack_api_url} does not answer ({error}). Check the network, a proxy, and SLACK_API_URL."
        ) from error
